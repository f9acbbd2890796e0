import {randomUUID} from 'node:crypto'
import type {Logger, Runtime, Sink} from '../core/types.ts'
import type {Given} from '../runtime/given.ts'
import type {MessageRows} from '../transforms/to-row.ts'
import type {StoredPositions} from '../sinks/clickhouse-positions.ts'
import type {RunReport} from './base-command.ts'
import type {Values} from './flag.ts'
import type {batchFlags, clickhouseFlags, dryRunFlag} from './flags.ts'
import {UsageError} from '../errors.ts'
import {letterLines, placeOf} from '../jobs/letter-file.ts'
import {createTableStatement, prepareSensorTable, qualifiedName} from '../jobs/prepare-sensor-table.ts'
import {createClickHouseSink} from '../sinks/clickhouse.ts'
import {createStoredPositions} from '../sinks/clickhouse-positions.ts'
import {createLinesSink} from '../sinks/lines.ts'
import {MISSING_POLICIES} from '../transforms/to-row.ts'
import {clickHouseClient} from './connections.ts'
import {oneOf, text, toggleFlag, valueFlag} from './flag.ts'

export const rowFlags = {
  table: valueFlag(text, {summary: 'table', group: 'ROWS', fallback: 'sensor_data', value: 'NAME'}),
  'create-table': toggleFlag({
    summary: 'create the table when it is missing, and add the columns that an older one lacks',
    group: 'ROWS',
    isOnByDefault: true,
  }),
  'print-ddl': toggleFlag({summary: 'print the statement that creates the table, and end', group: 'ROWS'}),
  'on-missing': valueFlag(oneOf(MISSING_POLICIES), {
    summary: 'a value that is missing or null: reject the record, or store 0',
    group: 'ROWS',
    fallback: 'reject',
    value: 'HOW',
  }),
  delivery: valueFlag(oneOf(['at-least-once', 'exactly-once']), {
    summary: 'exactly-once stores the position of each row and skips what is there already',
    group: 'ROWS',
    fallback: 'at-least-once',
    value: 'HOW',
  }),
} as const

type SinkValues = Values<typeof rowFlags & typeof clickhouseFlags & typeof dryRunFlag & ReturnType<typeof batchFlags>> & {
  readonly input: string
}

/** What `--print-ddl` prints. */
export function tableStatement(values: SinkValues): string {
  return createTableStatement(targetOf(values))
}

/** Rows to a table, or in a dry run to standard output. */
export async function openClickHouseSink(
  values: SinkValues,
  given: ReadonlyMap<string, Given>,
  {clock, log}: Pick<Runtime, 'clock' | 'log'>,
  report: RunReport,
): Promise<Sink<MessageRows>> {
  const target = targetOf(values)
  if (target.hasPositions) await refuseLinesOfInputs(values.input)
  if (values['dry-run']) {
    const toText = ({rows}: MessageRows) => rows.map((row) => JSON.stringify(row)).join('\n')
    return createLinesSink<MessageRows>({output: process.stdout, name: 'standard output', toText, prints: true})
  }

  const client = await clickHouseClient(values, given)
  const table = qualifiedName(target)
  const logOnce = warningOnce(log)
  const positions = target.hasPositions ? createStoredPositions(client, table) : undefined
  const sink = createClickHouseSink({
    client,
    table,
    maxInFlight: values['in-flight'],
    clock,
    runId: randomUUID(),
    positions,
    check: (signal) => prepareSensorTable(client, {...target, mayCreate: values['create-table'], signal, log: logOnce}),
  })
  return positions ? reporting(sink, positions, report) : sink
}

/** However often the table is looked at before a server takes the first row. */
function warningOnce(log: Logger): Logger {
  const warned = new Set<string>()
  return {
    ...log,
    warn(event, fields) {
      if (!warned.has(event)) log.warn(event, fields)
      warned.add(event)
    },
  }
}

/** Each input begins at line 0: of two lines with one position the second would pass for stored already. */
async function refuseLinesOfInputs(input: string): Promise<void> {
  const refuse = (which: string) => {
    throw new UsageError(`--delivery exactly-once needs messages from a broker, not ${which}: an input has no positions to know them by`)
  }

  if (input === '-') refuse('--input -')
  if (!input.startsWith('letters:')) return
  const file = input.slice('letters:'.length)
  for await (const {record} of letterLines(file)) {
    const isLine = record?.command === 'kafka-to-clickhouse' && record.topic === 'stdin'
    if (isLine) refuse(`lines of an input, as ${placeOf(record)} in ${file}`)
  }
}

/** The ledger counts what is stored as written, whoever wrote it. */
function reporting(sink: Sink<MessageRows>, {alreadyStored}: StoredPositions, report: RunReport): Sink<MessageRows> {
  report.own['alreadyStored'] = alreadyStored
  return {
    ...sink,
    async close() {
      if (alreadyStored() > 0) report.notes.push(`${alreadyStored()} rows were in the table already, and were not written again`)
      await sink.close()
    },
  }
}

function targetOf(values: SinkValues) {
  return {
    database: values['clickhouse-database'],
    table: values.table,
    hasPositions: values.delivery === 'exactly-once',
  }
}
