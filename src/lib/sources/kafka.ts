import type {Message, Position, RawMessage, RetryPolicy, Runtime, Source} from '../core/types.ts'
import type {KafkaBatch, KafkaConsumer, KafkaRecord, PartitionOffset} from '../clients/kafka/consumer.ts'
import type {UcsError} from '../errors.ts'
import {HEARTBEAT_INTERVAL_MILLISECONDS, REBALANCE_TIMEOUT_MILLISECONDS} from '../clients/kafka/consumer.ts'
import {withRetry} from '../core/retry.ts'

export interface KafkaSourceOptions {
  readonly consumer: KafkaConsumer
  readonly topic: string
  /** Stop when each partition is settled up to the end that it had at the start. */
  readonly untilEnd: boolean
  /** How patient to be with a broker, at the start and when it goes away later. */
  readonly retry: RetryPolicy
}

export interface KafkaSource extends Source<RawMessage> {
  /** Records written to our partitions and not settled yet, as far as the last fetches tell. */
  lag(): number
  /** Whether the group has us as a member. */
  isConnected(): boolean
  /** Acks that came after their partition was taken away: those records are read again by whoever has it now. */
  staleAcks(): number
  readonly describe: (position: Position) => string
}

const CHUNK_MESSAGES = 1000
const CHUNK_BYTES = 1_000_000
/** About what a message occupies besides its bytes. */
const MESSAGE_OVERHEAD_BYTES = 200

/** A partition for as long as it is ours without a break. The same partition assigned again is another one. */
interface Assignment {
  readonly partition: number
  /** "topic/0@7" */
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
  /** Its membership is over: what is acknowledged from now on would be another owner's. */
  isOver: boolean
}

/** A chunk that waits to be taken by the reader. */
interface Offer {
  readonly assignment: Assignment
  readonly chunk: readonly Message<RawMessage>[]
  /** Where reading goes on after the chunk. */
  readonly next: bigint
  taken(): void
}

