import {execFile} from 'node:child_process'
import {writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {promisify} from 'node:util'
import {afterAll, afterEach, beforeAll, describe, expect, test} from 'vitest'
import type {Sink} from '../../src/lib/core/types.ts'
import type {ClickHouse} from '../../src/lib/clients/clickhouse.ts'
import type {MessageRows, SensorRow} from '../../src/lib/transforms/to-row.ts'
import type {FacadeExchange} from '../services/clickhouse-facade.ts'
import {openEmbeddedClickHouse} from '../../src/lib/clients/clickhouse-embedded.ts'
import {isolate} from '../../src/lib/core/isolate.ts'
import {IoError, UnavailableError} from '../../src/lib/errors.ts'
import {createStoredPositions} from '../../src/lib/sinks/clickhouse-positions.ts'
import {temporaryFolder} from '../commands/cli.ts'
import {describeWith} from '../services/use.ts'
import {
  type Engine,
  messageOf,
  messagesOf,
  newTableName,
  NOW,
  sensorRow,
  sensorSink,
  type SinkOptions,
  startEngine,
  storedNumbers,
} from './sensor-table.ts'

const never = new AbortController().signal
const context = {token: 't/0/0-9', signal: never}

describeWith('clickhouse')('the ClickHouse sink', () => {
  let engine: Engine
  beforeAll(async () => {
    engine = await startEngine()
  })
  afterEach(() => engine.setHook(undefined))
  afterAll(() => engine.close())

  describe('rows', () => {
    test('hold what they were given, in every type', async () => {
      const {sink, table} = await newSink()
      const row = sensorRow(0, {device_id: 'a"b\n\n; DROP', ts: '1594512106.869', co: 1e-9, light: 1, motion: 0, temp: -19.700000762939453})
      await sink.send([messageOf(0, [row])], context)
      const times = 'toUnixTimestamp64Milli(ts) AS ts, toUnixTimestamp64Milli(ingest_time) AS ingest_time'
      const [stored] = await query<Record<string, unknown>>(`SELECT * EXCEPT (ts, ingest_time), ${times} FROM \`${table}\``)
      expect({...stored, ts: Number(stored!['ts']), ingest_time: Number(stored!['ingest_time'])}).toEqual({
        ...row,
        ts: 1_594_512_106_869,
        ingest_time: NOW,
      })
    })

    test('have their times right to the millisecond in any zone, in our table and in that of the seed', async () => {
      const writer = fileURLToPath(new URL('sensor-writer.ts', import.meta.url))
      const env = {...process.env, TZ: 'Asia/Shanghai'}
      const {stdout} = await promisify(execFile)(process.execPath, [writer, join(temporaryFolder(), 'db')], {env})
      const times = {zone: 'Asia/Shanghai', ts: 1_594_512_106_869, ingest_time: NOW}
      expect(JSON.parse(stdout)).toEqual([
        {table: 'ours', ...times},
        {table: 'seeds', ...times},
      ])
    })

    test('of a message are all refused for one of them, and those of the others stored', async () => {
      const {sink, stored} = await newSink()
      const messages = [
        messageOf(0, [sensorRow(0), sensorRow(1)]),
        messageOf(1, [sensorRow(2), broken(3), sensorRow(4)]),
        messageOf(2, [sensorRow(5)]),
      ]
      const {refused, inserts} = await settle(sink, messages)
      expect(refused).toEqual([
        {index: 1, reason: 'refused row', message: expect.stringContaining('Cannot read floating point value') as string},
      ])
      expect(inserts).toBe(2)
      expect(await stored()).toEqual([0, 1, 5])
    })

    test('are each refused for their own fault, one request after the other', async () => {
      const {sink, stored} = await newSink()
      const messages = messagesOf(0, 20).map((message, index) => (index % 7 === 3 ? messageOf(index, [broken(index)]) : message))
      const {refused, inserts} = await settle(sink, messages)
      expect(refused.map(({index}) => index)).toEqual([3, 10, 17])
      expect(inserts).toBe(4)
      expect(await stored()).toHaveLength(17)
    })

    test('that violate a constraint of the table are refused by themselves', async () => {
      const {sink, table, stored} = await newSink()
      await command(`ALTER TABLE \`${table}\` ADD CONSTRAINT plausible CHECK co < 5`)
      const {refused, inserts} = await settle(sink, messagesOf(2, 4))
      expect(refused).toEqual([{index: 3, reason: 'refused row', message: expect.stringContaining('plausible') as string}])
      expect(inserts).toBe(2)
      expect(await stored()).toEqual([2, 3, 4])
    })

    test('are not blamed for a column that the table has lost', async () => {
      const {sink, table} = await newSink()
      await command(`ALTER TABLE \`${table}\` DROP COLUMN smoke`)
      await expect(sink.send(messagesOf(0, 10), context)).rejects.toMatchObject({
        name: 'UnavailableError',
        retryable: 'never',
        suggestion: 'Compare the table with the output of --print-ddl',
      })
    })

    test('with null or without a value would be stored with zeros, which is why they are checked before', async () => {
      const {sink, table} = await newSink()
      const {humidity: _, ...partial} = sensorRow(0, {temp: null as unknown as number})
      await sink.send([messageOf(0, [partial as SensorRow])], context)
      expect(await query(`SELECT humidity, temp FROM \`${table}\``)).toEqual([{humidity: 0, temp: 0}])
    })
  })

  describe('an insert whose answer is lost', () => {
    test.each([false, true])('is stored once when it is sent again (exactly-once: %s)', async (hasPositions) => {
      const {sink, stored} = await newSink({hasPositions})
      engine.setHook(once(loseAnswer))
      await expect(sink.send(messagesOf(0, 10), context)).rejects.toBeInstanceOf(UnavailableError)
      await sink.send(messagesOf(0, 10), context)
      expect(await stored()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    })

    test('is stored once also when the server says that it failed, and it is searched in parts', async () => {
      const {sink, stored} = await newSink({hasPositions: true})
      engine.setHook(once((exchange) => exchange.perform().then(() => refuse(1001)(exchange))))
      await isolate(sink, {rows: messagesOf(0, 10), token: 't/0/0-9', signal: never, withdrawn: () => false})()
      expect(await stored()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    })

    test('is stored once also by another process that has other batches, where each position is kept', async () => {
      const {sink, table, stored} = await newSink({hasPositions: true})
      engine.setHook(once(loseAnswer))
      await expect(sink.send(messagesOf(0, 10), context)).rejects.toBeInstanceOf(UnavailableError)
      const next = await newSink({table, hasPositions: true})
      await next.sink.send(messagesOf(0, 3, 't/0@2'), {...context, token: 't/0/0-2'})
      await next.sink.send(messagesOf(3, 10, 't/0@2'), {...context, token: 't/0/3-12'})
      expect(await stored()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    })
  })

  describe('a token', () => {
    test('is another one when the topic was made anew and begins again at the same offsets', async () => {
      const {sink, stored} = await newSink()
      await sink.send(messagesOf(0, 3), context)
      await sink.send(
        messagesOf(0, 3).map((message) => ({...message, receivedAt: 1_800_000_000_000})),
        context,
      )
      expect(await stored()).toEqual([0, 0, 1, 1, 2, 2])
    })

    test('is another one in another run over an input, which has no times', async () => {
      const {sink, table, stored} = await newSink({runId: 'first'})
      const messages = messagesOf(0, 2).map((message) => ({...message, receivedAt: undefined}))
      await sink.send(messages, context)
      await sink.send(messages, context)
      expect(await stored()).toEqual([0, 1])
      await sensorSink(engine.client, {table, runId: 'second'}).send(messages, context)
      expect(await stored()).toEqual([0, 0, 1, 1])
    })

    test.each([false, true])('is another one when a message of the batch was rejected before (exactly-once: %s)', async (hasPositions) => {
      const {sink, table, stored} = await newSink({hasPositions})
      await sink.send(
        messagesOf(0, 10).filter((_, index) => index !== 5),
        context,
      )
      await sensorSink(engine.client, {table, hasPositions}).send(messagesOf(0, 10), context)
      expect(await stored()).toContain(5)
    })

    test('is the same for another assignment of the partition', async () => {
      const {sink, stored} = await newSink()
      await sink.send(messagesOf(0, 3, 't/0@1'), context)
      await sink.send(messagesOf(0, 3, 't/0@2'), context)
      expect(await stored()).toEqual([0, 1, 2])
    })
  })

  describe('exactly once', () => {
    test('stores each position, and skips those that are stored, though a later one is and an earlier one is not', async () => {
      const {sink, table, stored} = await newSink({hasPositions: true})
      await sink.send(messagesOf(5, 5), {...context, token: 't/0/5-9'})
      const next = sensorSink(engine.client, {table, hasPositions: true})
      await next.send(messagesOf(0, 12, 't/0@2'), {...context, token: 't/0/0-11'})
      expect(await stored()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
      const positions = await query(`SELECT _topic, _partition, toString(_offset) AS offset, _index FROM \`${table}\` WHERE co = 11`)
      expect(positions).toEqual([{_topic: 't', _partition: 0, offset: '11', _index: 0}])
    })

    test('takes positions for those of their topic and partition', async () => {
      const {sink, table, stored} = await newSink({hasPositions: true})
      await sink.send(messagesOf(0, 2, 't/0@1'), context)
      const next = sensorSink(engine.client, {table, hasPositions: true})
      await next.send(messagesOf(0, 2, 't/1@1'), {...context, token: 't/1/0-1'})
      await next.send(messagesOf(0, 2, 'u/0@1'), {...context, token: 'u/0/0-1'})
      expect(await stored()).toEqual([0, 0, 0, 1, 1, 1])
    })

    test('reads what is stored in portions, in the order of positions and not in that of the table', async () => {
      const {table, sink} = await newSink({hasPositions: true})
      const messages = Array.from({length: 30}, (_, offset) =>
        messageOf(
          offset,
          [99 - offset, offset, 50, 51].map((number) => sensorRow(number)),
        ),
      )
      const isStored = (offset: number) => offset % 5 !== 2
      await sink.send(
        messages.filter((_, offset) => isStored(offset)),
        {...context, token: 't/0/0-29'},
      )
      let queries = 0
      const counting: ClickHouse = {
        ...engine.client,
        query(...asked) {
          queries++
          return engine.client.query(...asked)
        },
      }
      const positions = createStoredPositions(counting, `\`${table}\``, {pagePositions: 3})
      const missing: string[] = []
      for (const batch of [messages.slice(0, 13), messages.slice(13, 20), messages.slice(20)])
        for (const {owner, index} of await positions.rowsNotStored(batch, never)) missing.push(`${batch[owner]!.position.offset}/${index}`)
      expect(missing).toEqual([2, 7, 12, 17, 22, 27].flatMap((offset) => [0, 1, 2, 3].map((index) => `${offset}/${index}`)))
      expect(queries).toBeGreaterThan(4)
    })

    test('completes a message of which a row is missing, and then of which another is', async () => {
      const {table, stored} = await newSink({hasPositions: true})
      for (const count of [2, 3, 4]) {
        const rows = Array.from({length: count}, (_, index) => sensorRow(index))
        await sensorSink(engine.client, {table, hasPositions: true}).send([messageOf(0, rows)], context)
      }

      expect(await stored()).toEqual([0, 1, 2, 3])
    })

    test('blames no message when the server, amid a search, takes no insert any more', async () => {
      const {sink, stored} = await newSink({hasPositions: true})
      const answers = [refuse(27), undefined, refuse(1001)]
      engine.setHook(onInserts((exchange) => (answers.length > 1 ? answers.shift() : answers[0])?.(exchange)))
      const search = isolate(sink, {rows: messagesOf(0, 4), token: 't/0/0-3', signal: never, withdrawn: () => false})
      await expect(search()).rejects.toBeInstanceOf(UnavailableError)
      engine.setHook(undefined)
      expect([...(await search()).keys()]).toEqual([])
      expect(await stored()).toEqual([0, 1, 2, 3])
    })

    test('puts messages of one partition in a batch', async () => {
      expect(sensorSink(engine.client, {table: 't', hasPositions: true}).onePartitionABatch).toBe(true)
      expect(sensorSink(engine.client, {table: 't'}).onePartitionABatch).toBe(false)
    })
  })

  describe('the embedded engine', () => {
    test('is locked while another process has its folder open', async () => {
      const module = new URL('../../src/lib/clients/clickhouse-embedded.ts', import.meta.url).href
      const script = `import(${JSON.stringify(module)})
        .then(({openEmbeddedClickHouse}) => openEmbeddedClickHouse(${JSON.stringify(engine.folder)}))
        .catch(({name, exitCode, suggestion}) => process.stdout.write(JSON.stringify({name, exitCode, suggestion})))`
      const {stdout} = await promisify(execFile)(process.execPath, ['--eval', script])
      expect(JSON.parse(stdout)).toEqual({
        name: 'LockedError',
        exitCode: 75,
        suggestion: 'Wait for the other run to end, or name another folder with --embedded',
      })
    })

    test('is an IoError where no folder can be', async () => {
      const file = join(temporaryFolder(), 'file')
      writeFileSync(file, '')
      await expect(openEmbeddedClickHouse(join(file, 'db'))).rejects.toBeInstanceOf(IoError)
    })
  })

  const query = <Row>(sql: string) => engine.client.query<Row>(sql, {}, never)
  const command = (sql: string) => engine.client.command(sql, never)

  async function newSink(options: Partial<SinkOptions> = {}) {
    const table = options.table ?? newTableName()
    const sink = sensorSink(engine.client, {...options, table})
    await sink.check(never)
    return {sink, table, stored: () => storedNumbers(engine.client, table)}
  }

  /** As the pipeline does: until each message is stored or refused. */
  async function settle(sink: Sink<MessageRows>, rows: readonly MessageRows[]) {
    let inserts = 0
    engine.setHook(
      onInserts(() => {
        inserts++
        return undefined
      }),
    )
    const refused = await isolate(sink, {rows, token: 't/0/0-99', signal: never, withdrawn: () => false})()
    return {refused: [...refused].map(([index, {reason, message}]) => ({index, reason, message})), inserts}
  }
})

const broken = (number: number) => sensorRow(number, {humidity: 'moist' as unknown as number})

type Reaction = (exchange: FacadeExchange) => Promise<void> | undefined

/** The reaction to an insert answers; without one the insert goes its way. */
const onInserts = (react: Reaction) => async (exchange: FacadeExchange) => {
  if (!exchange.parameters.get('query')?.startsWith('INSERT')) return false
  const reaction = react(exchange)
  await reaction
  return reaction !== undefined
}

function once(react: Reaction) {
  const left = [react]
  return onInserts((exchange) => left.pop()?.(exchange))
}

async function loseAnswer({perform, response}: FacadeExchange): Promise<void> {
  await perform()
  response.destroy()
}

const refuse =
  (code: number): Reaction =>
  async ({response}) => {
    response.writeHead(500, {'X-ClickHouse-Exception-Code': code})
    response.end(`Code: ${code}. DB::Exception: no. (SOME_EXCEPTION) (version 26.7.2.1 (official build))\n`)
  }
