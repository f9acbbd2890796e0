import {once} from 'node:events'
import {afterAll, beforeAll, describe, expect, test, vi} from 'vitest'
import {startUcs, ucs} from '../commands/cli.ts'
import type {FacadeExchange, FacadeHook} from '../services/clickhouse-facade.ts'
import {freePorts} from '../services/free-ports.ts'
import {describeWith, useInflux, useKafka} from '../services/use.ts'
import {useFolders} from './folders.ts'
import {untilMetric} from './health.ts'
import {newBucket} from './influx-bucket.ts'
import {connectRecords, type Records} from './records.ts'
import {type Engine, newTableName, startEngine} from './sensor-table.ts'

/** Reading `number`: its value tells it from the others. */
const event = (number: number) =>
  JSON.stringify({
    data: {co: number, humidity: 1, light: false, lpg: 1, motion: true, smoke: 1, temp: 1},
    device_id: 'a',
    ts: 1_594_512_000 + number,
  })
const events = (count: number, first = 0) => Array.from({length: count}, (_, index) => event(first + index))
const upTo = (count: number) => Array.from({length: count}, (_, index) => index)
/** The table that an exchange inserts into, if it inserts. */
const tableOfInsert = ({parameters}: FacadeExchange) => /^INSERT INTO `default`\.`(\w+)`/.exec(parameters.get('query') ?? '')?.[1]

describeWith('kafka', 'clickhouse')('a run that gets a signal,', () => {
  const newFolder = useFolders()
  const insertHooks = new Map<string, FacadeHook>() // by table
  let records: Records
  let engine: Engine
  beforeAll(async () => {
    ;[records, engine] = await Promise.all([connectRecords(useKafka().address), startEngine()])
    engine.setHook(async (exchange) => (await insertHooks.get(tableOfInsert(exchange) ?? '')?.(exchange)) ?? false)
  })
  afterAll(async () => {
    await records.close()
    await engine.close()
  })

  /** A topic with so many readings, a table, and the arguments that lead from one to the other. */
  async function scene(count: number) {
    const [topic, table] = [await records.newTopic({values: events(count)}), newTableName()]
    const args = ['kafka-to-clickhouse', '--topic', topic, '--group', topic, '--table', table, '--json']
    const cwd = newFolder()
    const env = {KAFKA_BROKER: useKafka().address, CLICKHOUSE_URL: engine.facade.url, CLICKHOUSE_PASSWORD: 'secret'}
    return {
      topic,
      table,
      start: (...more: readonly string[]) => startUcs([...args, ...more], {env, cwd}),
      run: (...more: readonly string[]) => ucs([...args, ...more], {env, cwd}),
      committed: () => records.committed(topic, topic),
      async stored() {
        const rows = await engine.client.query<{co: number}>(`SELECT co FROM \`${table}\` ORDER BY co`, {}, new AbortController().signal)
        return rows.map(({co}) => co)
      },
    }
  }

  /** The next insert into the table is stored or is not, and in either case never answered. Resolves when it has come. */
  function holdNextInsert(table: string, fate: 'stored' | 'not stored'): Promise<unknown> {
    const {promise, resolve} = Promise.withResolvers<undefined>()
    insertHooks.set(table, async (exchange) => {
      insertHooks.delete(table)
      if (fate === 'stored') await exchange.perform()
      resolve(undefined)
      return true
    })
    return promise
  }

  describe.concurrent('of kafka-to-clickhouse', () => {
    test.for<[signal: NodeJS.Signals]>([['SIGTERM'], ['SIGINT']])(
      'writes what it has read, commits it and exits 0 on %s, though its batch was not full',
      async ([signal]) => {
        const {start, stored, committed} = await scene(3)
        const [port] = (await freePorts(1)) as [number]
        const {child, result} = start('--flush-interval', '1h', '--health-port', String(port))
        await untilMetric(port, 'ucs_messages_read_total', 3)
        expect(await stored()).toEqual([])
        child.kill(signal)
        const {code, json} = await result
        expect(code).toBe(0)
        expect(json()).toMatchObject({ok: true, exitCode: 0, ledger: {read: 3, written: 3, unacknowledged: 0}})
        expect(await stored()).toEqual(upTo(3))
        expect(await committed()).toEqual([3])
      },
    )

    test('exits 69 when the server does not take it within --shutdown-timeout, and the next run reads it again', async () => {
      const {table, start, run, stored, committed} = await scene(3)
      const held = holdNextInsert(table, 'not stored')
      const {child, result} = start('--flush-interval', '0', '--shutdown-timeout', '300ms')
      await held
      child.kill('SIGTERM')
      const {code, json} = await result
      expect(code).toBe(69)
      expect(json()).toMatchObject({
        exitCode: 69,
        ledger: {read: 3, written: 0, unacknowledged: 3},
        error: {
          code: 'UNAVAILABLE',
          message: 'not drained within 0.3 s of SIGTERM; 3 records left unacknowledged, they will be read again',
        },
      })
      expect(await committed()).toEqual([-1])
      expect((await run('--until-end')).json().ledger).toMatchObject({read: 3, written: 3})
      expect(await stored()).toEqual(upTo(3))
    })

    test('stops at once on a second one, exits 130, and the next run reads it again', async () => {
      const {table, start, run, stored} = await scene(3)
      const held = holdNextInsert(table, 'not stored')
      const {child, result} = start('--flush-interval', '0')
      await held
      child.kill('SIGTERM')
      child.kill('SIGINT')
      const {code, json} = await result
      expect(code).toBe(130)
      expect(json().error!.message).toMatch(
        /^stopped at once by a second signal \((SIGTERM|SIGINT)\); 3 records left unacknowledged, they will be read again$/,
      )
      expect((await run('--until-end')).json().ledger).toMatchObject({read: 3, written: 3})
      expect(await stored()).toEqual(upTo(3))
    })

    test('with a limit exits 130, having committed what it wrote, and the next run stores exactly the rest', async () => {
      const {table, start, run, stored, committed} = await scene(5000)
      const [second, stopped] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()]
      let inserts = 0
      insertHooks.set(table, async () => {
        if (++inserts < 2) return false
        second.resolve(undefined)
        await stopped.promise
        return false
      })
      const {child, result} = start('--until-end', '--batch-size', '500', '--in-flight', '1')
      await second.promise
      child.kill('SIGTERM')
      stopped.resolve(undefined)
      const {code, json} = await result
      expect(code).toBe(130)
      const {written, unacknowledged} = json().ledger!
      expect(json().error).toMatchObject({code: 'INTERRUPTED', message: 'stopped by SIGTERM: what was read is written'})
      expect(unacknowledged).toBe(0)
      expect(written).toBeLessThan(5000)
      expect(await committed()).toEqual([written])
      expect((await run('--until-end')).json().ledger).toMatchObject({read: 5000 - written, written: 5000 - written})
      expect(await stored()).toEqual(upTo(5000))
    })

    test('is killed after an insert was stored and before it knew: the next run stores nothing twice, and loses nothing', async () => {
      const {topic, table, start, run, stored, committed} = await scene(9)
      const held = holdNextInsert(table, 'stored')
      const {child} = start('--delivery', 'exactly-once', '--batch-size', '4', '--in-flight', '1')
      await held
      child.kill('SIGKILL')
      await once(child, 'close')
      expect(await stored()).toEqual(upTo(4))
      expect(await committed()).toEqual([-1])
      await records.bury(topic)
      const again = await run('--delivery', 'exactly-once', '--batch-size', '3', '--until-end')
      expect(again.json().ledger).toMatchObject({read: 9, written: 9})
      expect(await stored()).toEqual(upTo(9))
    })

    test('is killed with at-least-once: the same batch comes again under its token, and is stored once', async () => {
      const {topic, table, start, run, stored} = await scene(6)
      const held = holdNextInsert(table, 'stored')
      const {child} = start('--batch-size', '3', '--in-flight', '1')
      await held
      child.kill('SIGKILL')
      await once(child, 'close')
      await records.bury(topic)
      await run('--batch-size', '3', '--until-end')
      expect(await stored()).toEqual(upTo(6))
    })

    test('says of an input that nothing of it is read again', async () => {
      const {table, start} = await scene(0)
      const held = holdNextInsert(table, 'not stored')
      const {child, result} = start('--input', '-', '--shutdown-timeout', '100ms')
      child.stdin.end(`${event(0)}\n${event(1)}\n`)
      await held
      child.kill('SIGTERM')
      const {code, json} = await result
      expect(code).toBe(69)
      expect(json().error!.message).toBe('not drained within 0.1 s of SIGTERM; 2 records were not written')
    })
  })
})

