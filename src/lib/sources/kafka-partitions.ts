import type {KafkaConsumer, PartitionOffset} from '../clients/kafka/consumer.ts'
import type {Message, RetryPolicy, Runtime} from '../core/types.ts'
import type {Gap} from './kafka-gap.ts'
import {REBALANCE_TIMEOUT_MILLISECONDS} from '../clients/kafka/consumer.ts'
import {orAborted} from '../core/or-aborted.ts'
import {type Bounded, withRetry} from '../core/retry.ts'

/** A partition for as long as it is ours without a break. The same partition assigned again is another one. */
export interface Assignment {
  readonly partition: number
  /** "topic/0@7": the number after @ counts assignments. */
  readonly name: string
  readonly revocation: AbortController
  /** The offset of the first record that was read. */
  begin: bigint | undefined
  /** The offset after the last record that was read or passed over. */
  next: bigint | undefined
  /** Read and neither acknowledged nor released. */
  outstanding: number
  /** Acknowledged, and not covered by a commit yet. */
  uncommitted: number
  /** Everything before it is settled. */
  settled: bigint | undefined
  committed: bigint | undefined
  /** The partition's end at the last fetch. */
  end: bigint | undefined
  /** Some of what was read was released: nothing that comes after it is settled here. */
  isCut: boolean
  /** Its membership is over: what is acknowledged from now on would be another owner's to commit. */
  isOver: boolean
}

export interface PartitionsOptions {
  readonly consumer: KafkaConsumer
  readonly topic: string
  readonly retry: RetryPolicy
  readonly runtime: Runtime
  /** Told whenever something was settled, committed, assigned or learnt. */
  onChange(): void
}

/** How long a last commit may take. */
const FINAL_COMMIT_MILLISECONDS = 20_000
/** How long a rebalance waits for what was sent: the group waits no longer than its timeout for a member. */
const LEAVING_MILLISECONDS = REBALANCE_TIMEOUT_MILLISECONDS / 3

export type Partitions = ReturnType<typeof createPartitions>

