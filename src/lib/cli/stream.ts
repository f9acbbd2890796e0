import type {BatchLimits, Clock, DeadLetter, Ledger, Observer, RetryPolicy, Runtime, Sink, Source, Transform} from '../core/types.ts'
import type {HealthServer} from '../runtime/health.ts'
import type {SignalEmitter} from '../runtime/shutdown.ts'
import type {LabelledCount, NoticeCounts, SourceCount, Vitals} from '../runtime/vitals.ts'
import type {Session} from './base-command.ts'
import type {FlagSet, Values} from './flag.ts'
import type {batchFlags, deliveryFlags, healthFlags} from './flags.ts'
import {createLedger} from '../core/ledger.ts'
import {runPipeline} from '../core/pipeline.ts'
import {withRetry} from '../core/retry.ts'
import {InterruptedError, PartialError, UcsError, UnavailableError} from '../errors.ts'
import {systemClock} from '../runtime/clock.ts'
import {isDrainTimeout, listenForSignals} from '../runtime/shutdown.ts'
import {createVitals} from '../runtime/vitals.ts'
import {showProgress} from './progress.ts'

/** What a run shows of itself while it goes on, and at its end. */
export interface Shown {
  /** For people. */
  readonly deadLettersAt: () => string
  /** Records that wait behind what was settled; absent where that cannot be known. */
  readonly lag?: (() => number) | undefined
  /** What only this kind of source counts. */
  readonly counts?: readonly SourceCount[] | undefined
  /** The same, by labels. */
  readonly series?: readonly LabelledCount[] | undefined
  /** What was noticed in records that could be used all the same. */
  readonly observations?: {readonly counts: NoticeCounts} | undefined
  /** What else a person wants to see while it goes on, besides the lag. */
  readonly progress?: (() => Readonly<Record<string, unknown>>) | undefined
  /** What `/health` says besides, or instead: a `status` of "critical" makes it 503. */
  readonly health?: (() => Readonly<Record<string, unknown>>) | undefined
  /** What `/metrics.json` says; absent where there is none. */
  readonly metrics?: (() => Readonly<Record<string, unknown>>) | undefined
  /** Whether the source is connected; absent where there is nothing to connect to. */
  readonly isConnected?: (() => boolean) | undefined
  /** What a run that was cut short says of what it has read and not settled; empty where there is nothing to say. */
  readonly leftover: (unacknowledged: number) => string
}

export interface StreamPlan<I, O> extends Shown {
  readonly source: Source<I>
  readonly transform: Transform<I, O>
  readonly batch: BatchLimits
  readonly sink: Sink<O>
  readonly deadLetter: DeadLetter
}

/** What a command does between its check and its closing: one pipeline, or many. */
export interface Work extends Shown {
  /** Proves that what is written to can be reached, and may be written to. */
  readonly sinks: readonly Pick<Sink<unknown>, 'check' | 'target' | 'prints'>[]
  run(observer: Observer, ledger: Ledger): Promise<void>
  /** Of all its parts, whatever becomes of one. */
  close(): Promise<void>
}

export interface StreamOptions {
  readonly command: string
  readonly isEndless: boolean
  /** Where to serve its health, which only an endless run does. */
  readonly health: {readonly host: string; readonly port: number; readonly stallMilliseconds: number} | undefined
  readonly retryForMilliseconds: number | undefined
  readonly shutdownMilliseconds: number
}

/** What a run is given by the machine it runs on; tests pass a fake. */
export interface Machine {
  readonly clock: Clock
  readonly random: () => number
  readonly signals: SignalEmitter
}

export const MACHINE: Machine = {clock: systemClock, random: Math.random, signals: process}

const ONE_SHOT_PATIENCE_MILLISECONDS = 300_000
const PAUSE_MILLISECONDS = 30_000
const STALL_MILLISECONDS = 60_000

