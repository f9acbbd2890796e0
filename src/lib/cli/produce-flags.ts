import {UsageError} from '../errors.ts'
import {batchFlags, topicName} from './flags.ts'
import {duration, integer, oneOf, text, toggleFlag, valueFlag} from './flag.ts'

/** The three devices of the seed, by the letters of its scripts. */
export const DEVICES: Readonly<Record<string, string>> = {
  A: '00:0f:00:70:91:0a',
  B: '1c:bf:ce:15:ec:4d',
  C: 'b8:27:eb:bf:9d:51',
}

export const produceFlags = {
  preset: valueFlag(oneOf(['sensors', 'swat']), {
    summary: 'sensors, or swat for a SWaT export',
    fallback: 'sensors',
    value: 'NAME',
  }),
  device: valueFlag(device, {
    summary: 'A, B, C, a device id, or all',
    variables: ['PRODUCER'],
    fallback: 'A',
    value: 'DEVICE',
  }),
  rows: valueFlag(rows, {
    summary: 'rows of each device, or all',
    variables: ['ROW_LIMIT'],
    lenientVariable: 'ROW_LIMIT',
    fallback: '5',
    value: 'N',
  }),
  skip: valueFlag(integer({min: 0}), {
    summary: 'leave out this many of them, to go on where a run ended',
    fallback: '0',
    value: 'N',
  }),
  file: valueFlag(text, {
    summary: 'CSV to read; - is standard input',
    variables: ['CSV_FILE_PATH'],
    fallback: 'data/sensor_data.csv',
    value: 'FILE',
  }),
  pause: valueFlag(duration, {
    summary: 'wait after each event; 0 sends batches, as fast as it goes',
    fallback: '0.2s',
    value: 'D',
  }),
  key: valueFlag(oneOf(['device', 'none']), {
    summary: 'message key; by device keeps the order of its events',
    fallback: 'device',
    value: 'WHAT',
  }),
  loop: toggleFlag({summary: 'begin again at the end of the file, for ever'}),
  output: valueFlag(oneOf(['kafka', '-']), {
    summary: 'kafka, or - for NDJSON on standard output',
    fallback: 'kafka',
    value: 'WHERE',
  }),
  'dry-run-fallback': toggleFlag({
    summary: 'where no broker can be reached at the start, print the events instead',
    isOnByDefault: true,
  }),
  topic: valueFlag(topicName, {
    summary: 'topic; sensor_data, or ics-sensor-data for swat',
    group: 'KAFKA',
    variables: ['KAFKA_TOPIC'],
    value: 'NAME',
  }),
} as const

/**
 * A broker takes 1 MB at once by default, so a batch stays below that and is refused for a message, not for its length. With two
 * batches on their way a failed first one would overtake the second.
 */
export const eventBatchFlags = batchFlags({size: 1000, bytes: '500KB', inFlight: 1})

/** `A`, `producer_A.py` as the seed's variable has it, a device id, or `all`. */
function device(given: string): string {
  const script = /(?:^|[/\\])producer_(\w+)\.py$/i.exec(given)?.[1]
  const letter = (script ?? given).toUpperCase()
  if (Object.hasOwn(DEVICES, letter)) return DEVICES[letter]!
  if (script !== undefined) throw new UsageError('expected producer_A.py, producer_B.py or producer_C.py')
  return given.toLowerCase() === 'all' ? 'all' : given
}

function rows(given: string): number {
  if (given.trim().toLowerCase() === 'all') return Infinity
  const value = Number(given)
  if (!/^\d+$/.test(given.trim()) || value < 1) throw new UsageError('expected a whole number from 1 on, or all')
  return value
}
