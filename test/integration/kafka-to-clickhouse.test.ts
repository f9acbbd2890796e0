import {execFile} from 'node:child_process'
import {readFileSync, writeFileSync} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {promisify} from 'node:util'
import {afterAll, beforeAll, describe, expect, test, vi} from 'vitest'
import {type CliOptions, startUcs, ucs} from '../commands/cli.ts'
import {freePorts} from '../services/free-ports.ts'
import {describeWith, useKafka} from '../services/use.ts'
import {useFolders} from './folders.ts'
import {untilMetric} from './health.ts'
import {connectRecords, type Records, type TestValue} from './records.ts'
import {type Engine, newTableName, startEngine} from './sensor-table.ts'

const A = '00:0f:00:70:91:0a'
const DEVICES = [A, '1c:bf:ce:15:ec:4d', 'b8:27:eb:bf:9d:51']

interface Values {
  readonly device_id?: unknown
  readonly ts?: unknown
  readonly data?: object
}

/** The event that the seed documents, with some of it replaced; what is undefined is left out. */
const event = ({data, ...others}: Values = {}) =>
  JSON.stringify({
    data: {co: 0.0031, humidity: 76, light: false, lpg: 0.0052, motion: false, smoke: 0.0136, temp: 19.7, ...data},
    device_id: A,
    ts: 1594512106.869076,
    ...others,
  })
/** Told from each other by `co`. */
const events = (count: number, first = 0) => Array.from({length: count}, (_, index) => event({data: {co: first + index}}))
const upTo = (count: number) => Array.from({length: count}, (_, index) => index)
const never = new AbortController().signal