/** Which partitions are ours, how far each is settled, and how much of that is committed. */
export function createPartitions({consumer, topic, retry, runtime, onChange}: PartitionsOptions) {
  const {clock, log} = runtime
  const owned = new Map<number, Assignment>()
  const known = new Map<string, Assignment>() // also the former ones that acknowledgements may still come for
  const closing = new AbortController()
  let epoch = 0
  let isMember = false
  let committing: Promise<void> | undefined
  let staleAcks = 0
  let lostToRetention = 0
  let commitFailure = ''
  let wakeLeaver = () => {}

  return {
    isMember: () => isMember,
    owned: () => [...owned.values()],
    of: (partition: number) => owned.get(partition),
    revocation: (name: string) => known.get(name)?.revocation.signal ?? AbortSignal.abort(),
    staleAcks: () => staleAcks,
    lostToRetention: () => lostToRetention,
    uncommitted: () => [...known.values()].reduce((sum, {isOver, uncommitted}) => sum + (isOver ? 0 : uncommitted), 0),
    assign,
    leave,
    passed,
    goOnFrom,
    commitAll,
    /** The connection broke: the group may have others for our partitions by now, or be without a coordinator. */
    disconnected() {
      isMember = false
    },
    take(assignment: Assignment, chunk: readonly Message<unknown>[], next: bigint) {
      assignment.begin ??= chunk[0]!.position.offset
      assignment.next = next
      assignment.outstanding += chunk.length
    },
    ack(settled: readonly Message<unknown>[]) {
      eachAssignment(settled, (assignment, messages) => {
        assignment.outstanding -= messages.length
        if (assignment.isOver) staleAcks += messages.length
        else {
          assignment.uncommitted += messages.length
          const isAllSettled = assignment.outstanding === 0 && !assignment.isCut
          assignment.settled = isAllSettled ? assignment.next : messages.at(-1)!.position.offset + 1n
        }
      })
      void commitSoon()
    },
    release(unsent: readonly Message<unknown>[]) {
      eachAssignment(unsent, (assignment, messages) => {
        assignment.outstanding -= messages.length
        assignment.isCut = true
      })
    },
    stop: () => closing.abort(),
  }

  function assign(partitions: readonly number[]): void {
    epoch++
    isMember = true
    for (const partition of partitions) {
      const name = `${topic}/${partition}@${epoch}`
      const offsets = {begin: undefined, next: undefined, settled: undefined, committed: undefined, end: undefined}
      const state = {outstanding: 0, uncommitted: 0, isCut: false, isOver: false}
      const assignment: Assignment = {partition, name, revocation: new AbortController(), ...offsets, ...state}
      owned.set(partition, assignment)
      known.set(name, assignment)
    }

    const note = epoch === 1 ? log.debug : log.info // the first assignment is what everybody expects
    note('kafka.assigned', {topic, partitions, epoch})
    void findPositions([...owned.values()])
    onChange()
  }

  /** Where reading begins, so that a partition without anything new is known to be at its end. */
  async function findPositions(assignments: readonly Assignment[]): Promise<void> {
    for (let unknown = assignments; unknown.length > 0;) {
      await place(unknown).catch((error: unknown) => log.debug('kafka.positions_unknown', {message: (error as Error).message}))
      onChange()
      unknown = unknown.filter(({settled, isOver}) => settled === undefined && !isOver)
      if (unknown.length > 0) await clock.sleep(1000, closing.signal).catch(() => {})
      if (closing.signal.aborted) return
    }
  }

  async function place(assignments: readonly Assignment[]): Promise<void> {
    const offsets = await consumer.committed()
    const ranges = await consumer.ranges()
    for (const assignment of assignments) {
      const range = ranges.find(({partition}) => partition === assignment.partition)
      const {offset = range?.low} = offsets.find(({partition}) => partition === assignment.partition) ?? {}
      if (!range || offset === undefined) continue
      assignment.end ??= range.high
      if (offset < range.low || offset > range.high) continue // we shall be asked where to go on
      assignment.next ??= offset
      if (assignment.settled === undefined && assignment.outstanding === 0) assignment.settled = assignment.committed = assignment.next
    }
  }

  /** The first offset that is there, in place of one that is not: retention has taken it, or the topic is not the one that it was. */
  function goOnFrom({partition, from, low, high}: Gap): bigint {
    if (from < low) {
      lostToRetention += Number(low - from)
      log.warn('kafka.offset_gap', {partition, from: String(from), to: String(low), lost: String(low - from)})
    } else log.warn('kafka.offset_past_end', {partition, from: String(from), end: String(high), to: String(low)})
    const assignment = owned.get(partition)
    if (assignment) {
      assignment.next = low
      if (assignment.outstanding === 0) assignment.settled = low
      void commitSoon()
      onChange()
    }

    return low
  }

  /** Before the member joins again: what is unsent is let go, what is sent is awaited, and what is settled is committed. */
  async function leave(): Promise<void> {
    const former = [...owned.values()]
    isMember = false
    owned.clear()
    for (const {revocation} of former) revocation.abort()
    onChange()
    await landed(former)
    await commitSoon()
    for (const assignment of former) {
      assignment.isOver = true
      forgetIfDone(assignment)
    }
  }

  async function landed(assignments: readonly Assignment[]): Promise<void> {
    const arrival = async () => {
      while (assignments.some(({outstanding}) => outstanding > 0)) await new Promise<void>((resolve) => (wakeLeaver = resolve))
    }

    const over = new AbortController()
    const limit = clock.sleep(LEAVING_MILLISECONDS, AbortSignal.any([over.signal, closing.signal])).catch(() => {})
    await Promise.race([arrival(), limit])
    over.abort()
  }

  function passed(partition: number, next: bigint): void {
    const assignment = owned.get(partition)
    if (!assignment || assignment.isCut) return
    assignment.next = next
    if (assignment.outstanding === 0) assignment.settled = next
    if (assignment.end !== undefined && assignment.end < next) assignment.end = next
    void commitSoon()
    onChange()
  }

  function eachAssignment(
    messages: readonly Message<unknown>[],
    apply: (assignment: Assignment, own: readonly Message<unknown>[]) => void,
  ): void {
    for (const [name, own] of Map.groupBy(messages, (message) => message.position.partition)) {
      const assignment = known.get(name)
      if (!assignment) continue
      apply(assignment, own)
      forgetIfDone(assignment)
    }

    wakeLeaver()
    onChange()
  }

  function forgetIfDone(assignment: Assignment): void {
    if (assignment.isOver && assignment.outstanding === 0) known.delete(assignment.name)
  }

  /** A failure is not lost: the next commit covers it. */
  function commitSoon(): Promise<void> {
    return commitDue().catch((error: unknown) => {
      const {message} = error as Error
      const note = message === commitFailure ? log.debug : log.warn
      commitFailure = message
      note('kafka.commit_failed', {message})
    })
  }

  /** One commit at a time, of all that is settled by then. */
  function commitDue(): Promise<void> {
    committing ??= commitInTurn()
    return committing
  }

  async function commitInTurn(): Promise<void> {
    try {
      await Promise.resolve() // so that what is acknowledged together is committed together
      for (let due = dueOffsets(); due.length > 0; due = dueOffsets()) {
        await consumer.commit(due)
        commitFailure = ''
        for (const {assignment, offset, messages} of due) {
          assignment.committed = offset
          assignment.uncommitted -= messages
        }

        onChange()
      }
    } finally {
      committing = undefined // in the same moment as the last look at what is due, or what is settled in between would be left
    }
  }

  /** Rejects when what is settled cannot be committed: it will be read again. */
  async function commitAll(): Promise<void> {
    if (!committing && dueOffsets().length === 0) return
    const policy = {...retry, forMilliseconds: Math.min(retry.forMilliseconds, FINAL_COMMIT_MILLISECONDS)}
    const target = `the group of topic "${topic}"`
    const work = (bounded: Bounded) => orAborted(() => bounded(target, commitDue), runtime.abort)
    await withRetry({work, policy, signal: runtime.abort}, runtime)
  }

  function dueOffsets(): readonly (PartitionOffset & {readonly assignment: Assignment; readonly messages: number})[] {
    return [...known.values()].flatMap((assignment) => {
      const {partition, settled, committed, uncommitted: messages, isOver} = assignment
      const isDue = !isOver && settled !== undefined && settled !== committed
      return isDue ? [{assignment, partition, offset: settled, messages}] : []
    })
  }
}
