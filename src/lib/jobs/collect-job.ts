import type {InfluxQueryClient} from '../clients/influx-query.ts'
import type {Limit} from '../core/limit.ts'
import type {Bounded} from '../core/retry.ts'
import type {BatchLimits, Checkpoint, DeadLetter, Ledger, Observer, RetryPolicy, Runtime, Sink, Transform} from '../core/types.ts'
import type {FluxPoint} from '../format/flux-point.ts'
import type {FluxRequest, TimeRange} from '../format/flux-query.ts'
import type {Line} from '../format/line-protocol.ts'
import type {CollectProgress} from './collect-progress.ts'
import {runPipeline} from '../core/pipeline.ts'
import {withRetry} from '../core/retry.ts'
import type {UcsError} from '../errors.ts'
import {AuthError, NotFoundError, UnavailableError} from '../errors.ts'
import {createInfluxQuerySource} from '../sources/influx-query.ts'

/** A server that is collected from. */
export interface CollectServer {
  /** "server_a". */
  readonly name: string
  readonly client: InfluxQueryClient
  /** How many queries it is asked at a time. */
  readonly queries: Limit
}

/** What a cycle is under the eyes of. */
export interface CollectRun extends Pick<Runtime, 'stop' | 'abort'> {
  readonly ledger: Ledger
  readonly observer: Observer
}

/** What all jobs of a run share. */
export interface CollectShared {
  readonly batch: BatchLimits
  readonly deadLetter: DeadLetter
  /** How many answers are read at a time, of all servers. */
  readonly answers: Limit
  /** How patient a cycle is with a server that does not answer. */
  readonly readPolicy: RetryPolicy
  readonly writePolicy: RetryPolicy
  /** What came too late is not waited for: cycles end here. */
  readonly lagMilliseconds: number
}

export interface CollectJobOptions {
  readonly server: CollectServer
  /** "pod_8/telegraf/system_metrics". */
  readonly label: string
  readonly bucket: string
  readonly progress: CollectProgress
  /** Where the progress is kept; undefined: nowhere. */
  readonly cursor: {readonly checkpoint: Checkpoint; readonly key: string} | undefined
  readonly transform: Transform<FluxPoint, Line>
  readonly sink: Sink<Line>
  readonly unitMilliseconds: number
  /** The longest time that one query asks for. */
  readonly maxChunkMilliseconds: number
  request(range: TimeRange): FluxRequest
}

/** One query of one bucket of one server. */
export interface CollectJob {
  readonly server: CollectServer
  readonly label: string
  readonly bucket: string
  /**
   * Collects what is missing up to now, or to when it was due: a timer may come a little early. Resolves also when it failed, and
   * rejects with what ends the run.
   */
  cycle(run: CollectRun, dueAt?: number): Promise<void>
  readonly state: Readonly<JobState>
  /** All up to here is stored. Milliseconds since the epoch. */
  until(): number | undefined
}

export interface JobState {
  cycles: number
  failures: number
  /** Rows that were read, of the last cycle that came to its end. */
  lastRows: number
  rows: number
  /** Milliseconds since the epoch. */
  lastSuccess: number | undefined
  /** Of the last cycle; undefined where it came to its end. */
  failure: UcsError | undefined
}

const FIRST_CHUNK_MILLISECONDS = 3_600_000
/** Of one query: longer chunks ask for more, shorter ones cost requests. */
const [FEW_ROWS, MANY_ROWS] = [100_000, 1_000_000]

