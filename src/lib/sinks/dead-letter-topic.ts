import type {DeadLetter} from '../core/types.ts'
import type {KafkaProducer} from '../clients/kafka/producer.ts'
import type {DeadLetterOptions} from './dead-letter-file.ts'
import {recordOf} from './dead-letter-file.ts'

/** Rejected messages to a topic, key, headers and bytes as they came, with what was wrong in headers of ours. */
export function createDeadLetterTopic(producer: KafkaProducer, options: DeadLetterOptions): DeadLetter {
  return {
    async put(letters) {
      await producer.send(
        letters.map((letter) => {
          const {key, value} = options.raw(letter.message.value)
          const {time, command, topic, partition, offset, index, reason, headers} = recordOf(letter, options)
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
          return {key, value, headers: {...headers, ...ours}}
        }),
      )
    },
    close: () => producer.close(),
  }
}
