import {createKafkaProducer} from '../src/lib/clients/kafka/producer.ts'
import {sampleLines} from '../src/lib/jobs/sample-data.ts'
import {systemClock} from '../src/lib/runtime/clock.ts'
import {isSwatHeader, swatRowToEvent} from '../src/lib/transforms/row-to-event.ts'

const silent = {debug() {}, info() {}, warn() {}, error() {}}
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

/** A topic of one partition with so many readings. */
export async function fillTopic(broker: string, topic: string, count: number): Promise<void> {
  const settings = {brokers: [broker], connectTimeoutMilliseconds: 5000, tls: undefined, sasl: undefined}
  const producer = createKafkaProducer(settings, {topic, clock: systemClock, log: silent})
  let records: {key: null; value: string}[] = []
  for (const value of swatEvents(count)) {
    records.push({key: null, value})
    if (records.length < MESSAGES_AT_ONCE) continue
    await producer.send(records)
    records = []
  }

  if (records.length > 0) await producer.send(records)
  await producer.close()
}
