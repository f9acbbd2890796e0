import type {KafkaSettings} from '../../src/lib/clients/kafka/connection.ts'
import type {KafkaConsumer, PartitionOffset} from '../../src/lib/clients/kafka/consumer.ts'
import type {Ledger, RawMessage} from '../../src/lib/core/types.ts'
import {setTimeout as sleep} from 'node:timers/promises'
import {createKafkaConsumer} from '../../src/lib/clients/kafka/consumer.ts'
import {createKafkaProducer, type OutgoingRecord} from '../../src/lib/clients/kafka/producer.ts'
import {runPipeline} from '../../src/lib/core/pipeline.ts'
import {withRetry} from '../../src/lib/core/retry.ts'
import {systemClock} from '../../src/lib/runtime/clock.ts'
import {createKafkaSource} from '../../src/lib/sources/kafka.ts'
import {rememberingLogger} from '../fakes/logger.ts'

/** Members that read a topic into one list, while somebody writes to it: what is stored, how often, and what is wrong with commits. */
export interface Load {
  /** How often each value was stored. */
  readonly stored: ReadonlyMap<string, number>
  /** Commits of what was not stored by then. */
  readonly faults: readonly string[]
  startMember(): LoadMember
  startProducer(): LoadProducer
}

export interface LoadMember {
  /** Resolves when it has stored so many more. */
  stores(count: number): Promise<void>
  stop(): Promise<Ledger>
  readonly warnings: () => readonly string[]
}

export interface LoadProducer {
  /** The values that the broker has acknowledged. */
  stop(): Promise<readonly string[]>
}

const WRITE_MILLISECONDS = 20
const PAUSE_MILLISECONDS = 10
const retry = {forMilliseconds: 60_000, baseMilliseconds: 100, capMilliseconds: 1000}
const never = new AbortController().signal

export function createLoad(settings: KafkaSettings, topic: string): Load {
  const stored = new Map<string, number>()
  const offsets = new Map<number, Set<bigint>>()
  const faults: string[] = []

  return {stored, faults, startMember, startProducer}

  function startMember(): LoadMember {
    const {log, events} = rememberingLogger()
    const stop = new AbortController()
    const runtime = {clock: systemClock, log, random: Math.random, stop: stop.signal, abort: never}
    const consumer = watched(createKafkaConsumer(settings, {topic, group: topic, log}))
    const source = createKafkaSource({consumer, topic, untilEnd: false, onOffsetGap: 'fail', retry}, runtime)
    const waiting: {count: number; resolve(): void}[] = []
    let own = 0

    const running = runPipeline<RawMessage, {value: string; partition: number; offset: bigint}>(
      {
        source,
        retry,
        batch: {count: 100, bytes: 1e6, milliseconds: 50},
        transform: ({value}, {partition, offset}) => ({
          rows: [{value: String(value), partition: Number(/\d+(?=@)/.exec(partition)![0]), offset}],
        }),
        sink: {
          maxInFlight: 2,
          async check() {},
          async close() {},
          async send(rows) {
            await sleep(WRITE_MILLISECONDS)
            for (const {value, partition, offset} of rows) {
              stored.set(value, (stored.get(value) ?? 0) + 1)
              if (!offsets.has(partition)) offsets.set(partition, new Set())
              offsets.get(partition)!.add(offset)
            }

            own += rows.length
            for (const waiter of waiting.filter(({count}) => count <= own)) waiter.resolve()
          },
        },
        deadLetter: {async put() {}, async close() {}},
      },
      runtime,
    )
    running.catch(() => {})
    return {
      async stores(count) {
        const {promise, resolve} = Promise.withResolvers<undefined>()
        waiting.push({count: own + count, resolve: () => resolve(undefined)})
        await Promise.race([promise, running])
      },
      async stop() {
        stop.abort()
        const ledger = await running
        await source.close()
        return ledger
      },
      warnings: () => events.flatMap(([level, event]) => (level === 'warn' || level === 'error' ? [event] : [])),
    }
  }

  function watched(consumer: KafkaConsumer): KafkaConsumer {
    return {
      ...consumer,
      async commit(committed) {
        faults.push(...committed.flatMap(faultOf))
        await consumer.commit(committed)
      },
    }
  }

  function faultOf({partition, offset}: PartitionOffset): readonly string[] {
    const known = offsets.get(partition) ?? new Set()
    for (let each = 0n; each < offset; each++) {
      if (!known.has(each)) return [`${partition}:${offset} is committed before ${each} is stored`]
    }

    return []
  }

  function startProducer(): LoadProducer {
    const {log} = rememberingLogger()
    const producer = createKafkaProducer(settings, {topic, clock: systemClock, log})
    const runtime = {clock: systemClock, log, random: Math.random}
    const acknowledged: string[] = []
    let isStopped = false
    const running = (async () => {
      for (let next = 0; !isStopped; next += 20) {
        const records = Array.from({length: 20}, (_, index): OutgoingRecord => ({key: String(index), value: String(next + index)}))
        await withRetry({work: () => producer.send(records), policy: retry, signal: never}, runtime)
        acknowledged.push(...records.map(({value}) => value as string))
        await sleep(PAUSE_MILLISECONDS)
      }
    })()
    running.catch(() => {})
    return {
      async stop() {
        isStopped = true
        await running
        await producer.close()
        return acknowledged
      },
    }
  }
}
