import type {BatchLimits, DeadLetter, Observer, RetryPolicy, Runtime, Sink, Source, Transform} from '../core/types.ts'
import type {FlagSet, Values} from './flag.ts'
import type {Session} from './base-command.ts'
import type {batchFlags, deliveryFlags} from './flags.ts'
import {createLedger} from '../core/ledger.ts'
import {runPipeline} from '../core/pipeline.ts'
import {withRetry} from '../core/retry.ts'
import type {UcsError} from '../errors.ts'
import {InterruptedError, PartialError, UnavailableError} from '../errors.ts'
import {systemClock} from '../runtime/clock.ts'
import {isDrainTimeout, listenForSignals} from '../runtime/shutdown.ts'
import {showProgress} from './progress.ts'

export interface StreamPlan<I, O> {
  readonly source: Source<I>
  readonly transform: Transform<I, O>
  readonly batch: BatchLimits
  readonly sink: Sink<O>
  readonly deadLetter: DeadLetter
  /** For people. */
  readonly deadLettersAt: () => string
  readonly observer?: Observer
  /** What progress shows besides the ledger. */
  readonly extras?: () => Readonly<Record<string, unknown>>
  /** Completes what a failed run says. */
  readonly ending?: (error: unknown) => unknown
}

export interface StreamOptions {
  readonly isEndless: boolean
  readonly retryForMilliseconds: number | undefined
  readonly shutdownMilliseconds: number
}

const ONE_SHOT_PATIENCE_MILLISECONDS = 300_000
const PAUSE_MILLISECONDS = 30_000

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

export const streamOptions = (values: Values<typeof deliveryFlags>, isEndless: boolean): StreamOptions => ({
  isEndless,
  retryForMilliseconds: values['retry-for'],
  shutdownMilliseconds: values['shutdown-timeout'],
})

/**
 * One run of a pipeline as a command: signals, check, progress, ledger, closing. Rejects with the error that names the
 * exit code; resolves when all that was read is settled and nothing was rejected, or when an endless run was drained.
 */
export async function runStream<F extends FlagSet, I, O>(
  session: Session<F>,
  options: StreamOptions,
  plan: (runtime: Runtime, policy: RetryPolicy) => Promise<StreamPlan<I, O>>,
): Promise<void> {
  const {log, report} = session
  const shutdown = listenForSignals(options.shutdownMilliseconds, systemClock)
  const runtime: Runtime = {stop: shutdown.stop, abort: shutdown.abort, clock: systemClock, random: Math.random, log}
  const policy = retryPolicy(options)
  const ledger = createLedger()

  let parts: StreamPlan<I, O> | undefined

  try {
    parts = await plan(runtime, policy)
    report.ledger = ledger
    await runAndClose(parts)
    const signalName = shutdown.signalName()
    if (signalName && !options.isEndless) throw new InterruptedError(`stopped by ${signalName}: what was read is written`)
    if (ledger.rejected === 0) return
    const where = `they are in ${parts.deadLettersAt()}`
    if (!options.isEndless) throw new PartialError(`${ledger.rejected} of ${ledger.read} records were rejected: ${where}`)
    report.notes.push(`${ledger.rejected} records were rejected: ${where}`)
  } catch (error) {
    const ending = endingOf(error)
    throw parts?.ending?.(ending) ?? ending
  } finally {
    shutdown.dispose()
  }

  async function runAndClose({source, transform, batch, sink, deadLetter, observer, extras}: StreamPlan<I, O>): Promise<void> {
    const isWatched = session.isWatched && !(session.values as {quiet: boolean}).quiet && !sink.prints
    const progress = await showProgress({ledger, log, isWatched, ...(extras ? {extras} : {})})
    try {
      const signal = AbortSignal.any([runtime.stop, runtime.abort])
      const isReady = await withRetry({work: () => sink.check(signal), policy, signal}, runtime).then(
        () => true,
        (error: unknown) => {
          if (runtime.stop.aborted) return false // stopped before it began: nothing was read
          throw error
        },
      )
      if (isReady)
        await runPipeline({source, transform, batch, sink, deadLetter, retry: policy, ...(observer ? {observer} : {})}, runtime, ledger)
    } catch (error) {
      await closeAll([source, sink, deadLetter]).catch((cause: unknown) => log.debug('close.failed', {message: (cause as Error).message}))
      throw error
    } finally {
      progress.stop()
    }

    await closeAll([source, sink, deadLetter])
  }

  /** Says what is left unacknowledged, and why an aborted run was aborted. */
  function endingOf(error: unknown): unknown {
    const left = ledger.unacknowledged === 0 ? '' : `; ${ledger.unacknowledged} records left unacknowledged, they will be read again`
    if (runtime.abort.aborted) {
      const {message} = runtime.abort.reason as InterruptedError
      return isDrainTimeout(message)
        ? new UnavailableError(`${message}${left}`, {cause: error})
        : new InterruptedError(`${message}${left}`, {cause: error})
    }

    return error instanceof UnavailableError && left
      ? new UnavailableError(`${error.message}${left}`, {cause: error, suggestion: error.suggestion})
      : error
  }
}

/** All of them, whatever becomes of one; then the first failure. */
async function closeAll(parts: readonly {close(): Promise<void>}[]): Promise<void> {
  const endings = await Promise.allSettled(parts.map((part) => part.close()))
  const failed = endings.find((ending) => ending.status === 'rejected')
  if (failed) throw failed.reason as UcsError
}
