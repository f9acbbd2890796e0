import type {RawMessage, RetryPolicy, Runtime, Source} from '../core/types.ts'
import type {Given} from '../runtime/given.ts'
import type {Values} from './flag.ts'
import type {dryRunFlag, inputFlag, kafkaFlags, limitFlags} from './flags.ts'
import {UnavailableError, UsageError} from '../errors.ts'
import {limited} from '../sources/limited.ts'
import {createNdjsonSource} from '../sources/ndjson.ts'
import {kafkaSettings} from './connections.ts'
import {text, valueFlag} from './flag.ts'

export const groupFlag = (fallback: string) => ({
  group: valueFlag(text, {
    summary: 'consumer group; a new one begins at the earliest message',
    group: 'KAFKA',
    fallback,
    value: 'NAME',
  }),
})

export type MessageValues = Values<
  typeof kafkaFlags & typeof inputFlag & typeof limitFlags & typeof dryRunFlag & ReturnType<typeof groupFlag>
> & {
  readonly topic: string
}

export interface Messages {
  readonly source: Source<RawMessage>
  /** Records that wait behind what was settled; an input has no such number. */
  readonly lag: (() => number) | undefined
  readonly isConnected: (() => boolean) | undefined
}

/** Without a limit a topic is read for ever; an input ends by itself. */
export const isEndlessInput = (values: MessageValues) =>
  values.input === 'kafka' && !values['until-end'] && values['max-messages'] === undefined && values['max-time'] === undefined

/** What becomes of messages that were read and not settled: a topic has them still, an input has not. */
export const leftoverOf =
  ({input}: Pick<MessageValues, 'input'>) =>
  (unacknowledged: number): string => {
    if (unacknowledged === 0) return ''
    return input === 'kafka'
      ? `${unacknowledged} records left unacknowledged, they will be read again`
      : `${unacknowledged} records were not written`
  }

export async function openMessages(
  values: MessageValues,
  given: ReadonlyMap<string, Given>,
  runtime: Runtime,
  retry: RetryPolicy,
): Promise<Messages> {
  const limits = {maxMessages: values['max-messages'], maxMilliseconds: values['max-time']}
  if (values.input === '-') {
    if (values['until-end'] && given.get('until-end')?.origin.kind === 'flag')
      throw new UsageError('--until-end is about a topic: an input ends by itself')
    return {
      source: limited(createNdjsonSource({input: process.stdin, name: 'stdin'}), limits, runtime.clock),
      lag: undefined,
      isConnected: undefined,
    }
  }

  const [{createKafkaConsumer}, {createKafkaSource}] = await Promise.all([
    import('../clients/kafka/consumer.ts'),
    import('../sources/kafka.ts'),
  ])
  const {topic, group} = values
  const member = createKafkaConsumer(await kafkaSettings(values, given), {topic, group, log: runtime.log})
  const consumer = values['dry-run'] ? {...member, commit: async () => {}} : member // what is only shown is still to be read
  const source = createKafkaSource({consumer, topic, untilEnd: values['until-end'], retry}, runtime)
  return {
    source: neverEmptyHanded(limited(source, limits, runtime.clock), () => source.isConnected(), values.broker),
    lag: () => source.lag(),
    isConnected: () => source.isConnected(),
  }
}

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
