import type {RetryPolicy, Runtime} from '../core/types.ts'
import type {PrometheusAnswer} from '../format/prometheus-answer.ts'
import type {QueryJob} from './query-job.ts'
import type {Limit} from '../core/limit.ts'
import {createLimit} from '../core/limit.ts'
import {withRetry} from '../core/retry.ts'
import {DataError, UcsError} from '../errors.ts'

export interface AskingRules {
  /** Queries that one server works on at a time. */
  readonly concurrency: number
  /** An answer with more series is refused as a whole. */
  readonly maxSeries: number
  /** Quick ones, with a growing wait before each. */
  readonly queryRetries: number
  /** Rounds of quick ones, after the first. */
  readonly maxRetries: number
  readonly retryDelayMilliseconds: number
  /** What the server says about a query, each time that it does. */
  onAdvice(kind: 'warning' | 'info', advice: string, job: QueryJob): void
}

export interface Question {
  readonly job: QueryJob
  /** Each may fail while the other does not. */
  readonly purpose: Purpose
  request(): Promise<PrometheusAnswer>
  /** No attempt begins after it. Milliseconds since the epoch. */
  readonly deadline: number
  /** A request ends there as well, and not only at its own timeout. */
  readonly isCutAtDeadline: boolean
  readonly signal: AbortSignal
}

export type Purpose = 'cycle' | 'gap'

export interface Asker {
  /** Rejects with the last failure: when the rounds are over, the deadline is near, or no wait will mend it. */
  ask(question: Question): Promise<PrometheusAnswer>
}

/** Asks servers side by side, each no more than it is willing to work on, and remembers of each query how it went. */
export function createAsker(rules: AskingRules, runtime: Pick<Runtime, 'clock' | 'log' | 'random'>): Asker {
  const {clock, log} = runtime
  const quiet = {...runtime, log: {...log, warn: log.debug}} // what was tried in vain is told when it is given up
  const limits = new Map<unknown, Limit>()
  const failures = new Map<QueryJob, Map<Purpose, UcsError>>()

  return {
    async ask(question) {
      const {job, purpose} = question
      const begunAt = clock.now()
      try {
        const answer = await inRounds(question)
        noteFailure(job, purpose, undefined)
        job.hasAnswered = true
        job.failingSince = undefined
        job.seriesSeen = answer.series.length
        for (const warning of answer.warnings) rules.onAdvice('warning', warning, job)
        for (const info of answer.infos) rules.onAdvice('info', info, job)
        return answer
      } catch (error) {
        if (question.signal.aborted) throw error
        noteFailure(job, purpose, error as UcsError)
        job.failingSince = error instanceof DataError ? undefined : (job.failingSince ?? begunAt) // a refusal is an answer
        throw error
      }
    },
  }

  /** A server that is away is told once and not at each moment; cycles tell how many queries failed. */
  function noteFailure(job: QueryJob, purpose: Purpose, failure: UcsError | undefined): void {
    const own = failures.get(job) ?? new Map<Purpose, UcsError>()
    failures.set(job, own)
    const hasFailed = own.size > 0
    if (failure) {
      const {code, message, suggestion} = failure
      const isNew = [...own.values()].every((known) => known.message !== message)
      log[isNew ? 'warn' : 'debug']('query.failed', {query: job.label, code, message, suggestion})
      own.set(purpose, failure)
    } else own.delete(purpose)

    if (hasFailed && own.size === 0) log.info('query.answered', {query: job.label})
    job.failure = own.get('cycle') ?? own.get('gap')
  }

  async function inRounds(question: Question): Promise<PrometheusAnswer> {
    const {deadline, signal} = question
    for (let round = 0; ; round++) {
      try {
        return await quickly(question)
      } catch (error) {
        const isLate = clock.now() + rules.retryDelayMilliseconds >= deadline
        const isPassing = error instanceof UcsError && error.retryable === 'always'
        if (signal.aborted || !isPassing || isLate || round >= rules.maxRetries) throw error
        await clock.sleep(rules.retryDelayMilliseconds, signal).catch(() => {}) // an abort is seen by the next round
      }
    }
  }

  function quickly({job, request, deadline, isCutAtDeadline, signal}: Question): Promise<PrometheusAnswer> {
    const limited = () => limitOf(job.server)(async () => guarded(job, await request()), signal)
    const policy: RetryPolicy = {
      forMilliseconds: Math.max(0, deadline - clock.now()),
      baseMilliseconds: 250,
      capMilliseconds: 10_000,
      maxRetries: rules.queryRetries,
    }
    const {target} = job.server.client
    return withRetry({work: (bounded) => (isCutAtDeadline ? bounded(target, limited) : limited()), policy, signal}, quiet)
  }

  function guarded({label}: QueryJob, answer: PrometheusAnswer): PrometheusAnswer {
    const {length} = answer.series
    if (length <= rules.maxSeries) return answer
    throw new DataError('too many series', `the query ${label} has more than ${rules.maxSeries} series`, {
      suggestion: 'Narrow it, or raise --max-series',
    })
  }

  function limitOf(server: unknown): Limit {
    const known = limits.get(server)
    if (known) return known
    const limit = createLimit(rules.concurrency)
    limits.set(server, limit)
    return limit
  }
}
