import type {KafkaBatch, KafkaConsumer, KafkaRecord} from '../clients/kafka/consumer.ts'
import type {Message, RawMessage, RetryPolicy, Runtime, Source} from '../core/types.ts'
import {type UcsError, UnavailableError} from '../errors.ts'
import type {Assignment} from './kafka-partitions.ts'
import {HEARTBEAT_INTERVAL_MILLISECONDS} from '../clients/kafka/consumer.ts'
import {orAborted} from '../core/or-aborted.ts'
import {ONE_ATTEMPT_MILLISECONDS, withRetry} from '../core/retry.ts'
import {createChunks, MESSAGE_OVERHEAD_BYTES} from './chunks.ts'
import {createEnds, type Ends} from './kafka-ends.ts'
import {gapError} from './kafka-gap.ts'
import {listenToBroker, type Listener} from './kafka-listener.ts'
import {createPartitions} from './kafka-partitions.ts'

export interface KafkaSourceOptions {
  readonly consumer: KafkaConsumer
  readonly topic: string
  /** Stop when each partition is settled up to the end that it had at the start. */
  readonly untilEnd: boolean
  /** What to do when the record that was to be read next is gone. */
  readonly onOffsetGap: 'fail' | 'earliest'
  /** How patient to be with a broker, at the start and when it goes away later. */
  readonly retry: RetryPolicy
}

export interface KafkaSource extends Source<RawMessage> {
  /** Records written to our partitions and not settled yet, as far as the last fetches tell. */
  lag(): number
  /** Whether the group has us as a member. */
  isConnected(): boolean
  /** Acknowledged, and not known to be committed: if the run ends now, they are read again. */
  uncommitted(): number
  /** Acknowledgements that came after their partition was taken away: those records are read again by whoever has it now. */
  staleAcks(): number
  /** Records, or less than that where some were control records or compacted away, that were gone before we came to read them. */
  lostToRetention(): number
}