type OptionValues = Values<ReturnType<typeof deliveryFlags>> & Partial<Values<typeof healthFlags>> & {readonly 'flush-interval'?: number}

export function streamOptions(command: string, values: OptionValues, isEndless: boolean): StreamOptions {
  const {'health-port': port, 'health-host': host = '127.0.0.1', 'flush-interval': flushInterval = 0} = values
  return {
    command,
    isEndless,
    health: port ? {host, port, stallMilliseconds: 3 * flushInterval + STALL_MILLISECONDS} : undefined,
    retryForMilliseconds: values['retry-for'],
    shutdownMilliseconds: values['shutdown-timeout'],
  }
}

/** How patient a run is with its servers, reads included. */
export function retryPolicy({isEndless, retryForMilliseconds}: Pick<StreamOptions, 'isEndless' | 'retryForMilliseconds'>): RetryPolicy {
  return {
    forMilliseconds: retryForMilliseconds ?? (isEndless ? Infinity : ONE_SHOT_PATIENCE_MILLISECONDS),
    baseMilliseconds: 250,
    capMilliseconds: 10_000,
    ...(isEndless ? {pauseMilliseconds: PAUSE_MILLISECONDS} : {}),
  }
}

export const batchLimits = (values: Values<ReturnType<typeof batchFlags>>): BatchLimits => ({
  count: values['batch-size'],
  bytes: values['batch-bytes'],
  milliseconds: values['flush-interval'],
})

/** The sink is opened last: it may make a folder and start an engine, for which everything else has to be in order. */
export async function planWithSink<I, O>(
  rest: Omit<StreamPlan<I, O>, 'sink'>,
  openSink: () => Promise<Sink<O>>,
): Promise<StreamPlan<I, O>> {
  try {
    return {...rest, sink: await openSink()}
  } catch (error) {
    await Promise.allSettled([rest.source.close(), rest.deadLetter.close()])
    throw error
  }
}

/**
 * One run of a pipeline as a command: signals, check, progress, health, ledger, closing. Rejects with the error that names
 * the exit code; resolves when all that was read is settled and nothing was rejected, or when an endless run was drained.
 */
export async function runStream<F extends FlagSet, I, O>(
  session: RunSession<F>,
  options: StreamOptions,
  plan: (runtime: Runtime, policy: RetryPolicy) => Promise<StreamPlan<I, O>>,
  machine: Machine = MACHINE,
): Promise<void> {
  const work = async (runtime: Runtime, retry: RetryPolicy): Promise<Work> => {
    const {source, transform, batch, sink, deadLetter, ...shown} = await plan(runtime, retry)
    return {
      ...shown,
      sinks: [sink],
      async run(observer, ledger) {
        await runPipeline({source, transform, batch, sink, deadLetter, retry, observer}, runtime, ledger)
      },
      close: () => closeAll([source, sink, deadLetter]),
    }
  }
  await runWork(session, options, work, machine)
}

type RunSession<F extends FlagSet> = Pick<Session<F>, 'log' | 'report' | 'redact' | 'isWatched' | 'isQuiet'>

