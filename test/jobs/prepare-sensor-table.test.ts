import {describe, expect, it} from 'vitest'
import type {ClickHouse} from '../../src/lib/clients/clickhouse.ts'
import {createTableStatement, prepareSensorTable, type PrepareOptions, qualifiedName} from '../../src/lib/jobs/prepare-sensor-table.ts'
import {rememberingLogger} from '../fakes/logger.ts'

const COLUMNS = ['device_id', 'ts', 'co', 'humidity', 'light', 'lpg', 'motion', 'smoke', 'temp']
const TYPES: Readonly<Record<string, string>> = {
  device_id: 'String',
  ts: "DateTime64(3, 'UTC')",
  ...Object.fromEntries(['co', 'humidity', 'lpg', 'smoke', 'temp'].map((name) => [name, 'Float64'])),
  light: 'UInt8',
  motion: 'UInt8',
  ingest_time: "DateTime64(3, 'UTC')",
  _topic: 'LowCardinality(String)',
  _partition: 'Int32',
  _offset: 'Int64',
  _index: 'UInt32',
}
const POSITIONS = ['_topic', '_partition', '_offset', '_index']
const WINDOW = 'MergeTree ORDER BY (device_id, ts) SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192'
const REMEDY = 'ALTER TABLE `default`.`sensor_data` MODIFY SETTING non_replicated_deduplication_window = 10000'

describe('the statement that makes the table', () => {
  it('is that of the seed, in UTC and with a window for inserts that come again', () => {
    expect(createTableStatement({database: 'default', table: 'sensor_data', hasPositions: false})).toBe(
      `CREATE TABLE IF NOT EXISTS \`default\`.\`sensor_data\` (
  device_id   String,
  ts          DateTime64(3, 'UTC'),
  co          Float64,
  humidity    Float64,
  light       UInt8,
  lpg         Float64,
  motion      UInt8,
  smoke       Float64,
  temp        Float64,
  ingest_time DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = MergeTree
ORDER BY (device_id, ts)
SETTINGS non_replicated_deduplication_window = 10000`,
    )
  })

  it('adds where a row came from, for exactly-once', () => {
    expect(createTableStatement({database: 'default', table: 't', hasPositions: true})).toContain(
      `  _topic      LowCardinality(String),
  _partition  Int32,
  _offset     Int64,
  _index      UInt32
)`,
    )
  })

  it('quotes the names', () => {
    expect(qualifiedName({database: 'a b', table: 'c`d\\e'})).toBe('`a b`.`c\\`d\\\\e`')
  })
})

describe('preparing a table', () => {
  it('makes one that is missing', async () => {
    const {commands} = await prepare({columns: []})
    expect(commands).toEqual([expect.stringMatching(/^CREATE TABLE IF NOT EXISTS/) as string])
  })

  it('asks for nothing that a table in order does not need', async () => {
    expect(await prepare({columns: [...COLUMNS, 'ingest_time']})).toMatchObject({commands: [], warnings: []})
    expect(await prepare({columns: [...COLUMNS, 'ingest_time', ...POSITIONS], hasPositions: true})).toMatchObject({commands: []})
    expect(await prepare({columns: [...COLUMNS, 'ingest_time', 'more'], mayCreate: false})).toMatchObject({commands: []})
  })

  it('adds ingest_time to an older one', async () => {
    expect((await prepare({columns: COLUMNS})).commands).toEqual([
      "ALTER TABLE `default`.`sensor_data` ADD COLUMN IF NOT EXISTS ingest_time DateTime64(3, 'UTC') DEFAULT now64(3)",
    ])
  })

  it('adds the positions for exactly-once', async () => {
    const {commands} = await prepare({columns: [...COLUMNS, 'ingest_time'], hasPositions: true})
    expect(commands).toEqual(
      ['_topic LowCardinality(String)', '_partition Int32', '_offset Int64', '_index UInt32'].map(
        (column) => `ALTER TABLE \`default\`.\`sensor_data\` ADD COLUMN IF NOT EXISTS ${column}`,
      ),
    )
  })

  it.each<{what: string; options: Partial<Trial>; says: string}>([
    {what: 'is missing', options: {columns: []}, says: 'here has no table default.sensor_data'},
    {what: 'lacks ingest_time', options: {columns: COLUMNS}, says: 'default.sensor_data has no column ingest_time'},
    {
      what: 'lacks positions',
      options: {columns: [...COLUMNS, 'ingest_time'], hasPositions: true},
      says: 'default.sensor_data has no column _topic, _partition, _offset, _index',
    },
  ])('changes nothing where it must not, and says that the table $what', async ({options, says}) => {
    const trial = {...options, mayCreate: false, commands: [] as string[]}
    await expect(prepare(trial)).rejects.toMatchObject({name: 'NotFoundError', message: says})
    expect(trial.commands).toEqual([])
  })

  it('refuses a table that lacks columns of the seed, which may be another one, and leaves it as it is', async () => {
    const commands: string[] = []
    await expect(prepare({columns: ['device_id', 'ts', 'temp'], commands})).rejects.toMatchObject({
      name: 'NotFoundError',
      message: 'default.sensor_data has no column co, humidity, light, lpg, motion, smoke',
      suggestion: 'Compare it with the output of --print-ddl, or name another with --table',
    })
    expect(commands).toEqual([])
  })
})

