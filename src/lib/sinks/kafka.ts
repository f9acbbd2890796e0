import type {KafkaProducer, OutgoingRecord} from '../clients/kafka/producer.ts'
import type {Sink} from '../core/types.ts'
import {orAborted} from '../core/or-aborted.ts'

/** Records to one topic. They keep their order with one batch on its way at a time: of two, a failed first one overtakes the second. */
export function createKafkaSink<R extends OutgoingRecord>(producer: KafkaProducer, maxInFlight = 1): Sink<R> {
  return {
    target: producer.target,
    maxInFlight,
    check: (signal) => producer.connect(signal),
    send: (records, {signal}) => orAborted(() => producer.send(records), signal),
    close: () => producer.close(),
  }
}
