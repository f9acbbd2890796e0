import type {KafkaBatch, KafkaConsumer, KafkaRecord} from '../clients/kafka/consumer.ts'
import type {Message, RawMessage, RetryPolicy, Runtime, Source} from '../core/types.ts'
import type {UcsError} from '../errors.ts'
import type {Assignment} from './kafka-partitions.ts'
import {HEARTBEAT_INTERVAL_MILLISECONDS} from '../clients/kafka/consumer.ts'
import {withRetry} from '../core/retry.ts'
import {createPartitions} from './kafka-partitions.ts'

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
  /** Acknowledgements that came after their partition was taken away: those records are read again by whoever has it now. */
  staleAcks(): number
}

const CHUNK_MESSAGES = 1000
const CHUNK_BYTES = 1_000_000
/** About what a message occupies besides its bytes. */
const MESSAGE_OVERHEAD_BYTES = 200

/** After that the group does without our farewell: it misses us when the session is over. */
const LEAVING_MILLISECONDS = 10_000
/** kafkajs itself would try again after 0.3 s, for ever. */
const RECONNECT_PAUSE_MILLISECONDS = 5000

/** A chunk that waits to be taken by the reader. */
interface Offer {
  readonly assignment: Assignment
  readonly chunk: readonly Message<RawMessage>[]
  /** Where reading goes on after the chunk. */
  readonly next: bigint
  /** At the moment when the reader takes it: whatever fails after that, it is not to be handed over again. */
  taken(): void
}

/**
 * Messages of one topic as a member of a consumer group. Chunks are handed to the reader one by one, so a slow pipeline
 * slows the fetching; offsets are committed behind the acknowledgements, all that are due at once.
 */
export function createKafkaSource({consumer, topic, retry, untilEnd}: KafkaSourceOptions, runtime: Runtime): KafkaSource {
  const {clock, log} = runtime
  const closing = new AbortController()
  let offer: Offer | undefined
  let ends: ReadonlyMap<number, bigint> | undefined
  let isFlushDue = false
  let broken: UcsError | undefined
  let downSince: number | undefined
  let wakeReader = () => {}
  const partitions = createPartitions({consumer, topic, retry, runtime, onChange: () => wakeReader()})

  return {
    read,
    async ack(settled) {
      partitions.ack(settled)
    },
    release: (unsent) => partitions.release(unsent),
    complete: () => partitions.commitAll(),
    revoked: (partition) => partitions.revocation(partition),
    describe: ({partition, offset}) => `${partition.slice(0, partition.lastIndexOf('@'))}/${offset}`,
    async close() {
      try {
        if (!broken) await partitions.commitAll()
      } finally {
        closing.abort()
        partitions.stop()
        await leaveGroup()
      }
    },
    lag: () => partitions.owned().reduce((sum, {end = 0n, begin = end, settled = begin}) => sum + Number(end - settled), 0),
    isConnected: () => partitions.isMember(),
    staleAcks: () => partitions.staleAcks(),
  }

  /** kafkajs waits for a join that is under way, and so for the slowest member of the group. */
  async function leaveGroup(): Promise<void> {
    const left = new AbortController()
    const patience = clock.sleep(LEAVING_MILLISECONDS, left.signal).catch(() => {})
    await Promise.race([consumer.close(), patience]).finally(() => left.abort())
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
      } else await new Promise<void>((resolve) => (wakeReader = resolve))
    }
  }

  async function started(signal: AbortSignal): Promise<boolean> {
    const stopped = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), {once: true}))
    // A broker that does not answer is not waited for once the signal has fired.
    const patiently = <T>(work: () => Promise<T>) => Promise.race([withRetry({work, policy: retry, signal}, runtime), stopped])
    try {
      await patiently(() => consumer.connect())
      if (untilEnd) {
        const ranges = await patiently(() => consumer.ranges())
        ends = new Map(ranges.filter(({low, high}) => high > low).map(({partition, high}) => [partition, high]))
      }

      const {passed, reset} = partitions
      await patiently(() => consumer.run({assigned, leaving, batch: hand, passed, reset, broken: noteBroken}))
      return true
    } catch (error) {
      if (signal.aborted) return false
      throw error
    }
  }

  function takeChunk(): readonly Message<RawMessage>[] | undefined {
    if (!offer) return undefined
    const {assignment, chunk, next, taken} = offer
    offer = undefined
    partitions.take(assignment, chunk, next)
    taken()
    return chunk
  }

  /** Settled, not only read: whatever is taken from us before that has to be waited for as well. */
  function isAtEnd(): boolean {
    return ends !== undefined && partitions.isMember() && partitions.owned().every(({partition, settled}) => reaches(settled, partition))
  }

  function isReadToEnd(): boolean {
    const owned = partitions.owned()
    return (
      ends !== undefined && owned.every(({partition, next}) => reaches(next, partition)) && owned.some(({outstanding}) => outstanding > 0)
    )
  }

  function reaches(offset: bigint | undefined, partition: number): boolean {
    const end = ends?.get(partition)
    return end === undefined || (offset !== undefined && offset >= end)
  }

  function assigned(numbers: readonly number[]): void {
    downSince = undefined
    partitions.assign(numbers)
  }

  function leaving(): Promise<void> {
    offer = undefined
    isFlushDue = true
    return partitions.leave()
  }

  async function hand(batch: KafkaBatch, heartbeat: () => Promise<void>, taken: (offset: bigint) => void): Promise<void> {
    const assignment = partitions.of(batch.partition)
    if (!assignment) return
    assignment.end = batch.end
    const lastOffset = batch.records.at(-1)!.offset
    for (const chunk of chunksOf(batch.records, assignment.name)) {
      const last = chunk.at(-1)!.position.offset
      const next = last === lastOffset ? batch.next : last + 1n
      if (assignment.revocation.signal.aborted) return
      const isTaken = await handOver({assignment, chunk, next, taken: () => taken(last)}, heartbeat)
      if (!isTaken) return
    }
  }

  /** Waits as long as the pipeline does, and shows the group that it is alive. False: nobody will take it any more. */
  async function handOver(waiting: Offer, heartbeat: () => Promise<void>): Promise<boolean> {
    const done = new AbortController()
    const taken = () => {
      waiting.taken()
      done.abort()
    }

    const ours = {...waiting, taken}
    offer = ours
    wakeReader()
    const ended = AbortSignal.any([done.signal, closing.signal, waiting.assignment.revocation.signal])
    try {
      for (;;) {
        await clock.sleep(HEARTBEAT_INTERVAL_MILLISECONDS, ended).catch(() => {})
        if (ended.aborted) return done.signal.aborted
        await heartbeat()
      }
    } finally {
      if (offer === ours) offer = undefined
    }
  }

  async function noteBroken(error: UcsError, isReconnecting: boolean): Promise<void> {
    partitions.disconnected()
    const isRepeated = downSince !== undefined
    downSince ??= clock.now()
    const isPassing = isReconnecting && error.retryable !== 'never'
    const isPatient = isPassing && clock.now() - downSince < retry.forMilliseconds
    if (isPatient) log.warn('kafka.reconnecting', {code: error.code, message: error.message, suggestion: error.suggestion})
    else broken = error
    wakeReader()
    if (isRepeated && isPatient) await clock.sleep(RECONNECT_PAUSE_MILLISECONDS, closing.signal).catch(() => {})
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