describeWith('kafka', 'clickhouse')('kafka-to-clickhouse', () => {
  const newFolder = useFolders()
  let records: Records
  let engine: Engine
  beforeAll(async () => {
    ;[records, engine] = await Promise.all([connectRecords(useKafka().address), startEngine()])
  })
  afterAll(async () => {
    await records.close()
    await engine.close()
  })

  const query = <Row>(sql: string) => engine.client.query<Row>(sql, {}, never)

  /** A topic with these messages, a table, and runs that lead from one to the other. */
  async function scene(values: readonly TestValue[] = [], {partitions = 1} = {}) {
    const topic = await records.newTopic({values, partitions})
    const [table, cwd] = [newTableName(), newFolder()]
    const server = {CLICKHOUSE_URL: engine.facade.url, CLICKHOUSE_PASSWORD: 'secret'}
    const env = {KAFKA_BROKER: useKafka().address, KAFKA_TOPIC: topic, UCS_GROUP: topic, UCS_TABLE: table, ...server}
    return {
      topic,
      table,
      env,
      cwd,
      run: (args: readonly string[], options: CliOptions = {}) => ucs(['kafka-to-clickhouse', ...args], {env, cwd, ...options}),
      start: (args: readonly string[], options: CliOptions = {}) => startUcs(['kafka-to-clickhouse', ...args], {env, cwd, ...options}),
      committed: () => records.committed(topic, topic),
      /** What tells the stored events from each other. */
      stored: async () => (await query<{co: number}>(`SELECT co FROM \`${table}\` ORDER BY co`)).map(({co}) => co),
    }
  }

  describe.concurrent('with the environment of the seed', () => {
    test('flushes by size and by age, stores every event of three devices, and drains on a signal', async () => {
      const {topic, table, env} = await scene(
        DEVICES.flatMap((device_id, index) => upTo(50).map((number) => event({device_id, ts: 1594512000 + number, data: {co: index}}))),
      )
      const {hostname, port: clickhousePort} = new URL(engine.facade.url)
      const [port] = (await freePorts(1)) as [number]
      const seed = {
        KAFKA_BROKER: env.KAFKA_BROKER,
        KAFKA_TOPIC: topic,
        BATCH_SIZE: '100',
        FLUSH_INTERVAL_SEC: '0.2',
        CLICKHOUSE_HOST: hostname,
        CLICKHOUSE_USER: 'default',
        CLICKHOUSE_PASSWORD: 'secret',
        CLICKHOUSE_DB: 'default',
      }
      const ours = {UCS_CLICKHOUSE_PORT: clickhousePort, UCS_TABLE: table, UCS_GROUP: topic, HEALTH_CHECK_PORT: String(port)}
      const {child, result} = startUcs(['kafka-to-clickhouse'], {env: {...seed, ...ours}, cwd: newFolder()})
      await untilMetric(port, 'ucs_messages_written_total', 150) // the first 100 by their number, the others by their age
      child.kill('SIGTERM')
      const {code, stdout, stderr} = await result
      expect({code, stdout}).toEqual({code: 0, stdout: ''})
      expect(stderr).toContain('kafka-to-clickhouse: read 150 written 150 ')
      expect(stderr).not.toContain('secret')
      const counts = await query(
        `SELECT device_id, count() AS rows, min(ts) AS first, max(ts) AS last FROM ${table} GROUP BY device_id ORDER BY 1`,
      )
      expect(counts).toEqual(
        DEVICES.map((device_id) => ({device_id, rows: 50, first: '2020-07-12 00:00:00.000', last: '2020-07-12 00:00:49.000'})),
      )
    })

    test("makes the seed's table: its columns and order, in UTC, with a window against doubles", async () => {
      const {table, run} = await scene([event()])
      await run(['--until-end'])
      const columns = await query<{name: string; type: string}>(
        `SELECT name, type FROM system.columns WHERE table = '${table}' ORDER BY position`,
      )
      expect(columns.map(({name, type}) => `${name} ${type}`)).toEqual([
        'device_id String',
        "ts DateTime64(3, 'UTC')",
        'co Float64',
        'humidity Float64',
        'light UInt8',
        'lpg Float64',
        'motion UInt8',
        'smoke Float64',
        'temp Float64',
        "ingest_time DateTime64(3, 'UTC')",
      ])
      const [made] = await query<{engine_full: string}>(`SELECT engine_full FROM system.tables WHERE name = '${table}'`)
      expect(made!.engine_full).toMatch(/^MergeTree ORDER BY \(device_id, ts\) SETTINGS non_replicated_deduplication_window = 10000/)
    })

    test('stores ts in UTC to the millisecond, light and motion as 0 or 1, and the time of writing', async () => {
      const before = new Date().toISOString()
      const {table, run} = await scene([
        event({data: {co: 0}}),
        event({ts: '1594512106.5', data: {co: 1, light: 'true', motion: 'False'}}),
        event({ts: '2020-07-12T08:01:46.869+08:00', data: {co: 2, light: 120, motion: 0}}),
        event({ts: 1594512106, data: {co: 3, light: 'no', motion: '1', humidity: '76.5'}}),
        event({ts: '1.594512106869076E9', data: {co: 4, light: '', motion: 'off'}}),
      ])
      expect((await run(['--until-end'])).code).toBe(0)
      const rows = await query(`SELECT co, ts, light, motion, humidity FROM ${table} ORDER BY co`)
      expect(rows).toEqual([
        {co: 0, ts: '2020-07-12 00:01:46.869', light: 0, motion: 0, humidity: 76},
        {co: 1, ts: '2020-07-12 00:01:46.500', light: 1, motion: 0, humidity: 76},
        {co: 2, ts: '2020-07-12 00:01:46.869', light: 1, motion: 0, humidity: 76},
        {co: 3, ts: '2020-07-12 00:01:46.000', light: 0, motion: 1, humidity: 76.5},
        {co: 4, ts: '2020-07-12 00:01:46.869', light: 0, motion: 0, humidity: 76},
      ])
      const [written] = await query<{first: string; last: string}>(
        `SELECT min(ingest_time) AS first, max(ingest_time) AS last FROM ${table}`,
      )
      expect(asIso(written!.first) >= before).toBe(true)
      expect(asIso(written!.last) <= new Date().toISOString()).toBe(true)
    })
  })

  describe.concurrent('keeps its promises:', () => {
    test('a message of several rows is stored whole, or not at all', async () => {
      const whole = `[${events(3).join(',')},null]`
      const torn = `[${event({data: {co: 7}})},${event({data: {co: null}})}]`
      const {run, stored} = await scene([whole, torn])
      const {code, json} = await run(['--until-end', '--json'])
      expect(code).toBe(3)
      expect(json().ledger).toMatchObject({read: 2, written: 1, rejected: 1, rejectedBy: {'missing value': 1}})
      expect(await stored()).toEqual([0, 1, 2])
    })

    test('--on-missing reject refuses a value that is missing or null; zero stores 0', async () => {
      const values = [event({data: {co: 1, humidity: null}}), event({data: {co: 2, light: undefined}}), event({data: {co: 3}})]
      const {topic, table, run, stored} = await scene(values)
      expect((await run(['--until-end', '--json'])).json().ledger).toMatchObject({written: 1, rejectedBy: {'missing value': 2}})
      expect(await stored()).toEqual([3])
      const zero = await run(['--until-end', '--on-missing', 'zero', '--group', `${topic}-2`, '--table', `${table}_zero`])
      expect(zero.code).toBe(0)
      expect(await query(`SELECT co, humidity, light FROM ${table}_zero ORDER BY co`)).toEqual([
        {co: 1, humidity: 0, light: 0},
        {co: 2, humidity: 76, light: 0},
        {co: 3, humidity: 76, light: 0},
      ])
    })

    test('--max-messages N commits exactly N, and the next run begins at N', async () => {
      const {run, stored, committed} = await scene(events(40))
      expect((await run(['--max-messages', '11', '--json'])).json().ledger).toMatchObject({read: 11, written: 11})
      expect(await committed()).toEqual([11])
      expect((await run(['--until-end', '--json'])).json().ledger).toMatchObject({read: 29, written: 29})
      expect(await stored()).toEqual(upTo(40))
    })

    test('--dry-run prints the rows, and neither writes nor commits', async () => {
      const {table, run, committed} = await scene([event()])
      const {code, stdout} = await run(['--until-end', '--dry-run'])
      expect(code).toBe(0)
      expect(stdout).toBe(
        `{"device_id":"${A}","ts":"1594512106.869","co":0.0031,"humidity":76,"light":0,"lpg":0.0052,"motion":0,"smoke":0.0136,"temp":19.7}\n`,
      )
      expect(await query(`SELECT name FROM system.tables WHERE name = '${table}'`)).toEqual([])
      expect(await committed()).toEqual([-1])
    })

    test('exactly-once twice over one topic, the second time as a new group with other batches: nothing is there twice', async () => {
      const {topic, table, run, stored} = await scene([], {partitions: 2})
      await records.send(topic, events(30), 0)
      await records.send(topic, [`[${events(3, 30).join(',')}]`, ...events(7, 33)], 1)
      const once = ['--delivery', 'exactly-once', '--until-end', '--json']
      const first = await run([...once, '--batch-size', '8'])
      expect(first.json()).toMatchObject({ledger: {read: 38, written: 38, rows: 38}, alreadyStored: 0})
      const again = await run([...once, '--batch-size', '11', '--group', `${topic}-2`])
      expect(again.json()).toMatchObject({ledger: {read: 38, written: 38}, alreadyStored: 40})
      expect(await stored()).toEqual(upTo(40))
      const positions = await query(
        `SELECT _partition, count() AS rows, max(_offset) AS last, max(_index) AS index FROM ${table} WHERE _topic = '${topic}' GROUP BY 1 ORDER BY 1`,
      )
      expect(positions).toEqual([
        {_partition: 0, rows: 30, last: 29, index: 0},
        {_partition: 1, rows: 10, last: 7, index: 2},
      ])
    })

    test('exactly-once replays letters in any order, and those that were replayed before not again', async () => {
      const bad = (co: number) => event({data: {co, humidity: null}})
      const {run, env, cwd, stored} = await scene([event({data: {co: 0}}), bad(1), bad(2), event({data: {co: 3}}), bad(4)])
      const once = ['--delivery', 'exactly-once', '--json']
      expect((await run([...once, '--until-end'])).json().ledger).toMatchObject({written: 2, rejected: 3})
      const file = join(cwd, 'dead-letters/kafka-to-clickhouse.ndjson')
      const letters = readFileSync(file, 'utf8').trim().split('\n').reverse().join('\n')
      const replay = async () => {
        writeFileSync(file, letters)
        return (await ucs(['dead-letters', 'replay', file, ...once, '--on-missing', 'zero', '--batch-size', '2'], {env, cwd})).json()
      }
      expect(await replay()).toMatchObject({ok: true, ledger: {read: 3, written: 3}, alreadyStored: 0})
      expect(await replay()).toMatchObject({ok: true, ledger: {read: 3, written: 3}, alreadyStored: 3})
      expect(await stored()).toEqual(upTo(5))
    })

    test('exactly-once tells how much was stored already, also when the run fails', async () => {
      const {topic, run} = await scene(events(3))
      const once = ['--delivery', 'exactly-once', '--until-end']
      const first = await run(once)
      expect(first.stderr).not.toContain('already')
      await records.send(topic, ['{'], 0)
      const again = await run([...once, '--group', `${topic}-2`])
      expect(again.code).toBe(3)
      expect(again.stderr).toContain('3 rows were in the table already, and were not written again')
      expect((await run(['--until-end', '--json'])).json()).not.toHaveProperty('alreadyStored')
    })

    test('exactly-once goes on where only part of a batch is stored: it looks at the positions, not at the last of them', async () => {
      const {topic, table, run, stored} = await scene(events(6))
      const once = ['--delivery', 'exactly-once', '--until-end']
      await run([...once, '--max-messages', '1'])
      const holes = `INSERT INTO ${table} (device_id, ts, co, _topic, _partition, _offset, _index) VALUES ('${A}', 1594512106, 4, '${topic}', 0, 4, 0)`
      await engine.client.command(holes, never)
      expect((await run(once)).code).toBe(0)
      expect(await stored()).toEqual(upTo(6))
    })

    test('adds ingest_time to an older table, and warns once of one that may store a resent insert twice, with the remedy', async () => {
      const {table, run, stored} = await scene(events(2))
      const columns = 'co Float64, humidity Float64, light UInt8, lpg Float64, motion UInt8, smoke Float64, temp Float64'
      const old = `CREATE TABLE ${table} (device_id String, ts DateTime64(3), ${columns}) ENGINE = MergeTree ORDER BY (device_id, ts)`
      await engine.client.command(old, never)
      let refusals = 2
      engine.setHook(async ({parameters, body, response}) => {
        const statement = parameters.get('query') ?? body.toString()
        if (!statement.includes(table) || !statement.includes('WHERE 0') || refusals-- <= 0) return false
        response.writeHead(500, {'X-ClickHouse-Exception-Code': 202})
        response.end('Code: 202. DB::Exception: Too many simultaneous queries. (TOO_MANY_SIMULTANEOUS_QUERIES)\n')
        return true
      })
      const {code, stderr} = await run(['--until-end', '--batch-size', '1'])
      expect(code).toBe(0)
      expect(stderr.match(/"event":"retry"/g)).toHaveLength(2)
      expect(stderr.match(/"event":"table\.no_deduplication"/g)).toHaveLength(1)
      expect(stderr).toContain(`ALTER TABLE \`default\`.\`${table}\` MODIFY SETTING non_replicated_deduplication_window = 10000`)
      expect(await stored()).toEqual([0, 1])
      const [{years}] = (await query(`SELECT min(toYear(ingest_time)) AS years FROM ${table}`)) as [{years: number}]
      expect(years).toBe(new Date().getUTCFullYear())
    })

    test('the embedded engine takes the place of a server, also over CLICKHOUSE_HOST', async () => {
      const {env, run} = await scene(events(5))
      const {CLICKHOUSE_URL: _, ...others} = env
      const folder = join(newFolder(), 'engine')
      const embedded = ['--until-end', '--embedded', folder, '--json']
      const options = {env: {...others, CLICKHOUSE_HOST: '127.0.0.1', UCS_CLICKHOUSE_PORT: '1'}}
      expect((await run(embedded, options)).json()).toMatchObject({ok: true, ledger: {read: 5, written: 5}})
      expect((await run(embedded, options)).json()).toMatchObject({ok: true, ledger: {read: 0}})
    })

    describe('the embedded engine, which would take what stands on standard input for the rest of each insert,', () => {
      /** One process has a folder open at a time, so another one looks into it. */
      const storedIn = async (folder: string, table: string) => {
        const look = `import {Session} from 'chdb'; process.stdout.write(new Session(process.argv[1]).query('SELECT co FROM ' + process.argv[2] + ' ORDER BY co', 'CSV'))`
        const {stdout} = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', look, folder, table])
        return stdout.trim().split('\n').map(Number)
      }

      test('gets each line of an input that is longer than a pipe', async () => {
        const count = 5000
        const {run, table} = await scene()
        const folder = join(newFolder(), 'engine')
        const args = ['--input', '-', '--embedded', folder, '--batch-size', '50', '--json']
        const {json} = await run(args, {input: `${events(count).join('\n')}\n`})
        expect(json()).toMatchObject({ok: true, ledger: {read: count, written: count}})
        expect(await storedIn(folder, table)).toEqual(upTo(count))
      })

      test('does not take an input that breaks off for one that has ended', async () => {
        const {start} = await scene()
        const {child, result} = start(['--input', '-', '--embedded', join(newFolder(), 'engine')])
        child.stdin.write(`${events(3).join('\n')}\n`)
        const findRelay = async () => {
          const children = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
          expect(children).not.toBe('')
          return Number(children)
        }
        const relay = await vi.waitFor(findRelay, {timeout: 20_000})
        process.kill(relay, 'SIGKILL')
        expect(await result).toMatchObject({code: 74, stderr: expect.stringContaining('reading stdin failed: it broke off') as string})
      })

      test('gets nothing of it where a topic is read', async () => {
        const {run, table} = await scene(events(3))
        const folder = join(newFolder(), 'engine')
        const {json} = await run(['--until-end', '--embedded', folder, '--json'], {input: `${events(3, 7).join('\n')}\n`})
        expect(json()).toMatchObject({ok: true, ledger: {read: 3, written: 3}})
        expect(await storedIn(folder, table)).toEqual(upTo(3))
      })
    })

    test('a typed host is stronger than a URL in the environment', async () => {
      const {env, run, stored} = await scene(events(2))
      const {hostname, port} = new URL(engine.facade.url)
      const args = ['--until-end', '--clickhouse-host', hostname, '--clickhouse-port', port]
      expect((await run(args, {env: {...env, CLICKHOUSE_URL: 'http://127.0.0.1:1'}})).code).toBe(0)
      expect(await stored()).toEqual([0, 1])
    })

    test('user and password in the URL count, and are printed nowhere', async () => {
      const {env, run, stored} = await scene(events(2))
      const url = engine.facade.url.replace('//', '//default:secret@')
      const {code, stderr} = await run(['--until-end', '--log-level', 'debug'], {
        env: {...env, CLICKHOUSE_PASSWORD: '', CLICKHOUSE_URL: url},
      })
      expect(code).toBe(0)
      expect(stderr).not.toContain('secret')
      for (const line of stderr.split('\n')) expect(line).toMatch(/^(\{.*\}|kafka-to-clickhouse: .*|)$/)
      expect(await stored()).toEqual([0, 1])
    })
  })

  describe.concurrent('exits the same with and without --json:', () => {
    interface Fault {
      readonly name: string
      readonly args: readonly string[]
      readonly env?: Readonly<Record<string, string>>
      readonly exit: number
      readonly error: {readonly code: string; readonly message: string; readonly suggestion: string}
    }

    test.for<Fault>([
      {
        name: 'a wrong password',
        args: [],
        env: {CLICKHOUSE_PASSWORD: 'S3cret'},
        exit: 77,
        error: {
          code: 'AUTH',
          message: 'Authentication failed',
          suggestion: 'Check --clickhouse-user and --clickhouse-password, or CLICKHOUSE_USER and CLICKHOUSE_PASSWORD',
        },
      },
      {
        name: 'a missing table, --no-create-table',
        args: ['--no-create-table', '--table', 'nowhere'],
        exit: 69,
        error: {code: 'NOT_FOUND', message: 'has no table default.nowhere', suggestion: 'Create it with the output of --print-ddl'},
      },
      {
        name: 'a missing database',
        args: ['--clickhouse-database', 'nowhere'],
        exit: 69,
        error: {code: 'NOT_FOUND', message: 'Database nowhere does not exist', suggestion: 'Check --table and --clickhouse-database'},
      },
      {
        name: 'a server that is not there',
        args: ['--clickhouse-url', 'http://127.0.0.1:1', '--retry-for', '0'],
        exit: 69,
        error: {code: 'UNAVAILABLE', message: 'http://127.0.0.1:1 cannot be reached', suggestion: 'Is the server running?'},
      },
      {
        name: 'exactly-once from standard input',
        args: ['--delivery', 'exactly-once', '--input', '-'],
        exit: 2,
        error: {code: 'USAGE', message: '--delivery exactly-once needs messages from a broker', suggestion: ''},
      },
      {
        name: 'a server and the engine at once',
        args: ['--clickhouse-url', 'http://127.0.0.1:1', '--embedded', 'engine'],
        exit: 2,
        error: {code: 'USAGE', message: '--clickhouse-url and --embedded exclude each other', suggestion: ''},
      },
    ])('$exit for $name', async ({args, env: more, exit, error}) => {
      const {env, run} = await scene()
      const given = args.includes('--input') ? args : ['--until-end', ...args]
      const [plain, withJson] = await Promise.all([[], ['--json']].map((json) => run([...given, ...json], {env: {...env, ...more}})))
      expect([plain!.code, withJson!.code]).toEqual([exit, exit])
      expect(plain!.stdout).toBe('')
      expect(plain!.stderr).toContain(error.message)
      expect(plain!.stderr).toContain(error.suggestion)
      expect(plain!.stderr + withJson!.stderr + withJson!.stdout).not.toContain('S3cret')
      const {ok, exitCode, error: described} = withJson!.json()
      expect({ok, exitCode, code: described?.code}).toEqual({ok: false, exitCode: exit, code: error.code})
      expect(described!.message).toContain(error.message)
    })
  })

  test('prints with --print-ddl a statement that the engine takes, and connects to nothing', async () => {
    const {env, run} = await scene()
    const args = ['--delivery', 'exactly-once', '--table', newTableName()]
    const {code, stdout} = await run([...args, '--print-ddl'], {env: {...env, CLICKHOUSE_URL: 'http://127.0.0.1:1'}})
    expect(code).toBe(0)
    await engine.client.command(stdout, never)
    expect((await run([...args, '--until-end', '--no-create-table'])).code).toBe(0)
  })
})

/** "2020-07-12 00:01:46.869", as the engine prints a time of a column in UTC. */
const asIso = (text: string) => `${text.replace(' ', 'T')}Z`