describe('a table that could never take a row', () => {
  const columns = [...COLUMNS, 'ingest_time', ...POSITIONS]

  it.each([
    {column: 'device_id', type: 'UInt32', wanted: 'String'},
    {column: 'device_id', type: 'LowCardinality(Nullable(UInt32))', wanted: 'String'},
    {column: 'device_id', type: 'Array(String)', wanted: 'String'},
    {column: 'ts', type: 'DateTime', wanted: "DateTime64(3, 'UTC')"},
    {column: 'ts', type: 'Date', wanted: "DateTime64(3, 'UTC')"},
    {column: 'co', type: 'DateTime64(3)', wanted: 'Float64'},
    {column: 'light', type: 'DateTime', wanted: 'UInt8'},
    {column: 'ingest_time', type: "DateTime('UTC')", wanted: "DateTime64(3, 'UTC') DEFAULT now64(3)"},
    {column: '_offset', type: 'Date', wanted: 'Int64'},
  ])('is refused with names and types: $column $type', async ({column, type, wanted}) => {
    const commands: string[] = []
    await expect(prepare({columns, types: {[column]: {type}}, hasPositions: true, commands})).rejects.toMatchObject({
      exitCode: 69,
      retryable: 'never',
      message: `default.sensor_data cannot take the rows: ${column} ${type} (${wanted})`,
      suggestion: expect.stringContaining('--print-ddl') as string,
    })
    expect(commands).toEqual([])
  })

  it.each(['MATERIALIZED', 'ALIAS'])('is refused with a column that is %s', async (kind) => {
    await expect(prepare({columns, types: {co: {default_kind: kind}}})).rejects.toThrow(`co Float64 ${kind} (Float64)`)
  })

  it('is not looked at for positions that nobody writes', async () => {
    await expect(prepare({columns, types: {_offset: {type: 'Date'}}})).resolves.toBeDefined()
  })

  it.each<[column: string, type: string]>([
    ['device_id', 'LowCardinality(Nullable(String))'],
    ['device_id', 'FixedString(17)'],
    ['device_id', "Enum8('a' = 1)"],
    ['ts', 'Nullable(DateTime64(9))'],
    ['ts', 'Decimal(18, 3)'],
    ['co', 'Float32'],
    ['co', 'Int32'],
    ['co', 'Nullable(Decimal(10, 4))'],
    ['co', 'SimpleAggregateFunction(anyLast, Float64)'],
    ['device_id', 'SimpleAggregateFunction(max, LowCardinality(String))'],
    ['light', 'Bool'],
    ['light', 'Nullable(Int16)'],
  ])('is not one with %s %s', async (column, type) => {
    await expect(prepare({columns, types: {[column]: {type}}})).resolves.toBeDefined()
  })

  it.each(['View', 'LiveView'])('is refused, being a %s, without a word of deduplication', async (engine) => {
    await expect(prepare({columns, engine})).rejects.toMatchObject({
      exitCode: 69,
      retryable: 'never',
      message: 'default.sensor_data is a view, which takes no rows',
      suggestion: 'Name the table behind it with --table',
    })
  })
})

describe('a table that does not remember inserts', () => {
  const columns = [...COLUMNS, 'ingest_time', ...POSITIONS]

  it.each(['MergeTree ORDER BY ts', 'MergeTree ORDER BY ts SETTINGS non_replicated_deduplication_window = 0', 'Memory', 'Null'])(
    'is warned of once, with the remedy: %s',
    async (engine) => {
      expect((await prepare({columns, engine})).warnings).toEqual([
        [
          'warn',
          'table.no_deduplication',
          {
            message: 'default.sensor_data has no deduplication window: an insert that has to be sent again may be stored twice',
            remedy: REMEDY,
          },
        ],
      ])
    },
  )

  it('is refused for exactly-once, which rests on it, and left as it is', async () => {
    const commands: string[] = []
    await expect(prepare({columns: COLUMNS, engine: 'MergeTree ORDER BY ts', hasPositions: true, commands})).rejects.toMatchObject({
      name: 'UsageError',
      suggestion: REMEDY,
    })
    expect(commands).toEqual([])
  })

  it.each([
    'MergeTree ORDER BY ts SETTINGS non_replicated_deduplication_window = 100',
    "ReplicatedMergeTree('/clickhouse/tables/{shard}/t', '{replica}') ORDER BY ts",
    'SharedMergeTree ORDER BY ts',
  ])('is not one that does: %s', async (engine) => {
    expect((await prepare({columns, engine})).warnings).toEqual([])
    expect((await prepare({columns, engine, hasPositions: true})).warnings).toEqual([])
  })
})

interface Trial extends Pick<PrepareOptions, 'hasPositions' | 'mayCreate'> {
  /** Of the table; none: it is missing. */
  readonly columns: readonly string[]
  readonly engine: string
  /** What differs from ours, by the column's name. */
  readonly types: Readonly<Record<string, object>>
  readonly commands: string[]
}

/** With a server that has one table, or none until it is made. */
async function prepare({columns = [], engine = WINDOW, hasPositions = false, mayCreate = true, types = {}, commands = []}: Partial<Trial>) {
  const {log, events: warnings} = rememberingLogger()
  let found = columns
  const client: ClickHouse = {
    target: 'here',
    async command(sql) {
      if (!sql.startsWith('INSERT')) commands.push(sql)
      else expect(sql).toBe('INSERT INTO `default`.`sensor_data` (co) SELECT 0 WHERE 0')
      if (sql.startsWith('CREATE')) found = [...COLUMNS, 'ingest_time', ...POSITIONS]
    },
    async query<Row>(sql: string) {
      if (sql.includes('system.columns')) return found.map((name) => ({name, type: TYPES[name], default_kind: '', ...types[name]})) as Row[]
      return [{engine: engine.split(/[ (]/, 1)[0], engine_full: engine}] as Row[]
    },
    async insert() {},
    async close() {},
  }
  const {signal} = new AbortController()
  await prepareSensorTable(client, {database: 'default', table: 'sensor_data', hasPositions, mayCreate, signal, log})
  return {commands, warnings}
}
