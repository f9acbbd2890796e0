import type {Ledger, Letter, Message, Pipeline, Runtime, Sink, Source} from './types.ts'
import type {Bounded} from './retry.ts'
import type {Tally} from './ledger.ts'
import {DataError} from '../errors.ts'
import {inBatches} from './batch.ts'
import {isolate} from './isolate.ts'
import {createLedger, record} from './ledger.ts'
import {orAborted} from './or-aborted.ts'
import {withRetry} from './retry.ts'

/**
 * source → batch → map → write → ack. Resolves when the source has ended or `stop` fired, and all that was read is settled.
 * Rejects with the first failure; what is unacknowledged then will be read again.
 * Give it a ledger to watch it live, or to read it after a failure.
 */
export async function runPipeline<I, O>(pipeline: Pipeline<I, O>, runtime: Runtime, ledger: Ledger = createLedger()): Promise<Ledger> {
  const {source, sink} = pipeline
  const failed = new AbortController()
  const fail = (error: unknown) => failed.abort(error)
  const writing = AbortSignal.any([runtime.abort, failed.signal])
  const reading = AbortSignal.any([runtime.stop, writing]) // a failed write has to end a read that may never return by itself
  const flights: Flight[] = [] // not yet acknowledged, in read order
  const abandoned = new Set<string>() // revoked partitions of which something was not sent
  let released = 0 // messages that are unacknowledged for good
  let exhausted = false
  let proven = false // has a write succeeded?
  const landed = () => Promise.all(flights.map((flight) => flight.acknowledged))

  try {
    for await (const messages of inBatches(countedChunks(), pipeline.batch, runtime.clock)) {
      for (const batch of sink.onePartitionABatch ? byPartition(messages) : [messages]) await launch(batch).catch(fail)
      if (failed.signal.aborted) break
    }
  } catch (error) {
    await landed() // what a failing source gave us before is still worth its ack
    fail(error)
  }

  await landed()
  failed.signal.throwIfAborted()
  if (exhausted) await source.complete()
  return ledger

  async function* countedChunks() {
    for await (const chunk of source.read(reading)) {
      if (ledger.unacknowledged === released && chunk.length > 0) pipeline.observer?.waiting?.()
      ledger.read += chunk.length
      ledger.unacknowledged += chunk.length
      yield chunk
    }

    exhausted = !reading.aborted
  }

  /** Maps while the writes before are on their way, then waits for a free place and for the flights that have to land first. */
  async function launch(messages: readonly Message<I>[]) {
    const batch = mapBatch(messages, pipeline)
    if (flights.length >= sink.maxInFlight) await flights[0]!.acknowledged
    await Promise.all(flights.filter((flight) => mustPrecede(flight, batch)).map((flight) => flight.written))
    if (failed.signal.aborted) return

    const begunAt = runtime.clock.now()
    const settlement = settle(batch)
    const before = flights.at(-1)?.acknowledged
    const acknowledged = Promise.all([settlement, before])
      .then(([settled]) => acknowledge(settled, begunAt))
      .catch(fail)
    flights.push({batch, written: settlement.catch(() => {}), acknowledged})
    pipeline.observer?.launched?.()
  }

  /** The last value of a key has to be written last, and where it is promised a partition has one insert in flight, whichever assignment it came by. */
  function mustPrecede(flight: Flight, batch: Batch<I, O>): boolean {
    return !flight.batch.keys.isDisjointFrom(batch.keys) || (sink.onePartitionABatch === true && placeOf(flight.batch) === placeOf(batch))
  }

  function placeOf({messages: [first]}: Pick<Batch<unknown, unknown>, 'messages'>): string | undefined {
    return first && source.describe({...first.position, offset: 0n})
  }

  /** Resolves when each message is stored, filtered or in the dead letters, all of it durable, or was taken away. */
  async function settle(batch: Batch<I, O>): Promise<Settlement<I, O>> {
    const {messages, rows, owners} = batch
    const unsent = new Set<number>()
    const withdrawn = (row: number) => {
      if (!source.revoked) return false
      const owner = owners[row]!
      const isRevoked = source.revoked(messages[owner]!.position.partition).aborted
      if (isRevoked) unsent.add(owner)
      return isRevoked
    }

    const write = isolate(sink, {rows, token: tokenOf(messages, source), signal: writing, withdrawn})
    const {retry: policy, observer, deadLetter} = pipeline
    const attempts = {policy, signal: writing, proven: () => proven, observer}
    const refused = await withRetry({...attempts, work: write}, runtime)
    if (owners.some((owner) => !unsent.has(owner))) proven = true
    const letters = lettersOf(batch, refused)
    const putLetters = (bounded: Bounded) => orAborted(() => bounded('the place for dead letters', () => deadLetter.put(letters)), writing)
    if (letters.length > 0) await withRetry({...attempts, work: putLetters}, runtime)
    return {batch, refused, unsent}
  }

  async function acknowledge(settlement: Settlement<I, O>, begunAt: number) {
    if (failed.signal.aborted) return
    leaveOut(settlement, abandoned)
    const {
      batch: {messages},
      unsent,
    } = settlement
    const settled = unsent.size === 0 ? messages : messages.filter((_, index) => !unsent.has(index))
    if (settled.length > 0) await source.ack(settled)
    if (unsent.size > 0) release(messages.filter((_, index) => unsent.has(index)))
    record(ledger, settled.length, tallyOf(settlement, sink))
    flights.shift()
    pipeline.observer?.settled?.({messages: settled.length, milliseconds: runtime.clock.now() - begunAt})
  }

  function release(unsent: readonly Message<I>[]) {
    source.release?.(unsent)
    released += unsent.length
    pipeline.observer?.released?.(unsent.length)
  }
}

