import {readFileSync, symlinkSync, writeFileSync} from 'node:fs'
import {connect, createServer} from 'node:net'
import {join} from 'node:path'
import {afterAll, beforeAll, describe, expect, test, vi} from 'vitest'
import {type CliOptions, startUcs, ucs} from '../commands/cli.ts'
import {freePorts} from '../services/free-ports.ts'
import {describeWith, useInflux, useKafka} from '../services/use.ts'
import {useFolders} from './folders.ts'
import {readiness, untilMetric} from './health.ts'
import {type Bucket, newBucket} from './influx-bucket.ts'
import {type Cluster, connectCluster} from './kafka-cluster.ts'
import type {TestValue} from './records.ts'

/** Reading `number` of a plant, so many seconds after the first. */
const reading = (number: number, more: Readonly<Record<string, unknown>> = {}) => {
  const clock = `10:${String(Math.floor(number / 60)).padStart(2, '0')}:${String(number % 60).padStart(2, '0')} AM`
  const label = number % 2 === 0 ? 'Normal' : 'A ttack'
  return JSON.stringify({Timestamp: `28/12/2015 ${clock}`, FIT101: `${number}.5`, MV101: String(number), Normal_Attack: label, ...more})
}
const readings = (count: number, first = 0) => Array.from({length: count}, (_, index) => reading(first + index))
const FIRST = Date.UTC(2015, 11, 28, 10)
const timeOf = (number: number) => new Date(FIRST + number * 1000).toISOString().replace('.000Z', 'Z')
const upTo = (count: number) => Array.from({length: count}, (_, index) => index)