export function createCollectJob(options: CollectJobOptions, shared: CollectShared, runtime: Omit<Runtime, 'stop' | 'abort'>): CollectJob {
  const {server, label, bucket, progress, cursor, unitMilliseconds: unit, maxChunkMilliseconds} = options
  const {clock, log} = runtime
  const quiet = {...log, warn: log.debug} // what was tried in vain is told when it is given up
  const state: JobState = {cycles: 0, failures: 0, lastRows: 0, rows: 0, lastSuccess: undefined, failure: undefined}
  let chunkMilliseconds = Math.min(FIRST_CHUNK_MILLISECONDS, maxChunkMilliseconds)
  let sequence = clock.now() * 1000 // letters of several runs are told apart by it

  return {server, label, bucket, state, until: progress.until, cycle}

  async function cycle(run: CollectRun, dueAt = 0): Promise<void> {
    const target = Math.floor((Math.max(clock.now(), dueAt) - shared.lagMilliseconds) / unit) * unit
    const begunWith = state.rows
    state.cycles++
    progress.rewind(target)
    try {
      for (let range = first(); range && !run.stop.aborted; range = first()) {
        const isWhole = await collect(range, run)
        if (!isWhole) return
      }
    } catch (error) {
      const cause = error instanceof WriteFailure ? error.cause : error
      if (run.abort.aborted || !canPass(cause)) throw cause
      failed(cause)
      if (error !== cause && cause.retryable === 'after success') run.observer.retrying?.(cause) // the central server waits for somebody
      return
    }

    if (run.stop.aborted) return
    if (state.failure) log.info('source.back', {job: label})
    state.failure = undefined
    state.lastSuccess = clock.now()
    state.lastRows = state.rows - begunWith

    function first(): TimeRange | undefined {
      return progress.next(target, chunkMilliseconds)
    }
  }

  /** False: it was stopped before all of it was read. */
  async function collect(range: TimeRange, run: CollectRun): Promise<boolean> {
    let isWhole = false
    const work = async (bounded: Bounded) => attempt(range, {bounded, whole: () => (isWhole = true)}, run)
    try {
      const rows = await withRetry({work, policy: shared.readPolicy, signal: run.stop}, {...runtime, log: quiet})
      state.rows += rows
      adapt(rows)
      log.debug('collected', {job: label, from: new Date(range.start).toISOString(), to: new Date(range.stop).toISOString(), rows})
    } catch (error) {
      if (error instanceof WriteFailure) throw error
      if (run.stop.aborted && !run.abort.aborted) return false
      shorten(range)
      throw error
    }

    return isWhole
  }

  /** Rejects with the failure of the source, or with WriteFailure. */
  async function attempt(range: TimeRange, {bounded, whole}: {bounded: Bounded; whole(): void}, run: CollectRun): Promise<number> {
    const {batch, deadLetter, answers, writePolicy: retry} = shared
    const {stop, abort, ledger, observer} = run
    const source = createInfluxQuerySource({
      client: server.client,
      request: options.request(range),
      partition: `${label}/0`,
      firstOffset: sequence,
      queries: server.queries,
      answers,
      bounded,
      async complete() {
        progress.settle()
        await cursor?.checkpoint.save(cursor.key, progress.cursor())
        whole()
      },
    })
    const pipeline = {source, transform: options.transform, batch, sink: options.sink, retry, deadLetter, observer}
    try {
      await runPipeline(pipeline, {...runtime, stop, abort, log: quiet}, ledger)
    } catch (error) {
      if (!abort.aborted) withdraw(ledger, source.unsettled())
      throw error === source.failure() ? error : new WriteFailure(error)
    } finally {
      sequence += source.rows()
    }

    return source.rows()
  }

  /** They are read again by this run, and counted then. */
  function withdraw(ledger: Ledger, rows: number): void {
    ledger.read -= rows
    ledger.unacknowledged -= rows
  }

  function adapt(rows: number): void {
    if (rows < FEW_ROWS) chunkMilliseconds = Math.min(chunkMilliseconds * 2, maxChunkMilliseconds)
    if (rows > MANY_ROWS) chunkMilliseconds = Math.max(chunkMilliseconds / 2, unit)
  }

  /** A query that asks for less may be answered in time. */
  function shorten({start, stop}: TimeRange): void {
    chunkMilliseconds = Math.max((stop - start) / 2, unit)
  }

  function failed(error: UcsError): void {
    const {code, message, suggestion} = error
    const isNew = state.failure?.message !== message
    log[isNew ? 'warn' : 'debug']('source.failed', {job: label, code, message, suggestion})
    state.failure = error
    state.failures++
  }
}

/** Kept apart from what the source does: only that is tried again at once. */
class WriteFailure extends Error {
  constructor(cause: unknown) {
    super('the rows could not be written', {cause})
  }
}

/** A job that failed so is tried again on its schedule. */
const canPass = (error: unknown): error is UcsError =>
  error instanceof UnavailableError || error instanceof AuthError || error instanceof NotFoundError