/** After that the group does without our farewell: it misses us when the session is over. */
const LEAVING_MILLISECONDS = 10_000
/** The same where the broker is lost, or we are to stop at once. */
const HURRIED_LEAVING_MILLISECONDS = 1000
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
export function createKafkaSource({consumer, topic, retry, untilEnd, onOffsetGap}: KafkaSourceOptions, runtime: Runtime): KafkaSource {
  const {clock, log} = runtime
  const closing = new AbortController()
  let offer: Offer | undefined
  let ends: Ends | undefined
  let listener: Listener | undefined
  let isFlushDue = false
  const lost = new AbortController() // the reason is a UcsError
  const over = AbortSignal.any([closing.signal, lost.signal])
  const patienceMilliseconds = retry.forMilliseconds || ONE_ATTEMPT_MILLISECONDS
  let canCommit = true
  let downSince: number | undefined
  let lastFault: UcsError | undefined
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
        if (canCommit) await partitions.commitAll()
      } finally {
        closing.abort()
        partitions.stop()
        await leaveGroup()
      }
    },
    lag: () => partitions.owned().reduce((sum, {end = 0n, begin = end, settled = begin}) => sum + Number(end - settled), 0),
    isConnected: () => partitions.isMember() && !listener?.isSilent(),
    uncommitted: () => partitions.uncommitted(),
    staleAcks: () => partitions.staleAcks(),
    lostToRetention: () => partitions.lostToRetention(),
  }

  /** kafkajs waits for a join that is under way, and so for the slowest member of the group. */
  async function leaveGroup(): Promise<void> {
    const left = new AbortController()
    const hurry = AbortSignal.any([lost.signal, runtime.abort])
    const patience = async () => {
      await clock.sleep(LEAVING_MILLISECONDS, AbortSignal.any([left.signal, hurry])).catch(() => {})
      if (hurry.aborted) await clock.sleep(HURRIED_LEAVING_MILLISECONDS, left.signal).catch(() => {})
    }

    await Promise.race([consumer.close(), patience()]).finally(() => left.abort())
  }

  async function* read(signal: AbortSignal): AsyncGenerator<readonly Message<RawMessage>[]> {
    signal.addEventListener('abort', () => wakeReader(), {once: true})
    if (!(await started(signal))) return

    let isFlushed = false
    while (!signal.aborted && !ends?.isReached()) {
      lost.signal.throwIfAborted()
      const chunk = takeChunk()
      if (chunk) {
        isFlushed = false
        yield chunk
      } else if (isFlushDue || (ends?.isRead() && !isFlushed)) {
        isFlushDue = false
        isFlushed = true
        yield [] // send what there is: a rebalance, or the end, waits for it
      } else await new Promise<void>((resolve) => (wakeReader = resolve))
    }
  }

  async function started(signal: AbortSignal): Promise<boolean> {
    const ending = AbortSignal.any([signal, lost.signal]) // a broker that does not answer is not waited for after that
    const target = `topic "${topic}"`
    const patiently = <T>(work: () => Promise<T>) =>
      orAborted(() => withRetry({work: (bounded) => bounded(target, work), policy: retry, signal: ending}, runtime), ending)
    try {
      await patiently(() => consumer.connect())
      if (untilEnd) {
        const [ranges, stoodAt] = [await patiently(() => consumer.ranges()), await patiently(() => consumer.committed())]
        ends = createEnds({topic, ranges, stoodAt, consumer, partitions, clock, log, signal: over, onChange: () => wakeReader()})
      }

      listener = listenToBroker({
        topic,
        patienceMilliseconds,
        clock,
        log,
        signal: over,
        isResting: () => offer !== undefined,
        onSilence: (seconds) => loseBroker(lastFault ?? silent(seconds)),
      })
      // A join may take longer than the patience where other members are slow, so it is bounded by the silence only.
      const {passed} = partitions
      const join = () =>
        consumer.run({assigned, leaving, batch: hand, passed, outOfRange, answered: () => listener?.heard(), broken: noteBroken})
      await orAborted(() => withRetry({work: join, policy: retry, signal: ending}, runtime), ending)
      return true
    } catch (error) {
      if (signal.aborted) return false
      throw error
    }
  }

  function silent(seconds: number): UcsError {
    return new UnavailableError(`reading topic "${topic}" failed: its broker has not answered for ${seconds} s`, {
      suggestion: 'Is the broker running? Check --broker or KAFKA_BROKER',
    })
  }

  /** Reading ends with this error. */
  function lose(error: UcsError): void {
    lost.abort(error)
    wakeReader()
  }

  function loseBroker(error: UcsError): void {
    canCommit = false
    lose(error)
  }

  function takeChunk(): readonly Message<RawMessage>[] | undefined {
    if (!offer) return undefined
    const {assignment, chunk, next, taken} = offer
    offer = undefined
    partitions.take(assignment, chunk, next)
    taken()
    return chunk
  }

  async function outOfRange(partition: number, from: bigint): Promise<bigint> {
    const range = (await consumer.ranges()).find((other) => other.partition === partition)
    if (!range) throw new UnavailableError(`partition ${partition} of topic "${topic}" is not there`)
    const gap = {...range, from}
    if (onOffsetGap === 'earliest') return partitions.goOnFrom(gap)
    const error = gapError(topic, gap)
    lose(error)
    throw error
  }

  function assigned(numbers: readonly number[]): void {
    downSince = lastFault = undefined
    listener?.is('reading')
    ends?.assigned()
    partitions.assign(numbers)
  }

  function leaving(): Promise<void> {
    offer = undefined
    isFlushDue = true
    listener?.is('joining')
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
    listener?.is('down')
    lastFault = error
    const isRepeated = downSince !== undefined
    downSince ??= clock.now()
    const isPassing = isReconnecting && error.retryable !== 'never'
    const isPatient = isPassing && clock.now() - downSince < retry.forMilliseconds
    if (isPatient) log.warn('kafka.reconnecting', {code: error.code, message: error.message, suggestion: error.suggestion})
    else loseBroker(error)
    if (isRepeated && isPatient) await clock.sleep(RECONNECT_PAUSE_MILLISECONDS, closing.signal).catch(() => {})
  }
}

function* chunksOf(records: readonly KafkaRecord[], partition: string): Generator<readonly Message<RawMessage>[]> {
  const chunks = createChunks<RawMessage>()
  for (const record of records) {
    const bytes = (record.value?.length ?? 0) + (record.key?.length ?? 0) + MESSAGE_OVERHEAD_BYTES
    const full = chunks.add({value: record, position: {partition, offset: record.offset}, bytes})
    if (full) yield full
  }

  const rest = chunks.rest()
  if (rest) yield rest
}
