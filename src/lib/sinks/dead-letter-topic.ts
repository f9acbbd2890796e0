import type {DeadLetter, Letter, RawMessage} from '../core/types.ts'
import type {KafkaProducer, OutgoingRecord} from '../clients/kafka/producer.ts'
import type {DeadLetterOptions} from './dead-letter-file.ts'
import {PartialWriteError, UnavailableError} from '../errors.ts'
import {recordOf} from './dead-letter-file.ts'

/** Rejected messages to a topic, key, headers and bytes as they came, with what was wrong in headers of ours. */
export function createDeadLetterTopic(producer: KafkaProducer, options: DeadLetterOptions): DeadLetter {
  return {
    put: (letters) => send(letters.map(recordFor)),
    close: () => producer.close(),
  }

  /** A broker takes about 1 MB at once, and a batch of rejected messages may be more. */
  async function send(records: readonly OutgoingRecord[]): Promise<void> {
    try {
      await producer.send(records)
    } catch (error) {
      if (!(error instanceof PartialWriteError)) throw error
      if (records.length === 1) {
        throw new UnavailableError(`the topic for dead letters refuses a record: ${error.message}`, {
          cause: error,
          permanent: true,
          suggestion: "Raise the topic's max.message.bytes, or name a file with --dead-letter",
        })
      }

      await send(records.slice(0, records.length >> 1))
      await send(records.slice(records.length >> 1))
    }
  }

  function recordFor(letter: Letter): OutgoingRecord {
    const {key, value, headers} = options.raw(letter.message.value)
    const {time, command, topic, partition, offset, index, reason} = recordOf(letter, options)
    const ours = {
      'ucs-time': time,
      'ucs-command': command,
      'ucs-topic': topic,
      'ucs-partition': String(partition),
      'ucs-offset': offset,
      'ucs-reason': reason.code,
      'ucs-message': reason.message,
      ...(index === null ? {} : {'ucs-index': String(index)}),
    }
    return {key, value, headers: {...withoutNulls(headers), ...ours}}
  }
}

/** kafkajs reads headers that have no value, but cannot write them. */
function withoutNulls(headers: RawMessage['headers'] = {}): NonNullable<OutgoingRecord['headers']> {
  const entries = Object.entries(headers).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.map((each) => each ?? '') : (value ?? ''),
  ])
  return Object.fromEntries(entries) as NonNullable<OutgoingRecord['headers']>
}
