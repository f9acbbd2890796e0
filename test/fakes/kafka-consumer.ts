import type {ConsumerHandlers, KafkaConsumer, KafkaRecord, PartitionOffset} from '../../src/lib/clients/kafka/consumer.ts'

export interface FakeConsumerOptions {
  /** First offset and end of each partition, by its number. */
  readonly ranges?: readonly (readonly [low: number, high: number])[]
  /** What the group has committed, by partition. */
  readonly committed?: Readonly<Record<number, number>>
  readonly consumer?: Partial<KafkaConsumer>
}

export interface Delivery {
  readonly partition?: number
  readonly offsets: readonly number[]
  /** Where control records, aborted ones and gaps after the last offset end. */
  readonly next?: number
  readonly end?: number
  /** Of each value; by default it is its offset in digits. */
  readonly bytes?: number
  heartbeat?(): Promise<void>
}

/** Ten partitions to which nothing was ever written. */
const EMPTY = Array.from({length: 10}, () => [0, 0] as const)

/** A consumer whose broker is the test: it joins, delivers and breaks when it is told to, and remembers what was committed. */
export function fakeConsumer({ranges = EMPTY, committed = {}, consumer: overrides = {}}: FakeConsumerOptions = {}) {
  const running = Promise.withResolvers<ConsumerHandlers>()
  const commits: string[] = []
  const taken: string[] = []
  const calls: string[] = []

  const consumer: KafkaConsumer = {
    async connect() {
      calls.push('connect')
    },
    async run(handlers) {
      calls.push('run')
      running.resolve(handlers)
    },
    async commit(offsets) {
      commits.push(textOf(offsets))
    },
    ranges: async () => ranges.map(([low, high], partition) => ({partition, low: BigInt(low), high: BigInt(high)})),
    committed: async () => Object.entries(committed).map(([partition, offset]) => ({partition: Number(partition), offset: BigInt(offset)})),
    async close() {
      calls.push('close')
    },
    ...overrides,
  }

  return {
    consumer,
    /** "0:17 1:4" for each commit. */
    commits,
    /** "0:16": how far batches were taken, as kafkajs is told. */
    taken,
    calls,
    running: running.promise,
    /** Resolves when the source has left its former membership. */
    async join(...partitions: readonly number[]) {
      const handlers = await running.promise
      await handlers.leaving()
      handlers.assigned(partitions)
    },
    /** Resolves when the source wants more. */
    async deliver({partition = 0, offsets, next = offsets.at(-1)! + 1, end = next, bytes = 0, heartbeat = async () => {}}: Delivery) {
      const records = offsets.map((offset) => recordAt(offset, bytes))
      const batch = {partition, records, next: BigInt(next), end: BigInt(end)}
      await (await running.promise).batch(batch, heartbeat, (offset) => taken.push(`${partition}:${offset}`))
    },
    /** Resolves with where the source goes on. */
    outOfRange: async (partition: number, from: number) => (await running.promise).outOfRange(partition, BigInt(from)),
    async pass(partition: number, next: number) {
      const handlers = await running.promise
      handlers.passed(partition, BigInt(next))
    },
  }
}

const textOf = (offsets: readonly PartitionOffset[]) => offsets.map(({partition, offset}) => `${partition}:${offset}`).join(' ')

export function recordAt(offset: number, bytes = 0): KafkaRecord {
  return {key: null, value: Buffer.from(String(offset).padEnd(bytes)), headers: {}, timestamp: 0, offset: BigInt(offset)}
}