/** Messages of one topic as a member of a consumer group. Offsets are committed behind the acknowledgements, all that are due at once. */
export function createKafkaSource(options: KafkaSourceOptions, runtime: Runtime): KafkaSource {
  const {consumer, topic, retry} = options
  const {clock, log} = runtime
  const owned = new Map<number, Assignment>()
  const known = new Map<string, Assignment>() // also the former ones that acks may still come for
  const closing = new AbortController()
  let epoch = 0
  let isMember = false
  let ends: ReadonlyMap<number, bigint> | undefined
  let offer: Offer | undefined
  let isFlushDue = false
  let broken: UcsError | undefined
  let downSince: number | undefined
  let committing: Promise<void> | undefined
  let staleAcks = 0
  let [wakeReader, wakeLeaver] = [() => {}, () => {}]

  return {
    read,
    async ack(settled) {
      eachPartition(settled, (assignment, messages) => {
        assignment.outstanding -= messages.length
        if (assignment.isOver) staleAcks += messages.length
        else assignment.settled = assignment.outstanding === 0 ? assignment.next : messages.at(-1)!.position.offset + 1n
      })
      void commitSoon()
    },
    release(unsent) {
      eachPartition(unsent, (assignment, messages) => (assignment.outstanding -= messages.length))
    },
    complete: commitAll,
    revoked: (partition) => known.get(partition)?.revocation.signal ?? AbortSignal.abort(),
    describe: ({partition, offset}) => `${partition.slice(0, partition.lastIndexOf('@'))}/${offset}`,
    async close() {
      try {
        await commitAll()
      } finally {
        closing.abort()
        await consumer.close()
      }
    },
    lag: () => [...owned.values()].reduce((sum, {end, settled}) => sum + Number((end ?? 0n) - (settled ?? end ?? 0n)), 0),
    isConnected: () => isMember,
    staleAcks: () => staleAcks,
  }

  async function* read(signal: AbortSignal): AsyncGenerator<readonly Message<RawMessage>[]> {
    signal.addEventListener('abort', () => wakeReader(), {once: true})
    if (!(await started(signal))) return

    let isFlushed = false
    while (!signal.aborted && !isAtEnd()) {
      if (broken) throw broken
      const chunk = takeChunk()
      if (chunk) {
        isFlushed = false
        yield chunk
      } else if (isFlushDue || (isReadToEnd() && !isFlushed)) {
        isFlushDue = false
        isFlushed = true
        yield [] // send what there is: a rebalance, or the end, waits for it
      } else await nextEvent()
    }
  }

  async function started(signal: AbortSignal): Promise<boolean> {
    try {
      const patiently = <T>(work: () => Promise<T>) => withRetry({work, policy: retry, signal}, runtime)
      await patiently(() => consumer.connect())
      if (options.untilEnd) {
        const ranges = await patiently(() => consumer.ranges())
        ends = new Map(ranges.filter(({low, high}) => high > low).map(({partition, high}) => [partition, high]))
      }

      await patiently(() => consumer.run({assigned, leaving, batch: hand, passed, broken: noteBroken}))
      return true
    } catch (error) {
      if (signal.aborted) return false
      throw error
    }
  }

  function nextEvent(): Promise<void> {
    return new Promise((resolve) => (wakeReader = resolve))
  }

  function takeChunk(): readonly Message<RawMessage>[] | undefined {
    if (!offer) return undefined
    const {assignment, chunk, next, taken} = offer
    offer = undefined
    if (assignment.revocation.signal.aborted) return undefined
    assignment.next = next
    assignment.outstanding += chunk.length
    taken()
    return chunk
  }

  /** Settled, not only read: whatever is taken from us before that has to be waited for as well. */
  function isAtEnd(): boolean {
    return ends !== undefined && isMember && [...owned.values()].every(({partition, settled}) => reaches(settled, partition))
  }

  function isReadToEnd(): boolean {
    const isPending = ({outstanding}: Assignment) => outstanding > 0
    return (
      ends !== undefined &&
      [...owned.values()].every(({partition, next}) => reaches(next, partition)) &&
      [...owned.values()].some(isPending)
    )
  }

  function reaches(offset: bigint | undefined, partition: number): boolean {
    const end = ends?.get(partition)
    return end === undefined || (offset !== undefined && offset >= end)
  }

  function assigned(partitions: readonly number[]): void {
    epoch++
    isMember = true
    downSince = undefined
    for (const partition of partitions) {
      const name = `${topic}/${partition}@${epoch}`
      const assignment = {
        partition,
        name,
        revocation: new AbortController(),
        next: undefined,
        outstanding: 0,
        settled: undefined,
        committed: undefined,
        end: undefined,
        isOver: false,
      }
      owned.set(partition, assignment)
      known.set(name, assignment)
    }

    const note = epoch === 1 ? log.debug : log.info // the first assignment is what everybody expects
    note('kafka.assigned', {topic, partitions, epoch})
    void findPositions([...owned.values()])
    wakeReader()
  }

  /** Where reading begins tells what retention took, and that a partition without anything new is at its end. */
  async function findPositions(assignments: readonly Assignment[]): Promise<void> {
    try {
      const [ranges, offsets] = await Promise.all([consumer.ranges(), consumer.committed()])
      for (const assignment of assignments) {
        const range = ranges.find(({partition}) => partition === assignment.partition)
        const committed = offsets.find(({partition}) => partition === assignment.partition)?.offset
        const low = range?.low ?? 0n
        if (committed !== undefined && committed < low) {
          log.warn('kafka.offset_gap', {
            partition: assignment.partition,
            from: String(committed),
            to: String(low),
            lost: String(low - committed),
          })
        }

        assignment.end ??= range?.high
        assignment.next ??= committed === undefined || committed < low ? low : committed
        if (assignment.settled === undefined && assignment.outstanding === 0) assignment.settled = assignment.committed = assignment.next
      }
    } catch (error) {
      log.debug('kafka.positions_unknown', {message: (error as Error).message})
      await clock.sleep(1000, closing.signal).catch(() => {})
      if (!closing.signal.aborted && assignments.some(({isOver}) => !isOver)) await findPositions(assignments)
    }

    wakeReader()
  }

  /** Before the member joins again: what is unsent is let go, what is sent is awaited, and what is settled committed. */
  async function leaving(): Promise<void> {
    const former = [...owned.values()]
    isMember = false
    owned.clear()
    for (const {revocation} of former) revocation.abort()
    isFlushDue = true
    wakeReader()

    await landed(former)
    await commitSoon()
    for (const assignment of former) {
      assignment.isOver = true
      if (assignment.outstanding === 0) known.delete(assignment.name)
    }
  }

  /** Within a third of the rebalance timeout: the group waits no longer than that for a member. */
  async function landed(assignments: readonly Assignment[]): Promise<void> {
    const isPending = () => assignments.some(({outstanding}) => outstanding > 0)
    const arrival = async () => {
      while (isPending()) await new Promise<void>((resolve) => (wakeLeaver = resolve))
    }

    const over = new AbortController()
    const limit = clock.sleep(REBALANCE_TIMEOUT_MILLISECONDS / 3, AbortSignal.any([over.signal, closing.signal])).catch(() => {})
    await Promise.race([arrival(), limit])
    over.abort()
  }

  async function hand(batch: KafkaBatch, heartbeat: () => Promise<void>, taken: (offset: bigint) => void): Promise<void> {
    const assignment = owned.get(batch.partition)
    if (!assignment) return
    assignment.end = batch.end
    for (const chunk of chunksOf(batch.records, assignment.name)) {
      const last = chunk.at(-1)!.position.offset
      const isLastChunk = last === batch.records.at(-1)!.offset
      await untilTaken({assignment, chunk, next: isLastChunk ? batch.next : last + 1n}, heartbeat)
      if (closing.signal.aborted) return
      taken(last)
    }
  }

  /** Waits as long as the pipeline does, and shows the group that it is alive. */
  async function untilTaken(waiting: Omit<Offer, 'taken'>, heartbeat: () => Promise<void>): Promise<void> {
    const done = new AbortController()
    offer = {...waiting, taken: () => done.abort()}
    wakeReader()
    const ended = AbortSignal.any([done.signal, closing.signal])
    while (!ended.aborted) {
      await clock.sleep(HEARTBEAT_INTERVAL_MILLISECONDS, ended).catch(() => {})
      if (ended.aborted) return
      await heartbeat().catch((error: unknown) => {
        offer = undefined
        throw error
      })
    }
  }

  function passed(partition: number, next: bigint): void {
    const assignment = owned.get(partition)
    if (!assignment) return
    assignment.next = next
    if (assignment.outstanding === 0) assignment.settled = next
    void commitSoon()
    wakeReader()
  }

  function noteBroken(error: UcsError, isReconnecting: boolean): void {
    downSince ??= clock.now()
    const isPatient = isReconnecting && clock.now() - downSince < retry.forMilliseconds
    if (isPatient) log.warn('kafka.reconnecting', {code: error.code, message: error.message, suggestion: error.suggestion})
    else broken = error
    wakeReader()
  }

  function eachPartition(
    messages: readonly Message<unknown>[],
    apply: (assignment: Assignment, messages: readonly Message<unknown>[]) => void,
  ): void {
    for (const [name, own] of Map.groupBy(messages, (message) => message.position.partition)) {
      const assignment = known.get(name)
      if (!assignment) continue
      apply(assignment, own)
      if (assignment.isOver && assignment.outstanding === 0) known.delete(name)
    }

    wakeReader()
    wakeLeaver()
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
      wakeReader()
    }
  }

  async function commitAll(): Promise<void> {
    await committing
    await withRetry(
      {
        work: commitDue,
        policy: {...retry, forMilliseconds: Math.min(retry.forMilliseconds, 20_000)},
        signal: runtime.abort,
      },
      runtime,
    )
  }

  function dueOffsets(): readonly (PartitionOffset & {assignment: Assignment})[] {
    return [...known.values()].flatMap((assignment) => {
      const {partition, settled, committed, isOver} = assignment
      const isDue = !isOver && settled !== undefined && settled !== committed
      return isDue ? [{assignment, partition, offset: settled}] : []
    })
  }
}

function* chunksOf(records: readonly KafkaRecord[], partition: string): Generator<readonly Message<RawMessage>[]> {
  let chunk: Message<RawMessage>[] = []
  let bytes = 0
  for (const record of records) {
    const size = (record.value?.length ?? 0) + (record.key?.length ?? 0) + MESSAGE_OVERHEAD_BYTES
    if (chunk.length >= CHUNK_MESSAGES || (chunk.length > 0 && bytes + size > CHUNK_BYTES)) {
      yield chunk
      chunk = []
      bytes = 0
    }

    chunk.push({value: record, position: {partition, offset: record.offset}, bytes: size})
    bytes += size
  }

  if (chunk.length > 0) yield chunk
}
