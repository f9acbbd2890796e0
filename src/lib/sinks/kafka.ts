import type {KafkaProducer, OutgoingRecord} from '../clients/kafka/producer.ts'
import type {Sink} from '../core/types.ts'

/** Records to one topic, one batch at a time: with two on their way, a failed first one would overtake the second. */
export function createKafkaSink<R extends OutgoingRecord>(producer: KafkaProducer): Sink<R> {
  return {
    maxInFlight: 1,
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
