import type {Observer, RetryPolicy, Runtime} from './types.ts'
import {InterruptedError, UcsError, UnavailableError} from '../errors.ts'

export interface Attempts<T> {
  work(): Promise<T>
  readonly policy: RetryPolicy
  /** Ends the attempts, also in the middle of a wait. */
  readonly signal: AbortSignal
  /** Has this target worked before in this run? Then a missing bucket or a refused token may be a passing state. */
  readonly proven?: () => boolean
  readonly observer?: Observer | undefined
}

/**
 * Exponential backoff with full jitter, between attempts that fail for a reason that can pass.
 * What the server asks for by Retry-After is kept, up to the policy's cap.
 * After an abort it throws the failure that was being waited out, or InterruptedError: never a bare AbortError.
 */
export async function withRetry<T>(attempts: Attempts<T>, {clock, log, random}: Pick<Runtime, 'clock' | 'log' | 'random'>): Promise<T> {
  const {work, policy, signal, proven = () => false, observer} = attempts
  let giveUpAt: number | undefined
  let waitedOut: UcsError | undefined

  for (let attempt = 1; ; attempt++) {
    try {
      signal.throwIfAborted()
      const result = await work()
      if (waitedOut) observer?.recovered?.()
      return result
    } catch (cause) {
      const error = signal.aborted && !(cause instanceof UcsError) ? (waitedOut ?? new InterruptedError('cut short', {cause})) : cause
      if (signal.aborted || !(error instanceof UcsError)) throw error

      giveUpAt ??= clock.now() + policy.forMilliseconds
      const milliseconds = waitBefore(error, attempt, giveUpAt - clock.now())
      if (milliseconds === undefined) throw error

      log.warn('retry', {
        attempt,
        inMilliseconds: Math.round(milliseconds),
        code: error.code,
        message: error.message,
        suggestion: error.suggestion,
      })
      observer?.retrying?.(error)
      waitedOut = error
      await clock.sleep(milliseconds, signal).catch(() => {}) // an abort is seen at the top of the loop
    }
  }

  /** Undefined: it ends here. The last attempt is made when the patience ends, unless the server asked for longer. */
  function waitBefore(error: UcsError, attempt: number, left: number): number | undefined {
    if (left <= 0 || error.retryable === 'never') return undefined
    if (error.retryable === 'after success') {
      return proven() && policy.pauseMilliseconds !== undefined ? Math.min(policy.pauseMilliseconds, left) : undefined
    }

    const asked = error instanceof UnavailableError ? error.retryAfterMilliseconds : undefined
    if (asked === undefined) return Math.min(random() * Math.min(policy.capMilliseconds, policy.baseMilliseconds * 2 ** attempt), left)
    const wait = Math.min(asked, policy.capMilliseconds)
    return wait > left ? undefined : wait
  }
}
