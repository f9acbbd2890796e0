import type {KafkaConsumer, PartitionOffset} from '../clients/kafka/consumer.ts'
import type {Message, RetryPolicy, Runtime} from '../core/types.ts'
import {REBALANCE_TIMEOUT_MILLISECONDS} from '../clients/kafka/consumer.ts'
import {withRetry} from '../core/retry.ts'

/** A partition for as long as it is ours without a break. The same partition assigned again is another one. */
export interface Assignment {
  readonly partition: number
  /** "topic/0@7": the number after @ counts assignments. */
  readonly name: string
  readonly revocation: AbortController
  /** The offset after the last record that was read or passed over. */
  next: bigint | undefined
  /** Read and neither acknowledged nor released. */
  outstanding: number
  /** Everything before it is settled. */
  settled: bigint | undefined
  committed: bigint | undefined
  /** The partition's end at the last fetch. */
  end: bigint | undefined
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
  let wakeLeaver = () => {}

  return {
    isMember: () => isMember,
    owned: () => [...owned.values()],
    of: (partition: number) => owned.get(partition),
    revocation: (name: string) => known.get(name)?.revocation.signal ?? AbortSignal.abort(),
    staleAcks: () => staleAcks,
    assign,
    leave,
    passed,
    commitAll,
    take(assignment: Assignment, messages: number, next: bigint) {
      assignment.next = next
      assignment.outstanding += messages
    },
    ack(settled: readonly Message<unknown>[]) {
      eachAssignment(settled, (assignment, messages) => {
        assignment.outstanding -= messages.length
        if (assignment.isOver) staleAcks += messages.length
        else assignment.settled = assignment.outstanding === 0 ? assignment.next : messages.at(-1)!.position.offset + 1n
      })
      void commitSoon()
    },
    release(unsent: readonly Message<unknown>[]) {
      eachAssignment(unsent, (assignment, messages) => (assignment.outstanding -= messages.length))
    },
    stop: () => closing.abort(),
  }

  function assign(partitions: readonly number[]): void {
    epoch++
    isMember = true
    for (const partition of partitions) {
      const name = `${topic}/${partition}@${epoch}`
      const offsets = {next: undefined, settled: undefined, committed: undefined, end: undefined}
      const assignment: Assignment = {partition, name, revocation: new AbortController(), outstanding: 0, isOver: false, ...offsets}
      owned.set(partition, assignment)
      known.set(name, assignment)
    }

    const note = epoch === 1 ? log.debug : log.info // the first assignment is what everybody expects
    note('kafka.assigned', {topic, partitions, epoch})
    void findPositions([...owned.values()])
    onChange()
  }

  /** Where reading begins tells what retention took, and that a partition without anything new is at its end. */
  async function findPositions(assignments: readonly Assignment[]): Promise<void> {
    try {
      const [ranges, offsets] = await Promise.all([consumer.ranges(), consumer.committed()])
      for (const assignment of assignments) {
        const {partition} = assignment
        const range = ranges.find((other) => other.partition === partition)
        const committed = offsets.find((other) => other.partition === partition)?.offset
        const low = range?.low ?? 0n
        const isGap = committed !== undefined && committed < low
        if (isGap) log.warn('kafka.offset_gap', {partition, from: String(committed), to: String(low), lost: String(low - committed)})
        assignment.end ??= range?.high
        assignment.next ??= committed === undefined || isGap ? low : committed
        if (assignment.settled === undefined && assignment.outstanding === 0) assignment.settled = assignment.committed = assignment.next
      }
    } catch (error) {
      log.debug('kafka.positions_unknown', {message: (error as Error).message})
      await clock.sleep(1000, closing.signal).catch(() => {})
      if (!closing.signal.aborted && assignments.some(({isOver}) => !isOver)) await findPositions(assignments)
    }

    onChange()
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
    if (!assignment) return
    assignment.next = next
    if (assignment.outstanding === 0) assignment.settled = next
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

  /** One commit at a time, of all that is settled by then. A failure is not lost: the next commit covers it. */
  function commitSoon(): Promise<void> {
    committing ??= Promise.resolve()
      .then(commitDue)
      .catch((error: unknown) => log.warn('kafka.commit_failed', {message: (error as Error).message}))
      .finally(() => (committing = undefined))
    return committing
  }

  async function commitDue(): Promise<void> {
    for (let due = dueOffsets(); due.length > 0; due = dueOffsets()) {
      await consumer.commit(due)
      for (const {assignment, offset} of due) assignment.committed = offset
      onChange()
    }
  }

  /** Rejects when what is settled cannot be committed: it will be read again. */
  async function commitAll(): Promise<void> {
    await committing
    const policy = {...retry, forMilliseconds: Math.min(retry.forMilliseconds, FINAL_COMMIT_MILLISECONDS)}
    await withRetry({work: commitDue, policy, signal: runtime.abort}, runtime)
  }

  function dueOffsets(): readonly (PartitionOffset & {readonly assignment: Assignment})[] {
    return [...known.values()].flatMap((assignment) => {
      const {partition, settled, committed, isOver} = assignment
      const isDue = !isOver && settled !== undefined && settled !== committed
      return isDue ? [{assignment, partition, offset: settled}] : []
    })
  }
}