/** The same for work of any kind. */
export async function runWork<F extends FlagSet>(
  session: RunSession<F>,
  options: StreamOptions,
  plan: (runtime: Runtime, policy: RetryPolicy) => Promise<Work>,
  {clock, random, signals}: Machine = MACHINE,
): Promise<void> {
  const {log, report} = session
  const shutdown = listenForSignals(options.shutdownMilliseconds, clock, signals)
  const runtime: Runtime = {stop: shutdown.stop, abort: shutdown.abort, clock, random, log}
  const policy = retryPolicy(options)
  const ledger = createLedger()
  let parts: Work | undefined

  try {
    parts = await plan(runtime, policy)
    report.ledger = ledger
    report.observed = parts.observations?.counts
    for (const {key, value} of parts.counts ?? []) report.own[key] = value
    await runWatched(parts)
    const signalName = shutdown.signalName()
    if (signalName && !options.isEndless) throw new InterruptedError(`stopped by ${signalName}: what was read is written`)
  } catch (error) {
    throw endingOf(error, runtime, parts?.leftover(ledger.unacknowledged) ?? '')
  } finally {
    shutdown.dispose()
  }

  if (ledger.rejected === 0) return
  const where = `they are in ${parts.deadLettersAt()}`
  if (!options.isEndless) throw new PartialError(`${ledger.rejected} of ${ledger.read} records were rejected: ${where}`)
  report.notes.push(`${ledger.rejected} records were rejected: ${where}`)

  async function runWatched(work: Work): Promise<void> {
    const {sinks, lag, counts = [], series = [], isConnected = () => true, progress: shown, health: report, metrics} = work
    let isChecked = false
    const observations = work.observations?.counts
    const isReadyToRead = () => isChecked && isConnected()
    const own = {counts, series, observations, report, metrics}
    const {vitals, observer} = createVitals({ledger, clock, ...own, lag: () => lag?.(), isConnected: isReadyToRead})
    const isWatched = session.isWatched && !session.isQuiet && !sinks.some(({prints}) => prints)
    const extras = () => ({...(lag ? {lag: lag()} : {}), ...shown?.()})
    const progress = await showProgress({ledger, log, isWatched, extras})
    let health: HealthServer | undefined
    try {
      health = await serveHealth(options, {vitals, clock}, session)
      isChecked = await areReady(sinks)
      if (isChecked) await work.run(observer, ledger)
    } catch (error) {
      await work.close().catch((cause: unknown) => log.debug('close.failed', {message: (cause as Error).message}))
      throw error
    } finally {
      progress.stop()
      await health?.close()
    }

    await work.close()
  }

  /** False when it was stopped before it began: then nothing was read. */
  async function areReady(sinks: Work['sinks']): Promise<boolean> {
    const signal = AbortSignal.any([runtime.stop, runtime.abort])
    try {
      for (const sink of sinks) {
        const {target = 'the sink'} = sink
        await withRetry({work: (bounded) => bounded(target, () => sink.check(signal)), policy, signal}, runtime)
      }

      return true
    } catch (error) {
      if (runtime.stop.aborted) return false
      throw error
    }
  }
}

async function serveHealth<F extends FlagSet>(
  {command, isEndless, health}: StreamOptions,
  run: {readonly vitals: Vitals; readonly clock: Clock},
  {log, redact}: Pick<Session<F>, 'log' | 'redact'>,
): Promise<HealthServer | undefined> {
  if (!health) return undefined
  if (!isEndless) {
    log.info('health.off', {message: '--health-port serves a run without an end, and this one has a limit'})
    return undefined
  }

  const {startHealthServer} = await import('../runtime/health.ts')
  const server = await startHealthServer({command, redact, ...run, ...health})
  log.info('health.listening', {address: server.address})
  return server
}

/** Says what is left, why an aborted run was aborted, and what it was waiting for. */
function endingOf(error: unknown, {abort}: Runtime, leftover: string): unknown {
  const left = leftover && `; ${leftover}`
  if (!abort.aborted) {
    if (error instanceof UcsError) error.message += left // and not another error: what its class knows would be lost
    return error
  }

  const {message} = abort.reason as InterruptedError
  const failure = error instanceof UcsError && !(error instanceof InterruptedError) ? error : undefined
  const text = `${message}${failure ? `: ${failure.message}` : ''}${left}`
  const options = {cause: error, suggestion: failure?.suggestion}
  return isDrainTimeout(message) ? new UnavailableError(text, options) : new InterruptedError(text, options)
}

/** All of them, whatever becomes of one; then the first failure. */
export async function closeAll(parts: readonly {close(): Promise<void>}[]): Promise<void> {
  const endings = await Promise.allSettled(parts.map((part) => part.close()))
  const failed = endings.find((ending) => ending.status === 'rejected')
  if (failed) throw failed.reason
}
