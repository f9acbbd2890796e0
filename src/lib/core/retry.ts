import type {Observer, RetryPolicy, Runtime} from './types.ts'
import {InterruptedError, UcsError, UnavailableError} from '../errors.ts'
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

/** Waits for one answer, of what errors call `target`, no longer than the patience lasts. */
export type Bounded = <R>(target: string, request: () => Promise<R>) => Promise<R>

/** Then it is told, in case that a person wonders. */
const LONG_WAIT_MILLISECONDS = 10_000
/** A last attempt, made when the patience ends, may take as long. */
const LAST_ATTEMPT_MILLISECONDS = 5000

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
    const begunAt = clock.now()
    try {
      signal.throwIfAborted()
      const result = await work(bounded)
      if (waitedOut) observer?.recovered?.()
      return result
    } catch (cause) {
      const error = signal.aborted && !(cause instanceof UcsError) ? (waitedOut ?? new InterruptedError('cut short', {cause})) : cause
      if (signal.aborted || !(error instanceof UcsError)) throw error

      giveUpAt ??= begunAt + policy.forMilliseconds
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

  async function bounded<R>(target: string, request: () => Promise<R>): Promise<R> {
    const answered = new AbortController()
    clock.sleep(LONG_WAIT_MILLISECONDS, answered.signal).then(
      () => log.warn('waiting', {message: `${target} has not answered for ${LONG_WAIT_MILLISECONDS / 1000} s`}),
      () => {},
    )
    try {
      return await withinPatience(target, request)
    } finally {
      answered.abort()
    }
  }

  function withinPatience<R>(target: string, request: () => Promise<R>): Promise<R> {
    const {forMilliseconds} = policy
    if (forMilliseconds === 0 || forMilliseconds === Infinity) return request()
    const left = giveUpAt === undefined ? forMilliseconds : giveUpAt - clock.now()
    const milliseconds = Math.max(left, Math.min(forMilliseconds, LAST_ATTEMPT_MILLISECONDS))
    const late = () =>
      new UnavailableError(`${target} did not answer within ${milliseconds / 1000} s`, {
        suggestion: 'Is it running, or overloaded? --retry-for waits longer',
      })
    return within(milliseconds, request, clock, late)
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