describeWith('kafka', 'influx')('kafka-to-influx', () => {
  const newFolder = useFolders()
  /** Where `full.ndjson` is a file that never has room. */
  const newCwd = () => {
    const cwd = newFolder()
    symlinkSync('/dev/full', join(cwd, 'full.ndjson'))
    return cwd
  }

  let records: Cluster
  beforeAll(async () => {
    records = await connectCluster(useKafka().address)
  })
  afterAll(() => records.close())

  const servers = () => {
    const {url, org, token} = useInflux()
    return {KAFKA_BROKER: useKafka().address, INFLUX_URL: url, INFLUX_ORG: org, INFLUX_TOKEN: token}
  }

  interface SceneOptions {
    readonly values?: readonly TestValue[]
    readonly partitions?: number
    readonly bucket?: Bucket
  }

  /** A topic with these messages, a bucket, and runs that lead from one to the other. */
  async function scene({values = [], partitions = 1, bucket: given}: SceneOptions = {}) {
    const [topic, bucket] = await Promise.all([records.newTopic({values, partitions}), given ?? newBucket()])
    const env = {...servers(), KAFKA_TOPIC: topic, INFLUX_BUCKET: bucket.name, UCS_GROUP: topic}
    const cwd = newCwd()
    return {
      topic,
      bucket,
      env,
      cwd,
      start: (args: readonly string[], options: CliOptions = {}) => startUcs(['kafka-to-influx', ...args], {env, cwd, ...options}),
      run: (args: readonly string[], options: CliOptions = {}) => ucs(['kafka-to-influx', ...args], {env, cwd, ...options}),
      committed: () => records.committed(topic, topic),
      /** The readings that are stored, by number. */
      async stored() {
        const values = await bucket.stored()
        return values
          .filter(({_field}) => _field === 'MV101')
          .map(({_value}) => Number(_value))
          .sort((a, b) => a - b)
      },
    }
  }

  describe.concurrent('goes from a topic to a bucket:', () => {
    test("runs the seed's own line until a signal: points, float fields, both states, and the times to the second", async () => {
      const {topic, bucket, cwd, stored, committed} = await scene({values: readings(25)})
      const {url, org, token} = useInflux()
      const line = `--bootstrap ${useKafka().address} --topic ${topic} --influx-url ${url} --influx-org ${org} --influx-bucket ${bucket.name} --token ${token} --batch-size 50`
      const [port] = (await freePorts(1)) as [number]
      const {child, result} = startUcs(['kafka-to-influx', ...line.split(' '), '--group', topic], {
        cwd,
        env: {HEALTH_CHECK_PORT: String(port)},
      })
      await untilMetric(port, 'ucs_messages_written_total', 25)
      expect(await readiness(port)).toEqual({status: 200, text: 'ok'})
      child.kill('SIGTERM')
      const {code, stdout, stderr} = await result
      expect({code, stdout}).toEqual({code: 0, stdout: ''})
      expect(stderr).toContain('kafka-to-influx: read 25 written 25 ')
      expect(stderr).not.toContain(token)
      expect(await committed()).toEqual([25])
      expect(await stored()).toEqual(upTo(25))
      const values = await bucket.stored()
      expect(values).toHaveLength(50)
      for (const number of [0, 7, 24]) {
        const point = values.filter(({_time}) => _time === timeOf(number))
        expect(point.map(({_measurement, status, _field, _value}) => [_measurement, status, _field, _value])).toEqual([
          ['swat_sensor_data', number % 2 === 0 ? 'Normal' : 'Attack', 'FIT101', `${number}.5`],
          ['swat_sensor_data', number % 2 === 0 ? 'Normal' : 'Attack', 'MV101', String(number)],
        ])
      }
    })

    test('--until-end twice: the second run finds nothing new, and both say so in one JSON object', async () => {
      const {run} = await scene({values: readings(12)})
      const nothing = {filtered: 0, rejected: 0, printed: 0, unacknowledged: 0, collapsed: 0, filteredBy: {}, rejectedBy: {}}
      expect((await run(['--until-end', '--json'])).json()).toEqual({
        command: 'kafka-to-influx',
        ok: true,
        exitCode: 0,
        durationMilliseconds: expect.any(Number) as number,
        ledger: {read: 12, written: 12, rows: 12, ...nothing},
        observations: {},
        staleAcknowledgements: 0,
        lostToRetention: 0,
      })
      expect((await run(['--until-end', '--json'])).json().ledger).toEqual({read: 0, written: 0, rows: 0, ...nothing})
    })

    test('--max-messages N stops inside a chunk and commits exactly N: the next run begins at N', async () => {
      const {run, stored, committed} = await scene({values: readings(100)})
      expect((await run(['--max-messages', '7', '--json'])).json().ledger).toMatchObject({read: 7, written: 7})
      expect(await committed()).toEqual([7])
      expect(await stored()).toEqual(upTo(7))
      expect((await run(['--max-messages', '60', '--batch-size', '9', '--json'])).json().ledger).toMatchObject({read: 60, written: 60})
      expect(await committed()).toEqual([67])
      expect((await run(['--until-end', '--json'])).json().ledger).toMatchObject({read: 33, written: 33})
      expect(await stored()).toEqual(upTo(100))
    })

    test('--max-messages counts the messages of all partitions, and the next run reads exactly the others', async () => {
      const {topic, run, stored} = await scene({partitions: 3})
      for (const partition of [0, 1, 2]) await records.send(topic, readings(10, partition * 10), partition)
      expect((await run(['--max-messages', '13', '--json'])).json().ledger).toMatchObject({read: 13, written: 13})
      expect((await run(['--until-end', '--json'])).json().ledger).toMatchObject({read: 17, written: 17})
      expect(await stored()).toEqual(upTo(30))
    })

    test('--max-time ends a run that would wait for ever, with what it has read written and committed', async () => {
      const {run, stored, committed} = await scene({values: readings(5)})
      const {code, json} = await run(['--max-time', '8s', '--json'])
      expect(code).toBe(0)
      expect(json().ledger).toMatchObject({read: 5, written: 5})
      expect(await stored()).toEqual(upTo(5))
      expect(await committed()).toEqual([5])
    })

    test('--dry-run prints the lines, needs no token, and neither writes nor commits', async () => {
      const {run, env, stored, committed} = await scene({values: readings(4)})
      const {code, stdout} = await run(['--until-end', '--dry-run'], {env: {...env, INFLUX_TOKEN: ''}})
      expect(code).toBe(0)
      const lines = upTo(4).map((number) => {
        const status = number % 2 === 0 ? 'Normal' : 'Attack'
        return `swat_sensor_data,status=${status} FIT101=${number}.5,MV101=${number} ${FIRST + number * 1000}000000\n`
      })
      expect(stdout).toBe(lines.join(''))
      expect(await stored()).toEqual([])
      expect(await committed()).toEqual([-1])
    })

    test('a new group begins at the earliest message, whatever another has read', async () => {
      const {topic, run} = await scene({values: readings(6)})
      await run(['--until-end'])
      expect((await run(['--until-end', '--group', `${topic}-2`, '--json'])).json().ledger).toMatchObject({read: 6, written: 6})
    })

    test('exits 69 where retention has taken what was to be read next, also in a dry run; earliest goes on with the rest, and counts', async () => {
      const {topic, run, stored, committed} = await scene({values: readings(10)})
      await run(['--max-messages', '2'])
      await records.deleteBefore(topic, 0, 7)
      const {code, json} = await run(['--until-end', '--json'])
      expect({code, error: json().error, ledger: json().ledger}).toMatchObject({
        code: 69,
        error: {code: 'UNAVAILABLE', message: expect.stringContaining('5 records of partition 0') as string},
        ledger: {read: 0},
      })
      expect((await run(['--until-end', '--dry-run', '--on-offset-gap', 'earliest'])).code).toBe(0)
      expect(await committed()).toEqual([2])
      const last = await run(['--until-end', '--on-offset-gap', 'earliest', '--json'])
      expect({code: last.code, ...last.json()}).toMatchObject({code: 0, lostToRetention: 5, staleAcknowledgements: 0, ledger: {written: 3}})
      expect(await stored()).toEqual([0, 1, 7, 8, 9])
    })

    test('stores a message that comes alone, when --flush-interval is over', async () => {
      const {topic, start, stored} = await scene()
      const [port] = (await freePorts(1)) as [number]
      const {child, result} = start(['--flush-interval', '100ms', '--health-port', String(port)])
      await records.send(topic, readings(1))
      await untilMetric(port, 'ucs_messages_written_total', 1)
      expect(await stored()).toEqual([0])
      child.kill('SIGTERM')
      expect((await result).code).toBe(0)
    })

    test('takes everything from a .env file, the token in single quotes, and prints it nowhere', async () => {
      const {env, cwd} = await scene({values: readings(3)})
      const lines = Object.entries(env).map(([name, value]) => (name === 'INFLUX_TOKEN' ? `${name}='${value}'` : `export ${name}=${value}`))
      writeFileSync(join(cwd, '.env'), `# servers\r\n${lines.join('\r\n')} # the last\r\n`)
      const {code, stdout, stderr} = await ucs(['kafka-to-influx', '--until-end', '--log-level', 'debug'], {cwd})
      expect({code, stdout}).toEqual({code: 0, stdout: ''})
      expect(stderr).toContain('read 3 written 3 ')
      expect(stderr).not.toContain(env.INFLUX_TOKEN)
    })

    test('takes the address from INFLUX_HOST, and packs what it sends with --compression gzip', async () => {
      const {env, run, stored} = await scene({values: readings(3)})
      const {INFLUX_URL, ...others} = env
      expect((await run(['--until-end', '--compression', 'gzip'], {env: {...others, INFLUX_HOST: INFLUX_URL}})).code).toBe(0)
      expect(await stored()).toEqual(upTo(3))
    })

    test('waits for a server that is not there yet, and goes on when it is', async () => {
      const {env, start, stored} = await scene({values: readings(3)})
      const [port, health] = (await freePorts(2)) as [number, number]
      const args = ['--flush-interval', '0', '--health-port', String(health)]
      const {child, result, output} = start(args, {env: {...env, INFLUX_URL: `http://127.0.0.1:${port}`}})
      await vi.waitFor(() => expect(output().stderr).toContain('"event":"retry"'), {timeout: 10_000})
      expect(await readiness(health)).toEqual({status: 503, text: 'not connected'})
      const {hostname, port: target} = new URL(env.INFLUX_URL)
      const proxy = createServer((client) => void client.pipe(connect(Number(target), hostname)).pipe(client)).listen(port, '127.0.0.1')
      await untilMetric(health, 'ucs_messages_written_total', 3)
      child.kill('SIGTERM')
      expect((await result).code).toBe(0)
      expect(await stored()).toEqual(upTo(3))
      proxy.close()
    })

    test('after the first success waits out a refused token, is not ready meanwhile, and goes on when the file is right again', async () => {
      const {topic, env, cwd, start, stored, committed} = await scene({values: readings(1)})
      const file = join(cwd, 'token')
      writeFileSync(file, `${env.INFLUX_TOKEN}\n`)
      const [port] = (await freePorts(1)) as [number]
      const args = ['--token-file', file, '--flush-interval', '0', '--retry-for', '5s', '--health-port', String(port), '--json']
      const {child, result} = start(args, {env: {...env, INFLUX_TOKEN: ''}})
      await untilMetric(port, 'ucs_messages_written_total', 1)
      writeFileSync(file, 'rotated')
      await records.send(topic, [reading(1)])
      await vi.waitFor(
        async () => expect(await readiness(port)).toMatchObject({status: 503, text: expect.stringContaining('401') as string}),
        {timeout: 20_000},
      )
      expect(await committed()).toEqual([1])
      writeFileSync(file, env.INFLUX_TOKEN)
      await untilMetric(port, 'ucs_messages_written_total', 2)
      expect(await readiness(port)).toEqual({status: 200, text: 'ok'})
      child.kill('SIGTERM')
      const {code, json} = await result
      expect(code).toBe(0)
      expect(json().ledger).toMatchObject({read: 2, written: 2, unacknowledged: 0})
      expect(await stored()).toEqual([0, 1])
    })
  })

  describe.concurrent('rejects', () => {
    test('to a topic: key, headers and bytes as they came, and what was wrong in headers of ours', async () => {
      const letter = {key: 'k1', value: 'hello', headers: {trace: 'abc'}}
      const {topic, run} = await scene({values: [reading(0), letter, reading(2)]})
      const rejects = await records.newTopic()
      const {code, stderr} = await run(['--until-end', '--dead-letter', `kafka:${rejects}`])
      expect(code).toBe(3)
      expect(stderr).toContain(`error: 1 of 3 records were rejected: they are in topic ${rejects}`)
      const [stored, ...others] = await records.read(rejects)
      expect(others).toEqual([])
      expect(stored).toMatchObject({key: 'k1', value: 'hello'})
      expect(stored!.headers).toEqual({
        trace: 'abc',
        'ucs-time': expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string,
        'ucs-command': 'kafka-to-influx',
        'ucs-topic': topic,
        'ucs-partition': '0',
        'ucs-offset': '1',
        'ucs-reason': 'malformed JSON',
        'ucs-message': expect.stringContaining('hello') as string,
      })
    })

    test('to a file: topic, partition, offset, key and headers', async () => {
      const {topic, cwd, run} = await scene({partitions: 2})
      await records.send(topic, [reading(0), {key: 'k1', value: 'hello', headers: {trace: 'abc'}}], 1)
      expect((await run(['--until-end'])).code).toBe(3)
      const [line] = readFileSync(join(cwd, 'dead-letters/kafka-to-influx.ndjson'), 'utf8').trim().split('\n')
      const place = {topic, partition: 1, offset: '1', index: null}
      expect(JSON.parse(line!)).toMatchObject({...place, key: 'k1', headers: {trace: 'abc'}, value: 'hello'})
    })

    test('a number whose field has another type in the bucket; --on-type-conflict coerce stores it where nothing is lost', async () => {
      const {topic, bucket, run} = await scene({values: [...readings(3), reading(3, {MV101: '2.5'})]})
      await writeLine(bucket, `swat_sensor_data,status=Normal MV101=7i ${FIRST}000000`)
      const rejecting = await run(['--until-end', '--json'])
      expect(rejecting.code).toBe(3)
      expect(rejecting.json().ledger).toMatchObject({read: 4, written: 0, rejected: 4, rejectedBy: {'type conflict': 4}})
      const coercing = await run(['--until-end', '--on-type-conflict', 'coerce', '--group', `${topic}-2`, '--json'])
      expect(coercing.code).toBe(3)
      expect(coercing.json().ledger).toMatchObject({read: 4, written: 3, rejected: 1, rejectedBy: {'type conflict': 1}})
      const stored = (await bucket.stored()).filter(({_field}) => _field === 'MV101')
      expect(new Set(stored.map(({_value}) => _value))).toEqual(new Set(['0', '1', '2']))
    })

    test('no integer that --on-type-conflict coerce can store digit for digit', async () => {
      const integers = ['9007199254740992', '9007199254740993', '9223372036854775807', '-9223372036854775808']
      const row = (name: string, text: string, second: number) => `{"Timestamp":${1450000000 + second},"${name}":${text}}`
      const values = [
        ...integers.map((text, index) => row('signed', index === 2 ? `"${text}"` : text, index)),
        row('unsigned', '18446744073709551615', 4),
        row('signed', '9223372036854775808', 5),
      ]
      const {cwd, bucket, run} = await scene({values})
      await writeLine(bucket, 'swat_sensor_data signed=0i,unsigned=0u 1450000100000000000')
      const {code, json} = await run(['--until-end', '--on-type-conflict', 'coerce', '--json'])
      expect(code).toBe(3)
      expect(json().ledger).toMatchObject({read: 6, written: 5, rejected: 1, rejectedBy: {'type conflict': 1}})
      const stored = await bucket.stored()
      const valuesOf = (name: string) => stored.filter(({_field}) => _field === name).map(({_value}) => _value)
      expect(valuesOf('signed').sort()).toEqual([...integers, '0'].sort())
      expect(valuesOf('unsigned').sort()).toEqual(['0', '18446744073709551615'])
      expect(readFileSync(join(cwd, 'dead-letters/kafka-to-influx.ndjson'), 'utf8')).toContain('cannot be converted without loss')
    })

    test('a point that is older than the bucket keeps, and stores the others of its batch', async () => {
      const now = new Date().toISOString()
      const bucket = await newBucket({retentionSeconds: 3600, shardSeconds: 3600})
      const {run, stored} = await scene({bucket, values: [reading(1), JSON.stringify({Timestamp: now, MV101: 2}), reading(3)]})
      const {code, json} = await run(['--until-end', '--json'])
      expect(code).toBe(3)
      expect(json().ledger).toMatchObject({read: 3, written: 1, rejected: 2, rejectedBy: {'outside retention': 2}})
      expect(await stored()).toEqual([2])
    })

    test('no unreadable time with --on-bad-timestamp broker: it takes the time of the message', async () => {
      const before = Date.now()
      const {bucket, run} = await scene({values: [JSON.stringify({Timestamp: 'yesterday', MV101: 1})]})
      expect((await run(['--until-end', '--on-bad-timestamp', 'broker'])).code).toBe(0)
      const [point] = await bucket.stored()
      expect(Date.parse(point!._time)).toBeGreaterThanOrEqual(before)
      expect(Date.parse(point!._time)).toBeLessThanOrEqual(Date.now())
    })
  })

  describe.concurrent('exits the same with and without --json:', () => {
    interface Fault {
      readonly name: string
      readonly args: readonly string[]
      readonly env?: Readonly<Record<string, string>>
      readonly exit: number
      readonly error: {readonly code: string; readonly message: string; readonly suggestion?: string}
    }

    test.for<Fault>([
      {
        name: 'a wrong token',
        args: [],
        env: {INFLUX_TOKEN: 'S3cret'},
        exit: 77,
        error: {code: 'AUTH', message: '401: unauthorized access', suggestion: 'Check --token, --token-file or INFLUX_TOKEN'},
      },
      {
        name: 'a bucket that is not there',
        args: ['--influx-bucket', 'nowhere'],
        exit: 69,
        error: {code: 'NOT_FOUND', message: 'bucket "nowhere" not found', suggestion: 'Create it with ucs buckets create, or name another'},
      },
      {
        name: 'an organisation that is not there',
        args: ['--influx-org', 'nobody'],
        exit: 69,
        error: {code: 'NOT_FOUND', message: 'organization name "nobody" not found', suggestion: 'Check --influx-org or INFLUX_ORG'},
      },
      {
        name: 'a topic that is not there',
        args: ['--topic', 'test-nowhere'],
        exit: 69,
        error: {code: 'NOT_FOUND', message: 'there is no such topic', suggestion: 'Create the topic, or check --topic or KAFKA_TOPIC'},
      },
      {
        name: 'a broker that is not there',
        args: ['--broker', '127.0.0.1:1', '--retry-for', '0'],
        exit: 69,
        error: {code: 'UNAVAILABLE', message: 'connect ECONNREFUSED 127.0.0.1:1', suggestion: 'Is the broker running?'},
      },
      {
        name: 'no broker until --max-time is over',
        args: ['--broker', '127.0.0.1:1', '--max-time', '300ms'],
        exit: 69,
        error: {code: 'UNAVAILABLE', message: 'the time was over before 127.0.0.1:1 let us in', suggestion: 'Is the broker running?'},
      },
      {
        name: 'a full disk for dead letters',
        args: ['--dead-letter', 'full.ndjson'],
        exit: 74,
        error: {code: 'IO', message: 'writing dead letters to full.ndjson failed: ENOSPC', suggestion: 'Make room or name another file'},
      },
      {
        name: 'a rejected record, --dead-letter none',
        args: ['--dead-letter', 'none'],
        exit: 3,
        error: {code: 'PARTIAL', message: 'and --dead-letter is none', suggestion: 'Name a file or kafka:TOPIC with --dead-letter'},
      },
      {
        name: 'rejected records',
        args: [],
        exit: 3,
        error: {code: 'PARTIAL', message: '1 of 2 records were rejected: they are in ./dead-letters/kafka-to-influx.ndjson'},
      },
      {name: 'a bad value', args: ['--max-time', 'soon'], exit: 2, error: {code: 'USAGE', message: '--max-time: expected a duration'}},
    ])('$exit for $name', async ({args, env: more, exit, error}) => {
      const {topic, env, run} = await scene({values: [reading(0), 'hello']})
      const given = args.includes('soon') ? args : ['--until-end', ...args]
      const [plain, withJson] = await Promise.all(
        [[], ['--json']].map((json, index) =>
          run([...given, ...json, '--group', `${topic}-${index}`], {env: {...env, ...more}, cwd: newCwd()}),
        ),
      )
      expect([plain!.code, withJson!.code]).toEqual([exit, exit])
      expect(plain!.stdout).toBe('')
      expect(plain!.stderr).toMatch(/^error: /m)
      expect(plain!.stderr).toContain(error.message)
      expect(plain!.stderr).toContain(error.suggestion ?? '')
      expect(plain!.stderr + withJson!.stderr + withJson!.stdout).not.toContain('S3cret')
      const {ok, exitCode, error: described} = withJson!.json()
      expect({ok, exitCode, code: described?.code}).toEqual({ok: false, exitCode: exit, code: error.code})
      expect(described!.message).toContain(error.message)
      expect(described!.suggestion ?? '').toContain(error.suggestion ?? '')
    })

    test('77 for a token that may read only, and names what it lacks', async () => {
      const {bucket, env, run} = await scene()
      const {code, json} = await run(['--until-end', '--json'], {env: {...env, INFLUX_TOKEN: await bucket.readOnlyToken()}})
      expect(code).toBe(77)
      expect(json().error!.suggestion).toBe(`Give the token in --token or INFLUX_TOKEN the permission to write to bucket "${bucket.name}"`)
    })

    test('74 leaves the rejected record unacknowledged: the next run reads it again', async () => {
      const {run, committed} = await scene({values: ['hello']})
      await run(['--until-end', '--dead-letter', 'full.ndjson'])
      expect(await committed()).toEqual([-1])
      expect((await run(['--until-end', '--json'])).json().ledger).toMatchObject({read: 1, rejected: 1})
      expect(await committed()).toEqual([1])
    })
  })
})

async function writeLine({name}: Bucket, line: string): Promise<void> {
  const {url, org, token} = useInflux()
  const query = new URLSearchParams({org, bucket: name})
  const answer = await fetch(`${url}/api/v2/write?${query.toString()}`, {
    method: 'POST',
    body: line,
    headers: {authorization: `Token ${token}`},
  })
  if (!answer.ok) throw new Error(await answer.text())
}
