import type {DeadLetter, RawMessage, Runtime, Source} from '../core/types.ts'
import type {Given} from '../runtime/given.ts'
import type {Values} from './flag.ts'
import type {deliveryFlags, kafkaFlags} from './flags.ts'
import {acquireLock} from '../runtime/lock.ts'
import {checkWritable} from '../runtime/writable-file.ts'
import {createDeadLetterFile, refuseDeadLetters} from '../sinks/dead-letter-file.ts'
import {createDeadLetterLog} from '../sinks/dead-letter-log.ts'
import {kafkaSettings} from './connections.ts'

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
  /** A dry run puts nothing aside, wherever its letters would go. */
  readonly isDryRun: boolean
}

type LetterValues = Values<ReturnType<typeof deliveryFlags> & typeof kafkaFlags>

const MAX_FILE_BYTES = 100_000_000

/** A file by default, `kafka:TOPIC`, or `none`; in a dry run the log. Rejects at once where a file that was named could not be written. */
export async function openDeadLetters(
  values: LetterValues,
  given: ReadonlyMap<string, Given>,
  {command, source, raw, isDryRun}: LetterOptions,
  {clock, log}: Pick<Runtime, 'clock' | 'log'>,
): Promise<Letters> {
  const where = values['dead-letter']
  const options = {command, describe: source.describe, raw, now: () => clock.now()}
  if (where === 'none') return {deadLetter: refuseDeadLetters(source.describe), deadLettersAt: () => 'nowhere'}
  if (isDryRun)
    return {deadLetter: createDeadLetterLog(source.describe, log), deadLettersAt: () => 'the log only, as a dry run puts nothing aside'}
  if (!where.startsWith('kafka:')) {
    if (given.has('dead-letter')) await checkWritable(where, '--dead-letter') // one that nobody asked for may never be needed
    const file = createDeadLetterFile({...options, path: where, maxBytes: MAX_FILE_BYTES, acquireLock})
    return {deadLetter: file, deadLettersAt: () => file.path() ?? where}
  }

  const topic = where.slice('kafka:'.length)
  const [{createKafkaProducer}, {createDeadLetterTopic}] = await Promise.all([
    import('../clients/kafka/producer.ts'),
    import('../sinks/dead-letter-topic.ts'),
  ])
  const producer = createKafkaProducer(await kafkaSettings(values, given), {topic, clock, log})
  return {deadLetter: createDeadLetterTopic(producer, options), deadLettersAt: () => `topic ${topic}`}
}
