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

/** A chunk that waits to be taken by the reader. */
interface Offer {
  readonly assignment: Assignment
  readonly chunk: readonly Message<RawMessage>[]
  /** Where reading goes on after the chunk. */
  readonly next: bigint
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
        await partitions.commitAll()
      } finally {
        closing.abort()
        partitions.stop()
        await consumer.close()
      }
    },
    lag: () => partitions.owned().reduce((sum, {end = 0n, settled = end}) => sum + Number(end - settled), 0),
    isConnected: () => partitions.isMember(),
    staleAcks: () => partitions.staleAcks(),
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
    const patiently = <T>(work: () => Promise<T>) => withRetry({work, policy: retry, signal}, runtime)
    try {
      await patiently(() => consumer.connect())
      if (untilEnd) {
        const ranges = await patiently(() => consumer.ranges())
        ends = new Map(ranges.filter(({low, high}) => high > low).map(({partition, high}) => [partition, high]))
      }

      await patiently(() => consumer.run({assigned, leaving, batch: hand, passed: partitions.passed, broken: noteBroken}))
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
    if (assignment.revocation.signal.aborted) return undefined
    partitions.take(assignment, chunk.length, next)
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
      await untilTaken({assignment, chunk, next: last === lastOffset ? batch.next : last + 1n}, heartbeat)
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

  function noteBroken(error: UcsError, isReconnecting: boolean): void {
    downSince ??= clock.now()
    const isPatient = isReconnecting && clock.now() - downSince < retry.forMilliseconds
    if (isPatient) log.warn('kafka.reconnecting', {code: error.code, message: error.message, suggestion: error.suggestion})
    else broken = error
    wakeReader()
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
