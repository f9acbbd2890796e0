import type {ClickHouse} from '../clients/clickhouse.ts'
import type {Logger} from '../core/types.ts'
import type {Column} from './sensor-table-types.ts'
import {quoteName} from '../clients/clickhouse.ts'
import {NotFoundError, UnavailableError, UsageError} from '../errors.ts'
import {POSITION_COLUMNS} from '../sinks/clickhouse-positions.ts'
import {SENSOR_FIELDS, SENSOR_STATES} from '../transforms/sensors.ts'
import {unfitColumns} from './sensor-table-types.ts'

export interface SensorTable {
  readonly database: string
  readonly table: string
  /** Exactly-once adds the columns of a row's position. */
  readonly hasPositions: boolean
}

/** How many inserts a table remembers, so that one that is sent again is not stored twice. */
const DEDUPLICATION_WINDOW = 10_000

/** The seed's columns, all in UTC. */
const COLUMNS: Readonly<Record<string, string>> = {
  device_id: 'String',
  ts: "DateTime64(3, 'UTC')",
  ...Object.fromEntries(SENSOR_FIELDS.map((name) => [name, SENSOR_STATES.has(name) ? 'UInt8' : 'Float64'])),
}
const INGEST_TIME = "DateTime64(3, 'UTC') DEFAULT now64(3)"

export const qualifiedName = ({database, table}: Pick<SensorTable, 'database' | 'table'>) => `${quoteName(database)}.${quoteName(table)}`

/** The statement behind `--print-ddl`. */
export function createTableStatement(target: SensorTable): string {
  const columns = {...COLUMNS, ingest_time: INGEST_TIME, ...(target.hasPositions ? POSITION_COLUMNS : {})}
  const width = Math.max(...Object.keys(columns).map((name) => name.length))
  const lines = Object.entries(columns).map(([name, type]) => `  ${name.padEnd(width)} ${type}`)
  return [
    `CREATE TABLE IF NOT EXISTS ${qualifiedName(target)} (`,
    lines.join(',\n'),
    ') ENGINE = MergeTree',
    'ORDER BY (device_id, ts)',
    `SETTINGS non_replicated_deduplication_window = ${DEDUPLICATION_WINDOW}`,
  ].join('\n')
}

export interface PrepareOptions extends SensorTable {
  /** Whether a table that is missing is made, and one that is older gets the columns that it lacks. */
  readonly mayCreate: boolean
  readonly signal: AbortSignal
  readonly log: Logger
}

/**
 * Makes the table or brings an older one up to date. Rejects with NotFoundError where that is not allowed, with AuthError
 * where the user may not insert, and with UsageError where exactly-once is asked of a table that cannot keep it, with
 * UnavailableError where no row could ever be written, because of a column's type or because it is a view; warns of one that may store a resent insert twice.
 */
export async function prepareSensorTable(client: ClickHouse, options: PrepareOptions): Promise<void> {
  const {database, table, mayCreate, signal} = options
  const name = qualifiedName(options)
  let columns = await columnsOf(client, options)
  if (columns.size === 0 && mayCreate) {
    await client.command(createTableStatement(options), signal) // only then: a user who may do no more than insert has not the right
    columns = await columnsOf(client, options)
  }

  if (columns.size === 0) {
    throw new NotFoundError(`${client.target} has no table ${database}.${table}`, {
      suggestion: 'Create it with the output of --print-ddl, or leave out --no-create-table',
    })
  }

  const missing = Object.keys(COLUMNS).filter((column) => !columns.has(column))
  if (missing.length > 0) {
    throw new NotFoundError(`${database}.${table} has no column ${missing.join(', ')}`, {
      suggestion: 'Compare it with the output of --print-ddl, or name another with --table',
    })
  }

  const wanted = {ingest_time: INGEST_TIME, ...(options.hasPositions ? POSITION_COLUMNS : {})}
  const unfit = unfitColumns(columns, {...COLUMNS, ...wanted})
  if (unfit.length > 0) {
    throw new UnavailableError(`${database}.${table} cannot take the rows: ${unfit.join(', ')}`, {
      permanent: true,
      suggestion: 'Give the columns the types in brackets, as in the output of --print-ddl, or name another table with --table',
    })
  }

  await checkEngine(client, options)
  const additions = Object.entries(wanted).filter(([column]) => !columns.has(column))
  const statements = additions.map(([column, type]) => `ALTER TABLE ${name} ADD COLUMN IF NOT EXISTS ${column} ${type}`)
  if (statements.length > 0 && !mayCreate) {
    throw new NotFoundError(`${database}.${table} has no column ${additions.map(([column]) => column).join(', ')}`, {
      suggestion: statements.join('; '),
    })
  }

  for (const statement of statements) await client.command(statement, signal)
  await client.command(`INSERT INTO ${name} (co) SELECT 0 WHERE 0`, signal) // stores nothing, and takes the right to insert
}

async function checkEngine(client: ClickHouse, options: PrepareOptions): Promise<void> {
  const {database, table, log, signal} = options
  const [found] = await client.query<{engine: string; engine_full: string}>(
    'SELECT engine, engine_full FROM system.tables WHERE database = {database:String} AND name = {table:String}',
    {database, table},
    signal,
  )
  if (found && VIEWS.has(found.engine)) {
    throw new UnavailableError(`${database}.${table} is a view, which takes no rows`, {
      permanent: true,
      suggestion: 'Name the table behind it with --table',
    })
  }

  if (found && remembersInserts(found)) return
  const remedy = `ALTER TABLE ${qualifiedName(options)} MODIFY SETTING non_replicated_deduplication_window = ${DEDUPLICATION_WINDOW}`
  if (options.hasPositions)
    throw new UsageError(`${database}.${table} has no deduplication window, which exactly-once rests on`, {
      suggestion: remedy,
    })
  log.warn('table.no_deduplication', {
    message: `${database}.${table} has no deduplication window: an insert that has to be sent again may be stored twice`,
    remedy,
  })
}

/** A materialised one passes rows on. */
const VIEWS = new Set(['View', 'LiveView', 'WindowView'])

function remembersInserts({engine, engine_full: definition}: {engine: string; engine_full: string}): boolean {
  const isReplicated = engine.startsWith('Replicated') || engine.startsWith('Shared')
  return isReplicated || /non_replicated_deduplication_window = [1-9]/.test(definition)
}

async function columnsOf(client: ClickHouse, {database, table, signal}: PrepareOptions): Promise<ReadonlyMap<string, Column>> {
  const columns = await client.query<Column>(
    'SELECT name, type, default_kind FROM system.columns WHERE database = {database:String} AND table = {table:String}',
    {database, table},
    signal,
  )
  return new Map(columns.map((column) => [column.name, column]))
}
