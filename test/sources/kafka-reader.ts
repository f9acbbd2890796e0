import {onTestFinished} from 'vitest'
import type {Message, RawMessage} from '../../src/lib/core/types.ts'
import type {Delivery, FakeConsumerOptions} from '../fakes/kafka-consumer.ts'
import {createKafkaSource} from '../../src/lib/sources/kafka.ts'
import {limited} from '../../src/lib/sources/limited.ts'
import {fakeConsumer} from '../fakes/kafka-consumer.ts'
import {rememberingLogger} from '../fakes/logger.ts'
import {virtualClock} from '../fakes/virtual-clock.ts'

export type Chunk = readonly Message<RawMessage>[]

export interface Options extends FakeConsumerOptions {
  readonly untilEnd?: boolean
  readonly onOffsetGap?: 'fail' | 'earliest'
  readonly maxMessages?: number
  readonly forMilliseconds?: number
}

export const never = new AbortController().signal
export const upTo = (count: number, first = 0) => Array.from({length: count}, (_, index) => first + index)
/** Whatever only waits for promises has happened after this. */
export const settled = (word?: string) => new Promise<string | undefined>((resolve) => setImmediate(resolve, word))

/** A source whose broker and whose reader are the test. */
export function setUp({untilEnd = false, onOffsetGap = 'fail', maxMessages, forMilliseconds = 60_000, ...options}: Options = {}) {
  const fake = fakeConsumer(options)
  const clock = virtualClock()
  const silenced = new AbortController()
  const talk = async () => {
    const {answered} = await fake.running
    while (!silenced.signal.aborted) {
      answered()
      await clock.sleep(500, silenced.signal).catch(() => {})
    }
  }

  void talk()
  const {log, events} = rememberingLogger()
  const [stopping, aborting] = [new AbortController(), new AbortController()]
  const runtime = {clock, log, random: () => 1, stop: stopping.signal, abort: aborting.signal}
  const retry = {forMilliseconds, baseMilliseconds: 100, capMilliseconds: 10_000}
  const source = createKafkaSource({consumer: fake.consumer, topic: 't', untilEnd, onOffsetGap, retry}, runtime)
  const chunks = limited(source, {maxMessages, maxMilliseconds: undefined}, clock).read(stopping.signal)[Symbol.asyncIterator]()
  onTestFinished(async () => {
    silenced.abort()
    aborting.abort()
    await source.close().catch(() => {})
  })

  /** The next chunk, the empty ones too; undefined at the end. */
  const takeAny = async (): Promise<Chunk | undefined> => {
    const next = await chunks.next()
    return next.done ? undefined : next.value
  }

  /** The next chunk that holds a message. */
  const take = async (): Promise<Chunk> => {
    for (;;) {
      const chunk = await takeAny()
      if (chunk === undefined) throw new Error('the source has ended')
      if (chunk.length > 0) return chunk
    }
  }

  return {
    ...fake,
    clock,
    source,
    takeAny,
    take,
    /** Begins to read, and has these partitions assigned. */
    async start(...partitions: readonly number[]): Promise<void> {
      const beginning = takeAny() // before a join, also the first, what was read is to be sent
      await fake.join(...partitions)
      await beginning
      await settled()
    },
    /** The chunk of this batch, which holds no more than one. */
    async takeOf(delivery: Delivery): Promise<Chunk> {
      const [chunk] = await Promise.all([take(), fake.deliver(delivery)])
      return chunk
    },
    /** What becomes of the read, when nothing more is delivered. */
    async rest(): Promise<'ended' | 'waits' | Error> {
      const ending = (async () => {
        while ((await takeAny()) !== undefined);
        return 'ended' as const
      })().catch((error: Error) => error)
      const patience = clock.sleep(1e6, never).then(() => 'waits' as const)
      return Promise.race([ending, patience])
    },
    warnings: () => events.filter(([level]) => level === 'warn').map(([, event, fields]) => ({event, ...fields})),
    /** The broker answers nothing any more. */
    silence: () => silenced.abort(),
    stop: () => stopping.abort(),
    abort: () => aborting.abort(),
  }
}
