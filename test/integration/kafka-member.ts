import type {KafkaSettings} from '../../src/lib/clients/kafka/connection.ts'
import type {KafkaConsumer} from '../../src/lib/clients/kafka/consumer.ts'
import type {Limits} from '../../src/lib/sources/limited.ts'
import type {Message, RawMessage, Source} from '../../src/lib/core/types.ts'
import {createKafkaConsumer} from '../../src/lib/clients/kafka/consumer.ts'
import {systemClock} from '../../src/lib/runtime/clock.ts'
import {createKafkaSource, type KafkaSource} from '../../src/lib/sources/kafka.ts'
import {limited} from '../../src/lib/sources/limited.ts'
import {acknowledged} from '../contract/source.ts'
import {rememberingLogger} from '../fakes/logger.ts'

export interface MemberOptions {
  readonly settings: KafkaSettings
  readonly topic: string
  /** Named after the topic, if it has no name of its own. */
  readonly group?: string
  readonly untilEnd?: boolean
  readonly onOffsetGap?: 'fail' | 'earliest'
  readonly retryForMilliseconds?: number
  /** Sees, or replaces, what the source asks of kafkajs. */
  readonly through?: (consumer: KafkaConsumer) => KafkaConsumer
}

/** A source as `ucs` makes it, and its log. */
export interface Member {
  readonly source: KafkaSource
  readonly events: ReturnType<typeof rememberingLogger>['events']
}

export const plainSettings = (address: string): KafkaSettings => ({
  brokers: [address],
  connectTimeoutMilliseconds: 5000,
  tls: undefined,
  sasl: undefined,
})

export function openMember({
  settings,
  topic,
  group = topic,
  untilEnd = false,
  onOffsetGap = 'fail',
  retryForMilliseconds = 30_000,
  through,
}: MemberOptions): Member {
  const {log, events} = rememberingLogger()
  const abort = new AbortController().signal
  const runtime = {clock: systemClock, log, random: Math.random, stop: abort, abort}
  const retry = {forMilliseconds: retryForMilliseconds, baseMilliseconds: 100, capMilliseconds: 1000}
  const consumer = createKafkaConsumer(settings, {topic, group, log})
  return {source: createKafkaSource({consumer: through?.(consumer) ?? consumer, topic, untilEnd, onOffsetGap, retry}, runtime), events}
}

export interface Reading {
  /** In the order in which they came. */
  readonly values: readonly string[]
  readonly messages: readonly Message<RawMessage>[]
  /** Each warning's event with what it says. */
  readonly warnings: readonly object[]
}

/** What a group has not read yet, read to its end, acknowledged and committed; or no more than the limits say. */
export async function readToEnd(options: MemberOptions, limits: Partial<Limits> = {}): Promise<Reading> {
  const {source, events} = openMember({...options, untilEnd: true})
  const messages: Message<RawMessage>[] = []
  try {
    for await (const chunk of acknowledged(withLimits(source, limits))) messages.push(...chunk)
    await source.complete()
  } finally {
    await source.close()
  }

  const warnings = events.filter(([level]) => level === 'warn').map(([, event, fields]) => ({event, ...fields}))
  return {messages, values: messages.map(({value}) => String(value.value)), warnings}
}

function withLimits(source: Source<RawMessage>, {maxMessages, maxMilliseconds}: Partial<Limits>): Source<RawMessage> {
  return limited(source, {maxMessages, maxMilliseconds}, systemClock)
}
