import type {KafkaProducer, OutgoingRecord} from '../clients/kafka/producer.ts'
import type {Sink} from '../core/types.ts'

/** Records to one topic, one batch at a time: with two on their way, a failed first one would overtake the second. */
export function createKafkaSink<R extends OutgoingRecord>(producer: KafkaProducer): Sink<R> {
  return {
    maxInFlight: 1,
    check: (signal) => producer.connect(signal),
    send: (records) => producer.send(records),
    close: () => producer.close(),
  }
}
