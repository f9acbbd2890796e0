import type {ConsumerHandlers, KafkaConsumer, PartitionOffset} from '../../src/lib/clients/kafka/consumer.ts'
import type {Clock} from '../../src/lib/core/types.ts'
import {UnavailableError} from '../../src/lib/errors.ts'
import {recordAt} from './kafka-consumer.ts'

/** A partition as its broker has it: at each offset a message, or what no consumer is shown. */
export type PartitionLog = readonly ('message' | 'hidden')[]

/** What may go wrong, asked whenever it could. */
export interface Accidents {
  /** Which partitions are ours from the next join on; undefined: the group is as it was. */
  rebalance(): readonly number[] | undefined
  failsHeartbeat(): boolean
  refusesCommit(): boolean
  commitMilliseconds(): number
  fetchSize(): number
}

export const noAccidents: Accidents = {
  rebalance: () => undefined,
  failsHeartbeat: () => false,
  refusesCommit: () => false,
  commitMilliseconds: () => 0,
  fetchSize: () => 5000,
}

export interface FakeGroup {
  readonly logs: readonly PartitionLog[]
  /** By partition. */
  readonly committed: Map<number, number>
  /** Sees what the broker is about to store, of whosever partition. */
  onCommit(offsets: readonly PartitionOffset[], owned: readonly number[]): void
}

const FETCH_WAIT_MILLISECONDS = 500
const never = new AbortController().signal

/**
 * A member of a group that behaves as kafkajs does: one batch at a time, from the committed offsets on after each join, from
 * where the last batch was taken to after a failure; a commit counts only in the membership in which it was begun.
 */
export function fakeMember({logs, committed, onCommit}: FakeGroup, clock: Clock, accidents: Accidents): KafkaConsumer {
  const positions = new Map<number, number>()
  let [isClosed, generation] = [false, 0]
  let next: readonly number[] | undefined = [...logs.keys()]

  return {
    async connect() {},
    async run(handlers) {
      void live(handlers)
    },
    async commit(offsets) {
      const begunIn = generation
      await clock.sleep(accidents.commitMilliseconds(), never)
      if (begunIn !== generation || accidents.refusesCommit()) throw new UnavailableError('commit refused')
      onCommit(offsets, [...positions.keys()])
      for (const {partition, offset} of offsets) committed.set(partition, Number(offset))
    },
    ranges: async () => logs.map((log, partition) => ({partition, low: 0n, high: BigInt(log.length)})),
    committed: async () => [...committed].map(([partition, offset]) => ({partition, offset: BigInt(offset)})),
    async close() {
      isClosed = true
      generation++
    },
  }

  async function live(handlers: ConsumerHandlers): Promise<void> {
    while (!isClosed) {
      handlers.answered()
      if (isRebalancing()) await join(handlers)
      const unread = [...positions].filter(([partition, position]) => position < logs[partition]!.length)
      if (unread.length === 0) await clock.sleep(FETCH_WAIT_MILLISECONDS, never)
      for (const [partition] of unread) await fetch(partition, handlers).catch(() => {}) // then it is fetched again
    }
  }

  async function join(handlers: ConsumerHandlers): Promise<void> {
    await handlers.leaving()
    generation++
    positions.clear()
    for (const partition of next!) positions.set(partition, committed.get(partition) ?? 0)
    handlers.assigned(next!)
    next = undefined
  }

  async function fetch(partition: number, handlers: ConsumerHandlers): Promise<void> {
    const from = positions.get(partition)
    if (from === undefined || isRebalancing() || isClosed) return
    const log = logs[partition]!
    const to = Math.min(log.length, from + accidents.fetchSize())
    const offsets = [...log.keys()].slice(from, to).filter((offset) => log[offset] === 'message')
    const last = offsets.at(-1)
    if (last === undefined) {
      positions.set(partition, to)
      handlers.passed(partition, BigInt(to))
      return
    }

    const batch = {partition, records: offsets.map((offset) => recordAt(offset)), next: BigInt(to), end: BigInt(log.length)}
    await handlers.batch(batch, heartbeat, (offset) => positions.set(partition, Number(offset) === last ? to : Number(offset) + 1))
  }

  async function heartbeat(): Promise<void> {
    if (isRebalancing()) throw new Error('The group is rebalancing')
    if (accidents.failsHeartbeat()) throw new Error('The coordinator is not available')
  }

  function isRebalancing(): boolean {
    next ??= accidents.rebalance()
    return next !== undefined
  }
}