describeWith('kafka', 'influx')('a run that is killed in the middle', () => {
  test('has lost nothing once another has gone on: every reading is stored', async () => {
    const records = await connectRecords(useKafka().address)
    const topic = await records.newTopic({values: events(4000)})
    const bucket = await newBucket()
    const {url, org, token} = useInflux()
    const env = {KAFKA_BROKER: useKafka().address, INFLUX_URL: url, INFLUX_ORG: org, INFLUX_TOKEN: token}
    const args = ['kafka-to-influx', '--preset', 'sensors', '--topic', topic, '--group', topic, '--influx-bucket', bucket.name]
    const {child} = startUcs([...args, '--batch-size', '20'], {env})
    const committedSoFar = async () => (await records.committed(topic, topic))[0]
    await vi.waitFor(async () => expect(await committedSoFar()).toBeGreaterThan(0), {timeout: 10_000, interval: 1})
    child.kill('SIGKILL')
    await once(child, 'close')
    const committed = await committedSoFar()
    expect(committed).toBeLessThan(4000)
    await records.bury(topic)
    const {code, json} = await ucs([...args, '--until-end', '--json'], {env})
    expect(code).toBe(0)
    expect(json().ledger).toMatchObject({read: 4000 - committed!, written: 4000 - committed!})
    const stored = await bucket.stored()
    expect(new Set(stored.filter(({_field}) => _field === 'co').map(({_value}) => Number(_value)))).toEqual(new Set(upTo(4000)))
    await records.close()
  })
})
