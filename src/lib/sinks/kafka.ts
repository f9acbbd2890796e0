import type {KafkaProducer, OutgoingRecord} from '../clients/kafka/producer.ts'
import type {Sink} from '../core/types.ts'

/** Records to one topic. They keep their order with one batch on its way at a time: of two, a failed first one overtakes the second. */
export function createKafkaSink<R extends OutgoingRecord>(producer: KafkaProducer, maxInFlight = 1): Sink<R> {
  return {
    maxInFlight,
    check: (signal) => producer.connect(signal),
    send: (records, {signal}) => orAborted(() => producer.send(records), signal),
    close: () => producer.close(),
  }
}

/** kafkajs takes no signal: what it was given before an abort may still arrive, but nobody waits for it. */
function orAborted(send: () => Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort)
    void send()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', abort))
  })
}
