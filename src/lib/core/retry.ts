import type {Observer, RetryPolicy, Runtime} from './types.ts'
import {InterruptedError, PartialWriteError, UcsError, UnavailableError} from '../errors.ts'
import {within} from './within.ts'

export interface Attempts<T> {
  /** One attempt. What it asks of a server goes through `bounded`, unless something else bounds it. */
  work(bounded: Bounded): Promise<T>
  readonly policy: RetryPolicy
  /** Ends the attempts, also in the middle of a wait. */
  readonly signal: AbortSignal
  /** Has this target worked before in this run? Then a missing bucket or a refused token may be a passing state. */
  readonly proven?: () => boolean
  readonly observer?: Observer | undefined
}

/** Waits for one answer, of what errors call `target`, no longer than the patience lasts; it begins anew with every answer. */
export type Bounded = <R>(target: string, request: () => Promise<R>) => Promise<R>

/** Without any patience for another attempt, one attempt may still take as long. */
export const ONE_ATTEMPT_MILLISECONDS = 30_000
/** Then it is told, in case that a person wonders. */
const LONG_WAIT_MILLISECONDS = 10_000
/** And told again, as long as it lasts. */
const REMINDER_MILLISECONDS = 60_000
/** A last attempt, made when the patience ends, may take as long. */
const LAST_ATTEMPT_MILLISECONDS = 5000

/**
 * Exponential backoff with full jitter, between attempts that fail for a reason that can pass.
 * What the server asks for by Retry-After is kept, up to the policy's cap.
 * After an abort it throws the failure that was being waited out, or InterruptedError: never a bare AbortError.
 * A server that answers between two failures is not one that keeps failing: the patience counts from the beginning of the first request that failed.
 */
export async function withRetry<T>(attempts: Attempts<T>, {clock, log, random}: Pick<Runtime, 'clock' | 'log' | 'random'>): Promise<T> {
  const {work, policy, signal, proven = () => false, observer} = attempts
  let failingSince: number | undefined // or the beginning of what has not come to an end yet
  let waitedOut: UcsError | undefined

  for (let attempt = 1; ; attempt++) {
    failingSince ??= clock.now()
    try {
      signal.throwIfAborted()
      const result = await work(bounded)
      serverWorks()
      return result
    } catch (cause) {
      if (signal.aborted) throw failureAtAbort(cause)
      if (!(cause instanceof UcsError)) throw cause
      const milliseconds = waitBefore(cause, attempt, patienceLeft())
      if (milliseconds === undefined) throw cause

      const {code, message, suggestion} = cause
      log.warn('retry', {attempt, inMilliseconds: Math.round(milliseconds), code, message, suggestion})
      observer?.retrying?.(cause)
      waitedOut = cause
      await clock.sleep(milliseconds, signal).catch(() => {}) // an abort is seen at the top of the loop
    }
  }

  function serverWorks(): void {
    failingSince = undefined
    if (waitedOut) observer?.recovered?.()
    waitedOut = undefined
  }

  /** What an abort ends tells of the abort only: why the work was not done by then is what failed before. */
  function failureAtAbort(cause: unknown): unknown {
    const isFailure = cause instanceof UcsError && cause !== signal.reason
    return isFailure ? cause : (waitedOut ?? (cause instanceof UcsError ? cause : new InterruptedError('cut short', {cause})))
  }

  function patienceLeft(): number {
    failingSince ??= clock.now()
    return failingSince + policy.forMilliseconds - clock.now()
  }

  async function bounded<R>(target: string, request: () => Promise<R>): Promise<R> {
    const answered = new AbortController()
    tellOfWaiting(target, answered.signal).catch(() => {})
    try {
      const answer = await withinPatience(target, request)
      serverWorks()
      return answer
    } catch (error) {
      if (error instanceof PartialWriteError) serverWorks() // it has judged
      throw error
    } finally {
      answered.abort()
    }
  }

  async function tellOfWaiting(target: string, answered: AbortSignal): Promise<void> {
    const begunAt = clock.now()
    for (let milliseconds = LONG_WAIT_MILLISECONDS; ; milliseconds = REMINDER_MILLISECONDS) {
      await clock.sleep(milliseconds, answered)
      if (signal.aborted) return // nobody waits any more
      log.warn('waiting', {message: `${target} has not answered for ${Math.round((clock.now() - begunAt) / 1000)} s`})
    }
  }

  function withinPatience<R>(target: string, request: () => Promise<R>): Promise<R> {
    const {forMilliseconds} = policy
    const left = patienceLeft()
    if (forMilliseconds === Infinity) return request()
    const atLeast = forMilliseconds === 0 ? ONE_ATTEMPT_MILLISECONDS : Math.min(forMilliseconds, LAST_ATTEMPT_MILLISECONDS)
    const milliseconds = Math.max(left, atLeast)
    const late = () =>
      new UnavailableError(`${target} did not answer within ${milliseconds / 1000} s`, {
        suggestion: 'Is it running, or overloaded? --retry-for waits longer',
      })
    return within(milliseconds, request, clock, late)
  }

  /** Undefined: it ends here. The last attempt is made when the patience ends, unless the server asked for longer. */
  function waitBefore(error: UcsError, attempt: number, left: number): number | undefined {
    if (left <= 0 || error.retryable === 'never' || attempt > (policy.maxRetries ?? Infinity)) return undefined
    if (error.retryable === 'after success') {
      return proven() && policy.pauseMilliseconds !== undefined ? Math.min(policy.pauseMilliseconds, left) : undefined
    }

    const asked = error instanceof UnavailableError ? error.retryAfterMilliseconds : undefined
    if (asked === undefined) return Math.min(random() * Math.min(policy.capMilliseconds, policy.baseMilliseconds * 2 ** attempt), left)
    const wait = Math.min(asked, policy.capMilliseconds)
    return wait > left ? undefined : wait
  }
}
