import type {DeadLetter, RawMessage, Runtime, Source} from '../core/types.ts'
import type {Given} from '../runtime/given.ts'
import type {Values} from './flag.ts'
import type {deliveryFlags, kafkaFlags} from './flags.ts'
import {acquireLock} from '../runtime/lock.ts'
import {createDeadLetterFile, refuseDeadLetters} from '../sinks/dead-letter-file.ts'
import {kafkaSettings} from './connections.ts'
import {deadLetterFile} from './flags.ts'

export interface Letters {
  readonly deadLetter: DeadLetter
  /** For people: "./dead-letters/produce.ndjson", or "topic rejects". */
  readonly deadLettersAt: () => string
}

export interface LetterOptions {
  readonly command: string
  readonly source: Pick<Source<unknown>, 'describe'>
  /** A message of the source, as it came. */
  raw(value: unknown): RawMessage
  /** A dry run writes to no server: its letters go to the usual file even where a topic is named. */
  readonly isDryRun: boolean
}

type LetterValues = Values<ReturnType<typeof deliveryFlags> & typeof kafkaFlags>

const MAX_FILE_BYTES = 100_000_000

/** A file by default, `kafka:TOPIC`, or `none`. */
export async function openDeadLetters(
  values: LetterValues,
  given: ReadonlyMap<string, Given>,
  {command, source, raw, isDryRun}: LetterOptions,
  {clock, log}: Pick<Runtime, 'clock' | 'log'>,
): Promise<Letters> {
  const where = values['dead-letter']
  const options = {command, describe: source.describe, raw, now: () => clock.now()}
  if (where === 'none') return {deadLetter: refuseDeadLetters(source.describe), deadLettersAt: () => 'nowhere'}
  const isTopic = where.startsWith('kafka:')
  if (!isTopic || isDryRun) {
    const path = isTopic ? deadLetterFile(command) : where
    const file = createDeadLetterFile({...options, path, maxBytes: MAX_FILE_BYTES, acquireLock})
    return {deadLetter: file, deadLettersAt: () => file.path() ?? path}
  }

  const topic = where.slice('kafka:'.length)
  const [{createKafkaProducer}, {createDeadLetterTopic}] = await Promise.all([
    import('../clients/kafka/producer.ts'),
    import('../sinks/dead-letter-topic.ts'),
  ])
  const producer = createKafkaProducer(await kafkaSettings(values, given), {topic, clock, log})
  return {deadLetter: createDeadLetterTopic(producer, options), deadLettersAt: () => `topic ${topic}`}
}
