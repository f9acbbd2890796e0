import {createKafkaProducer} from '../src/lib/clients/kafka/producer.ts'
import {sampleLines} from '../src/lib/jobs/sample-data.ts'
import {systemClock} from '../src/lib/runtime/clock.ts'
import {isSwatHeader, swatRowToEvent} from '../src/lib/transforms/row-to-event.ts'

export const silent = {debug() {}, info() {}, warn() {}, error() {}}
const MESSAGES_AT_ONCE = 500

/** SWaT readings as JSON, about a kilobyte each, with their values as numbers: other programs take only those for fields. */
export function* swatEvents(count: number): Generator<string> {
  let toEvent: ReturnType<typeof swatRowToEvent> | undefined
  for (const lines of sampleLines('swat', count, 1)) {
    for (const line of lines) {
      const fields = line.split(',')
      const columns = fields.map((field) => field.trim())
      if (!toEvent && !isSwatHeader(columns)) throw new Error('the sample has changed')
      const outcome = toEvent?.({fields, problem: undefined}, {partition: 'bench', offset: 0n})
      toEvent ??= swatRowToEvent({columns, delimiter: ',', keyed: false})
      const event = outcome && 'rows' in outcome ? outcome.rows[0] : undefined
      if (event && 'value' in event) yield event.value.replace(/":"(-?\d+(?:\.\d+)?)"/g, '":$1')
    }
  }
}

/** Readings of so many numbers that each message weighs this much. */
export function* largeEvents(count: number, bytes: number): Generator<string> {
  const first = Date.UTC(2020, 0, 1)
  const fields = Array.from({length: Math.floor(bytes / FIELD_BYTES)}, (_, index) => `"field${String(index).padStart(6, '0')}":`)
  for (let message = 0; message < count; message++) {
    const values = fields.map((name, index) => `${name}${((index + message) % 1000) + 1000.5}`)
    yield `{"Timestamp":"${new Date(first + message * 1000).toISOString()}",${values.join(',')}}`
  }
}

const FIELD_BYTES = '"field000000":1000.5,'.length
const BYTES_AT_ONCE = 2_000_000

/** A topic of one partition with these messages. */
export async function fillTopic(broker: string, topic: string, values: Iterable<string>): Promise<void> {
  const settings = {brokers: [broker], connectTimeoutMilliseconds: 5000, tls: undefined, sasl: undefined}
  const producer = createKafkaProducer(settings, {topic, clock: systemClock, log: silent})
  let records: {key: null; value: string}[] = []
  let bytes = 0
  for (const value of values) {
    records.push({key: null, value})
    bytes += value.length
    if (records.length < MESSAGES_AT_ONCE && bytes < BYTES_AT_ONCE) continue
    await producer.send(records)
    records = []
    bytes = 0
  }

  if (records.length > 0) await producer.send(records)
  await producer.close()
}