/** A batch on its way. Its promises never reject: a failure goes to `failed`. */
interface Flight {
  readonly batch: Pick<Batch<unknown, unknown>, 'keys' | 'messages'>
  readonly written: Promise<unknown>
  readonly acknowledged: Promise<void>
}

interface Batch<I, O> {
  readonly messages: readonly Message<I>[]
  readonly rows: readonly O[]
  /** rows[i] was made of messages[owners[i]], as its row places[i]. */
  readonly owners: readonly number[]
  readonly places: readonly number[]
  /** Rows that could not be made. */
  readonly unmade: readonly {readonly owner: number; readonly place: number; readonly error: DataError}[]
  /** By index of the message. */
  readonly filtered: ReadonlyMap<number, string>
  readonly rejected: ReadonlyMap<number, DataError>
  readonly keys: ReadonlySet<number>
}

function byPartition<I>(messages: readonly Message<I>[]): readonly (readonly Message<I>[])[] {
  return [...Map.groupBy(messages, (message) => message.position.partition).values()]
}

function mapBatch<I, O>(messages: readonly Message<I>[], {transform, sink}: Pipeline<I, O>): Batch<I, O> {
  const rows: O[] = []
  const owners: number[] = []
  const places: number[] = []
  const unmade: Batch<I, O>['unmade'][number][] = []
  const filtered = new Map<number, string>()
  const rejected = new Map<number, DataError>()

  messages.forEach(({value, position}, index) => {
    try {
      const outcome = transform(value, position)
      if ('filtered' in outcome) filtered.set(index, outcome.filtered)
      else if (outcome.rows.length === 0) filtered.set(index, 'no rows')
      else outcome.rows.forEach((row, place) => add(row, index, place))
    } catch (error) {
      if (!(error instanceof DataError)) throw error
      rejected.set(index, error)
    }
  })

  const keys = new Set<number>()
  if (sink.key) for (const row of rows) keys.add(sink.key(row))
  return {messages, rows, owners, places, unmade, filtered, rejected, keys}

  function add(row: O | DataError, owner: number, place: number): void {
    if (row instanceof DataError) {
      unmade.push({owner, place, error: row})
      return
    }

    rows.push(row)
    owners.push(owner)
    places.push(place)
  }
}

interface Settlement<I, O> {
  readonly batch: Batch<I, O>
  readonly refused: ReadonlyMap<number, DataError>
  /** Messages that a revocation took away before all of their rows were sent. */
  readonly unsent: Set<number>
}

function lettersOf(batch: Batch<unknown, unknown>, refused: ReadonlyMap<number, DataError>): readonly Letter[] {
  const {messages, owners, places, unmade, rejected} = batch
  return [
    ...[...rejected].map(([index, error]) => ({message: messages[index]!, error})),
    ...unmade.map(({owner, place, error}) => ({message: messages[owner]!, index: place, error})),
    ...[...refused].map(([row, error]) => ({message: messages[owners[row]!]!, index: places[row]!, error})),
  ]
}

/** An ack says "all before it": after a message that was not sent, no later one of its partition may be acknowledged. */
function leaveOut({batch, unsent}: Settlement<unknown, unknown>, abandoned: Set<string>): void {
  if (unsent.size === 0 && abandoned.size === 0) return
  batch.messages.forEach(({position: {partition}}, index) => {
    if (unsent.has(index)) abandoned.add(partition)
    else if (abandoned.has(partition)) unsent.add(index)
  })
}

function tallyOf<O>({batch, refused, unsent}: Settlement<unknown, O>, sink: Sink<O>): Tally {
  const {rows: all, owners, unmade, filtered} = batch
  const rejected = new Map(batch.rejected) // a message that lost any of its rows, with the first reason
  for (const {owner, error} of unmade) if (!rejected.has(owner)) rejected.set(owner, error)
  for (const [row, error] of refused) if (!rejected.has(owners[row]!)) rejected.set(owners[row]!, error)

  let [accepted, rows] = [0, 0]
  const isWhole = refused.size === 0 && unsent.size === 0
  const stored = new Set<number>() // keys
  owners.forEach((owner, row) => {
    if (unsent.has(owner)) return
    if (!refused.has(row)) {
      rows++
      if (!isWhole && sink.key) stored.add(sink.key(all[row]!))
    }

    if (owner !== owners[row - 1] && !rejected.has(owner)) accepted++
  })

  const settled = <T>(outcomes: ReadonlyMap<number, T>) => [...outcomes].flatMap(([index, outcome]) => (unsent.has(index) ? [] : [outcome]))
  return {
    written: sink.prints ? 0 : accepted,
    printed: sink.prints ? accepted : 0,
    rows: sink.prints ? 0 : rows,
    filtered: settled(filtered),
    rejected: settled(rejected).map((error) => error.reason),
    collapsed: sink.key ? rows - (isWhole ? batch.keys : stored).size : 0,
  }
}

/** Names each partition's range: the first and last position of a mixed batch would not tell what lies between them. */
function tokenOf(messages: readonly Message<unknown>[], source: Source<unknown>): string {
  const ranges = new Map<string, {first: Message<unknown>; last: Message<unknown>}>()
  for (const message of messages) {
    const range = ranges.get(message.position.partition)
    if (range) range.last = message
    else ranges.set(message.position.partition, {first: message, last: message})
  }

  return [...ranges.values()].map(({first, last}) => `${source.describe(first.position)}-${last.position.offset}`).join(',')
}
