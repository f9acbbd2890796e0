import type {Ask, Clock, Logger} from '../core/types.ts'
import {withRetry} from '../core/retry.ts'
import {InterruptedError, UcsError} from '../errors.ts'
import {listenForSignals} from '../runtime/shutdown.ts'
import {MACHINE, retryPolicy} from './stream.ts'

/** What a job that is done once is given. */
export interface Job {
  /** Fires at the first SIGTERM or SIGINT. What is safe to repeat may end at once. */
  readonly signal: AbortSignal
  readonly clock: Clock
  /** `target`: what errors call the server. */
  readonly asking: (target: string) => Ask
}

export interface JobOptions {
  readonly log: Logger
  /** `--retry-for`. */
  readonly retryForMilliseconds: number | undefined
}

/** Runs a plain function as a command: with patience for servers, and an end at a signal. Rejects with the error that names the exit code. */
export async function runJob<T>(
  {log, retryForMilliseconds}: JobOptions,
  work: (job: Job) => Promise<T>,
  {clock, random, signals} = MACHINE,
): Promise<T> {
  const shutdown = listenForSignals(Infinity, clock, signals)
  const signal = shutdown.stop
  const policy = retryPolicy({isEndless: false, retryForMilliseconds})
  const asking =
    (target: string): Ask =>
    (request) =>
      withRetry({work: (bounded) => bounded(target, request), policy, signal}, {clock, log, random})
  try {
    return await work({signal, clock, asking})
  } catch (error) {
    throw signal.aborted ? interrupted(error, signal.reason as InterruptedError) : error
  } finally {
    shutdown.dispose()
  }
}

/** A failure that was being waited out is told with the signal; it does not take its place. */
function interrupted(error: unknown, {message}: InterruptedError): unknown {
  if (!(error instanceof UcsError)) return error
  if (error instanceof InterruptedError) return new InterruptedError(message, {cause: error})
  return new InterruptedError(`${message}: ${error.message}`, {cause: error, suggestion: error.suggestion})
}
