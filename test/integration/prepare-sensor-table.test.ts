import {afterAll, afterEach, beforeAll, expect, test} from 'vitest'
import type {FacadeExchange} from '../services/clickhouse-facade.ts'
import {createTableStatement} from '../../src/lib/jobs/prepare-sensor-table.ts'
import {describeWith} from '../services/use.ts'
import {
  type Engine,
  messagesOf,
  newTableName,
  NOW,
  prepare,
  sensorSink,
  type SinkOptions,
  startEngine,
  storedNumbers,
} from './sensor-table.ts'

const never = new AbortController().signal
const context = {token: 't/0/0-9', signal: never}

describeWith('clickhouse')('a sensor table', () => {
  let engine: Engine
  beforeAll(async () => {
    engine = await startEngine()
  })
  afterEach(() => engine.setHook(undefined))
  afterAll(() => engine.close())

  test('is made with the columns, the order and the engine of the seed, all times in UTC', async () => {
    const {table} = await newSink()
    const columns = await query<{name: string; type: string; default_expression: string}>(
      `SELECT name, type, default_expression FROM system.columns WHERE database = 'default' AND table = '${table}' ORDER BY position`,
    )
    expect(columns.map(({name, type, default_expression: fallback}) => [name, type, fallback])).toEqual([
      ['device_id', 'String', ''],
      ['ts', "DateTime64(3, 'UTC')", ''],
      ['co', 'Float64', ''],
      ['humidity', 'Float64', ''],
      ['light', 'UInt8', ''],
      ['lpg', 'Float64', ''],
      ['motion', 'UInt8', ''],
      ['smoke', 'Float64', ''],
      ['temp', 'Float64', ''],
      ['ingest_time', "DateTime64(3, 'UTC')", 'now64(3)'],
    ])
    const [facts] = await query(`SELECT engine, sorting_key FROM system.tables WHERE database = 'default' AND name = '${table}'`)
    expect(facts).toEqual({engine: 'MergeTree', sorting_key: 'device_id, ts'})
  })

  test('of ours needs nothing more', async () => {
    const {table} = await newSink({hasPositions: true})
    engine.setHook(refuseStatements(/^(CREATE|ALTER)/))
    expect(await prepare(engine.client, {table, hasPositions: true})).toEqual([])
    expect(await prepare(engine.client, {table, hasPositions: true, mayCreate: false})).toEqual([])
  })

  test('of the seed without ingest_time gets it, and keeps its rows', async () => {
    const {table, stored} = await seedTable(
      'ENGINE = MergeTree ORDER BY (device_id, ts) SETTINGS non_replicated_deduplication_window = 100',
    )
    await command(`INSERT INTO \`${table}\` (device_id, co) SELECT 'old', 1`)
    const sink = sensorSink(engine.client, {table})
    await sink.check(never)
    await sink.send(messagesOf(2, 1), context)
    expect(await stored()).toEqual([1, 2])
    const [row] = await query(`SELECT toUnixTimestamp64Milli(ingest_time) AS at FROM \`${table}\` WHERE co = 2`)
    expect(Number((row as {at: string}).at)).toBe(NOW)
  })

  test('without a deduplication window is warned of once, with the statement that mends it', async () => {
    const {table} = await seedTable('ENGINE = MergeTree ORDER BY (device_id, ts)')
    const [[, event, {remedy}]] = (await prepare(engine.client, {table})) as [[string, string, {remedy: string}]]
    expect(event).toBe('table.no_deduplication')
    await command(remedy)
    expect(await prepare(engine.client, {table})).toEqual([])
  })

  test('without a deduplication window is refused for exactly-once, with the statement that mends it', async () => {
    const {table} = await seedTable('ENGINE = MergeTree ORDER BY (device_id, ts)')
    const error = await prepare(engine.client, {table, hasPositions: true}).catch((cause: unknown) => cause as Error & {suggestion: string})
    expect(error).toMatchObject({name: 'UsageError', message: expect.stringContaining('which exactly-once rests on') as string})
    await command((error as {suggestion: string}).suggestion)
    expect(await prepare(engine.client, {table, hasPositions: true})).toEqual([])
  })

  test('that is missing is not made when that is not allowed', async () => {
    await expect(prepare(engine.client, {table: 'absent', mayCreate: false})).rejects.toMatchObject({
      name: 'NotFoundError',
      message: `${engine.client.target} has no table default.absent`,
      suggestion: expect.stringContaining('--print-ddl') as string,
    })
  })

  test('that lacks ingest_time is left as it is when nothing may be added, and the statement is given', async () => {
    const {table} = await seedTable('ENGINE = MergeTree ORDER BY (device_id, ts) SETTINGS non_replicated_deduplication_window = 100')
    const error = await prepare(engine.client, {table, mayCreate: false}).catch((cause: unknown) => cause)
    expect(error).toMatchObject({name: 'NotFoundError', message: `default.${table} has no column ingest_time`})
    await command((error as {suggestion: string}).suggestion)
    expect(await prepare(engine.client, {table, mayCreate: false})).toEqual([])
  })

  test('of another kind is refused, with the names of what it lacks', async () => {
    const table = newTableName()
    await command(`CREATE TABLE \`${table}\` (device_id String, ts DateTime64(3), co Float64) ENGINE = MergeTree ORDER BY ts`)
    await expect(prepare(engine.client, {table})).rejects.toMatchObject({
      name: 'NotFoundError',
      message: `default.${table} has no column humidity, light, lpg, motion, smoke, temp`,
    })
  })

  test.each([
    {column: 'device_id', type: 'UInt32', wanted: 'String'},
    {column: 'ts', type: 'DateTime', wanted: "DateTime64(3, 'UTC')"},
    {column: 'temp', type: 'Array(Float64)', wanted: 'Float64'},
  ])('whose column could never take a value is refused: $column $type', async ({column, type, wanted}) => {
    const {table} = await newSink()
    await command(`DROP TABLE \`${table}\``)
    const statement = createTableStatement({database: 'default', table, hasPositions: false})
    await command(statement.replace(new RegExp(`(${column} +)[^,]*?(\\(3, 'UTC'\\))?,`), `$1${type},`))
    await expect(prepare(engine.client, {table})).rejects.toMatchObject({
      exitCode: 69,
      message: `default.${table} cannot take the rows: ${column} ${type} (${wanted})`,
    })
    const refused = sensorSink(engine.client, {table}).send(messagesOf(0, 1), context)
    await expect(refused).rejects.toMatchObject({code: 'PARTIAL_WRITE'}) // and the refusal is right
  })

  test('that is a view is refused, and its server says the same', async () => {
    const {table} = await newSink()
    const view = newTableName()
    await command(`CREATE VIEW \`${view}\` AS SELECT * FROM \`${table}\``)
    await expect(prepare(engine.client, {table: view})).rejects.toMatchObject({
      exitCode: 69,
      message: `default.${view} is a view, which takes no rows`,
    })
    await expect(sensorSink(engine.client, {table: view}).send(messagesOf(0, 1), context)).rejects.toMatchObject({retryable: 'never'})
  })

  test('whose DEFAULT throws refuses the rows that it throws for', async () => {
    const {table} = await newSink()
    await command(`ALTER TABLE \`${table}\` ADD COLUMN x UInt8 DEFAULT throwIf(1)`)
    expect(await prepare(engine.client, {table})).toEqual([])
    await expect(sensorSink(engine.client, {table}).send(messagesOf(0, 1), context)).rejects.toMatchObject({code: 'PARTIAL_WRITE'})
  })

  test('in a database that is missing is not found', async () => {
    await expect(prepare(engine.client, {table: 't', database: 'absent'})).rejects.toMatchObject({
      name: 'NotFoundError',
      exitCode: 69,
      suggestion: 'Check --table and --clickhouse-database',
    })
  })

  test('is not reached with a wrong password', async () => {
    const stranger = await engine.connect({password: 'wrong'})
    await expect(prepare(stranger, {table: 't'})).rejects.toMatchObject({name: 'AuthError', exitCode: 77})
    await stranger.close()
  })

  test('into which the user may not insert is found at the start', async () => {
    const {table} = await newSink()
    engine.setHook(refuseStatements(/^INSERT/))
    await expect(prepare(engine.client, {table})).rejects.toMatchObject({name: 'AuthError', exitCode: 77})
  })

  test('with a strange name is made, read and written', async () => {
    const {sink, stored} = await newSink({table: "it's `a` \\table"})
    await sink.send(messagesOf(0, 2), context)
    expect(await stored()).toHaveLength(2)
  })

  const query = <Row>(sql: string) => engine.client.query<Row>(sql, {}, never)
  const command = (sql: string) => engine.client.command(sql, never)

  async function newSink(options: Partial<SinkOptions> = {}) {
    const table = options.table ?? newTableName()
    const sink = sensorSink(engine.client, {...options, table})
    await sink.check(never)
    return {sink, table, stored: () => storedNumbers(engine.client, table)}
  }

  /** As the seed's first script makes it, before it had ingest_time. */
  async function seedTable(engineAndOrder: string) {
    const table = newTableName()
    await command(
      `CREATE TABLE IF NOT EXISTS default.\`${table}\` (device_id String, ts DateTime64(3), co Float64, humidity Float64, light UInt8,
        lpg Float64, motion UInt8, smoke Float64, temp Float64) ${engineAndOrder}`,
    )
    return {table, stored: () => storedNumbers(engine.client, table)}
  }
})

/** As a server does whose user may not. */
const refuseStatements = (pattern: RegExp) => async (exchange: FacadeExchange) => {
  const statement = exchange.parameters.get('query') ?? exchange.body.toString()
  if (!pattern.test(statement)) return false
  exchange.response.writeHead(403, {'X-ClickHouse-Exception-Code': 497})
  exchange.response.end('Code: 497. DB::Exception: Not enough privileges. (ACCESS_DENIED) (version 26.7.2.1 (official build))\n')
  return true
}
