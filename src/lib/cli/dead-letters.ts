import type {KafkaSettings} from '../clients/kafka/connection.ts'
import type {Clock, DeadLetter, Logger, Position, RawMessage} from '../core/types.ts'
import {acquireLock} from '../runtime/lock.ts'
import {createDeadLetterFile, refuseDeadLetters} from '../sinks/dead-letter-file.ts'
import {deadLetterFile} from './flags.ts'

export interface DeadLetterTarget {
  readonly deadLetter: DeadLetter
  /** For people: "./dead-letters/produce.ndjson", or "topic rejects". */
  where(): string
}

export interface DeadLetterWiring {
  /** What `--dead-letter` says. */
  readonly where: string
  /** A dry run writes to no server: its letters go to the usual file even where a topic is named. */
  readonly isDryRun: boolean
  readonly command: string
  describe(position: Position): string
  raw(value: unknown): RawMessage
  /** Asked for when the letters go to a topic. */
  kafka(): Promise<KafkaSettings>
  readonly clock: Clock
  readonly log: Logger
}

const MAX_FILE_BYTES = 100_000_000

/** A file by default, `kafka:TOPIC`, or `none`. */
export async function openDeadLetters(wiring: DeadLetterWiring): Promise<DeadLetterTarget> {
  const {where, isDryRun, command, describe, raw, clock, log} = wiring
  const options = {command, describe, raw, now: () => clock.now()}
  if (where === 'none') return {deadLetter: refuseDeadLetters(describe), where: () => 'nowhere'}
  const isTopic = where.startsWith('kafka:')
  if (!isTopic || isDryRun) {
    const path = isTopic ? deadLetterFile(command) : where
    const file = createDeadLetterFile({...options, path, maxBytes: MAX_FILE_BYTES, acquireLock})
    return {deadLetter: file, where: () => file.path() ?? path}
  }

  const topic = where.slice('kafka:'.length)
  const [{createKafkaProducer}, {createDeadLetterTopic}] = await Promise.all([
    import('../clients/kafka/producer.ts'),
    import('../sinks/dead-letter-topic.ts'),
  ])
  const producer = createKafkaProducer(await wiring.kafka(), {topic, clock, log})
  return {deadLetter: createDeadLetterTopic(producer, options), where: () => `topic ${topic}`}
}
