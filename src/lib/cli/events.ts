import type {BatchLimits, Ledger, Logger, RawMessage, Runtime, Sink, Source, Transform} from '../core/types.ts'
import type {CsvRecord, HeaderRule} from '../sources/csv-records.ts'
import type {SensorEvent} from '../transforms/row-to-event.ts'
import type {RowChoice} from '../sources/csv-order.ts'
import type {Given} from '../runtime/given.ts'
import type {Values} from './flag.ts'
import type {dryRunFlag, generalFlags, kafkaFlags} from './flags.ts'
import type {eventBatchFlags, produceFlags} from './produce-flags.ts'
import {UnavailableError, UsageError} from '../errors.ts'
import {createLinesSink} from '../sinks/lines.ts'
import {createCsvSource} from '../sources/csv-file.ts'
import {linesIn} from '../sources/csv-records.ts'
import {paced} from '../sources/paced.ts'
import type {Observations} from '../transforms/observations.ts'
import {createObservations} from '../transforms/observations.ts'
import {isSensorHeader, isSwatHeader, SENSOR_COLUMNS, sensorRowToEvent, swatRowToEvent} from '../transforms/row-to-event.ts'
import {kafkaSettings} from './connections.ts'
import {batchLimits} from './stream.ts'

type ProduceValues = Values<typeof generalFlags & typeof produceFlags & typeof eventBatchFlags & typeof dryRunFlag & typeof kafkaFlags>

export interface Events {
  readonly source: Source<CsvRecord>
  readonly transform: Transform<CsvRecord, SensorEvent>
  readonly batch: BatchLimits
  /** Rows of a stream that are out of order, and those that took in others. */
  readonly observations: Observations
  /** How many events there are to send, once it is known. */
  total(): number | undefined
}

const SENSOR_HEADER: HeaderRule = {isHeader: isSensorHeader, expects: `the columns ${SENSOR_COLUMNS.join(', ')}`}
const SWAT_HEADER: HeaderRule = {isHeader: isSwatHeader, expects: 'a column Timestamp'}

/** Opens the CSV and reads its header. Rejects with UsageError before anything is sent when it cannot be used. */
export async function openEvents(values: ProduceValues, {clock, log, stop}: Runtime): Promise<Events> {
  const {preset, file, pause, skip, rows, loop} = values
  if (loop && file === '-') throw new UsageError('--loop needs a file: standard input can be read once only')
  const isSwat = preset === 'swat'
  const observations = createObservations(log.warn)
  const source = createCsvSource({
    input: file === '-' ? process.stdin : file,
    name: file === '-' ? 'stdin' : file,
    header: isSwat ? SWAT_HEADER : SENSOR_HEADER,
    choose: (columns) => (isSwat ? undefined : choiceOf(columns, values)),
    maxRows: isSwat ? rows : Infinity,
    skip,
    loops: loop,
    onDescent: (device) => observations.note('row.out_of_order', device, {sent: 'as it comes: standard input is not sorted'}),
  })
  const {columns, delimiter} = await source.open(stop).catch(async (error: unknown) => {
    await source.close()
    throw error
  })
  const options = {columns, delimiter, keyed: values.key === 'device'}
  const toEvent = isSwat ? swatRowToEvent(options) : sensorRowToEvent(options)
  return {
    source: paced(source, pause, clock),
    transform: (row, position) => {
      const lines = row.problem === undefined ? 1 : linesIn(row.text)
      if (lines > 1) observations.note('row.of_many_lines', '', {lines, counted: 'as one row: a quote in it is left open'})
      return toEvent(row, position)
    },
    batch: {...batchLimits(values), ...(pause > 0 ? {count: 1} : {})},
    observations,
    total: () => source.total(),
  }
}

function choiceOf(columns: readonly string[], {device, rows}: ProduceValues): RowChoice {
  return {
    deviceColumn: columns.indexOf('device'),
    timeColumn: columns.indexOf('ts'),
    device: device === 'all' ? undefined : device,
    rowsPerDevice: rows,
  }
}

export const topicOf = ({topic, preset}: Pick<ProduceValues, 'topic' | 'preset'>) =>
  topic ?? (preset === 'swat' ? 'ics-sensor-data' : 'sensor_data')

/** A topic, standard output, or, where no broker can be reached, standard output with a mark before each event. */
export async function openEventSink(
  values: ProduceValues,
  given: ReadonlyMap<string, Given>,
  {clock, log, stop}: Runtime,
): Promise<Sink<SensorEvent>> {
  const toText = ({value}: SensorEvent) => value
  const print = {output: process.stdout, name: 'standard output', toText}
  if (values['dry-run']) return createLinesSink({...print, prints: true})
  if (values.output === '-') return createLinesSink({...print, prints: false})

  const [{createKafkaProducer}, {createKafkaSink}] = await Promise.all([
    import('../clients/kafka/producer.ts'),
    import('../sinks/kafka.ts'),
  ])
  const producer = createKafkaProducer(await kafkaSettings(values, given), {topic: topicOf(values), clock, log})
  try {
    await producer.connect(stop)
  } catch (error) {
    const isPassing = error instanceof UnavailableError && error.retryable === 'always'
    if (!isPassing || !values['dry-run-fallback']) throw error
    log.warn('kafka.unavailable', {
      message: 'Kafka unavailable (NoBrokersAvailable). Running in dry-run; events printed only.',
      reason: error.message,
    })
    return createLinesSink({
      output: values.json ? process.stderr : process.stdout,
      name: print.name,
      toText: (event) => `[DRY-RUN] ${toText(event)}`,
      prints: true,
    })
  }

  return {...createKafkaSink(producer, values['in-flight']), check: async () => {}} // it is connected
}

/** A row as it stands in the file, for dead letters. */
export const rawRow = (row: unknown): RawMessage => ({
  value: (row as CsvRecord).text,
  key: null,
  headers: undefined,
  timestamp: undefined,
})

/** Where to go on after a run that was cut short; one that loops may begin anywhere. */
export function continuation(ledger: Ledger, {skip, loop}: Pick<ProduceValues, 'skip' | 'loop'>, total: number | undefined): string {
  if (ledger.read === 0) return ''
  const settled = ledger.read - ledger.unacknowledged
  if (loop) return `sent ${settled}`
  return `sent ${settled}${total === undefined ? '' : ` of ${total}`}; continue with --skip ${skip + settled}`
}

export function warnOfNoRows(values: ProduceValues, log: Logger): void {
  const {preset, device, skip} = values
  const file = values.file === '-' ? 'stdin' : values.file
  const whose = preset === 'swat' || device === 'all' ? '' : ` for device ${device}`
  const left = skip > 0 ? ` after the ${skip} that are skipped` : ''
  log.warn('produce.no_rows', {message: `${file} has no rows${whose}${left}`})
}
