import type {RawMessage, RetryPolicy, Runtime, Source, Transform} from '../core/types.ts'
import type {Given} from '../runtime/given.ts'
import type {Values} from './flag.ts'
import type {batchFlags, deliveryFlags, dryRunFlag, inputFlag, kafkaFlags, limitFlags, offsetGapFlag, topicFlag} from './flags.ts'
import type {StreamPlan} from './stream.ts'
import {UnavailableError, UsageError} from '../errors.ts'
import {acquireLock} from '../runtime/lock.ts'
import {standardInput} from '../runtime/standard-input.ts'
import {limited} from '../sources/limited.ts'
import {createNdjsonSource} from '../sources/ndjson.ts'
import {kafkaSettings} from './connections.ts'
import {openDeadLetters} from './dead-letters.ts'
import {text, valueFlag} from './flag.ts'
import {batchLimits} from './stream.ts'

export const groupFlag = (fallback: string) => ({
  group: valueFlag(text, {
    summary: 'consumer group; a new one begins at the earliest message',
    group: 'KAFKA',
    fallback,
    value: 'NAME',
  }),
})

export type MessageValues = Values<
  typeof kafkaFlags &
    typeof inputFlag &
    typeof limitFlags &
    typeof offsetGapFlag &
    typeof dryRunFlag &
    ReturnType<typeof groupFlag> &
    ReturnType<typeof topicFlag> &
    ReturnType<typeof batchFlags> &
    ReturnType<typeof deliveryFlags>
>

/** Without a limit a topic is read for ever; an input ends by itself. */
export const isEndlessInput = (values: MessageValues) =>
  values.input === 'kafka' && !values['until-end'] && values['max-messages'] === undefined && values['max-time'] === undefined

/** All of a plan that messages have in common, whatever they become. */
export type MessagePlan<O> = Omit<StreamPlan<RawMessage, O>, 'sink'>

export interface Reading<O> {
  readonly command: string
  readonly transform: Transform<RawMessage, O>
  readonly runtime: Runtime
  readonly retry: RetryPolicy
}

export async function openMessages<O>(
  values: MessageValues,
  given: ReadonlyMap<string, Given>,
  {command, transform, runtime, retry}: Reading<O>,
): Promise<MessagePlan<O>> {
  if (values.input.startsWith(LETTERS)) return openLetters(values, {command, transform, runtime})
  const messages = values.input === 'kafka' ? await openTopic(values, given, runtime, retry) : openInput(values, given, runtime)
  const {source} = messages
  const raw = (value: unknown) => value as RawMessage
  return {
    ...messages,
    transform,
    ...(await openDeadLetters(values, given, {command, source, raw, isDryRun: values['dry-run']}, runtime)),
    batch: batchLimits(values),
    leftover: messages.leftover ?? ((count) => (count === 0 ? '' : `${count} records were not written`)),
  }
}

/** What a run leaves in its topic for the next one. */
export function leftInTopic(unacknowledged: number, uncommitted: number): string {
  const left = [
    ...(unacknowledged > 0 ? [`${unacknowledged} records left unacknowledged`] : []),
    ...(uncommitted > 0 ? [`${uncommitted} settled records not committed`] : []),
  ]
  return left.length === 0 ? '' : `${left.join(' and ')}, they will be read again`
}

/** Letters that are rejected again stay in their file. */
async function openLetters<O>(values: MessageValues, {command, transform, runtime}: Omit<Reading<O>, 'retry'>): Promise<MessagePlan<O>> {
  const {openReplay} = await import('../jobs/replay-letters.ts')
  const path = values.input.slice(LETTERS.length)
  const now = () => runtime.clock.now()
  const {source, deadLetter, only} = await openReplay({path, command, keepsAll: values['dry-run'], now, acquireLock})
  return {
    source: limited(source, limitsOf(values), runtime.clock),
    transform: only(transform),
    deadLetter,
    deadLettersAt: () => path,
    batch: batchLimits(values),
    leftover: (count) => (count === 0 ? '' : `${count} letters were not written, they are still in ${path}`),
  }
}

const LETTERS = 'letters:'

type Opened = Pick<MessagePlan<never>, 'source' | 'lag' | 'counts' | 'isConnected'> & Partial<Pick<MessagePlan<never>, 'leftover'>>

function openInput(values: MessageValues, given: ReadonlyMap<string, Given>, {clock}: Runtime): Opened {
  if (values['until-end'] && given.get('until-end')?.origin.kind === 'flag')
    throw new UsageError('--until-end is about a topic: an input ends by itself')
  return {source: limited(createNdjsonSource({input: standardInput(), name: 'stdin'}), limitsOf(values), clock)}
}

async function openTopic(values: MessageValues, given: ReadonlyMap<string, Given>, runtime: Runtime, retry: RetryPolicy): Promise<Opened> {
  const [{createKafkaConsumer}, {createKafkaSource}] = await Promise.all([
    import('../clients/kafka/consumer.ts'),
    import('../sources/kafka.ts'),
  ])
  const {topic, group} = values
  const member = createKafkaConsumer(await kafkaSettings(values, given), {topic, group, log: runtime.log})
  const consumer = values['dry-run'] ? {...member, commit: async () => {}} : member // what is only shown is still to be read
  const source = createKafkaSource({consumer, topic, untilEnd: values['until-end'], onOffsetGap: values['on-offset-gap'], retry}, runtime)
  const isConnected = () => source.isConnected()
  return {
    source: neverEmptyHanded(limited(source, limitsOf(values), runtime.clock), isConnected, values.broker),
    lag: () => source.lag(),
    counts: [
      {
        key: 'staleAcknowledgements',
        metric: 'ucs_stale_acknowledgements_total',
        help: 'Messages settled after their partition was taken away: whoever has it now reads them again.',
        value: () => source.staleAcks(),
      },
      {
        key: 'lostToRetention',
        metric: 'ucs_records_lost_to_retention_total',
        help: 'Records that the topic kept no longer when we came to read them.',
        value: () => source.lostToRetention(),
      },
    ],
    isConnected,
    leftover: (count) => leftInTopic(count, values['dry-run'] ? 0 : source.uncommitted()),
  }
}

const limitsOf = (values: MessageValues) => ({maxMessages: values['max-messages'], maxMilliseconds: values['max-time']})

/** That `--max-time` is over before a broker was reached is no success: nothing is known of what waits there. */
function neverEmptyHanded<T>(source: Source<T>, isConnected: () => boolean, broker: string): Source<T> {
  let hasRead = false
  return {
    ...source,
    async *read(signal) {
      for await (const chunk of source.read(signal)) {
        hasRead ||= chunk.length > 0
        yield chunk
      }
    },
    async complete() {
      if (!hasRead && !isConnected())
        throw new UnavailableError(`the time was over before ${broker} let us into the consumer group`, {
          suggestion: 'Is the broker running? Check --broker or KAFKA_BROKER',
        })
      await source.complete()
    },
  }
}
