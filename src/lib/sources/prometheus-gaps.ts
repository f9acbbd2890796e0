import type {Clock, Logger} from '../core/types.ts'
import type {PrometheusAnswer} from '../format/prometheus-answer.ts'
import type {Answered} from './prometheus.ts'
import type {Feed} from './prometheus-feed.ts'
import type {Asker} from './query-asker.ts'
import type {QueryJob} from './query-job.ts'
import type {Portion} from './query-progress.ts'
import {AuthError, UcsError, UsageError} from '../errors.ts'

export interface Filling {
  /** Of one server: what is asked of it for the past is asked one thing at a time. */
  readonly jobs: readonly QueryJob[]
  readonly asker: Asker
  readonly maxSeries: number
  readonly feed: Feed<Answered>
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
  /** How long a run with an end tries in vain to fill a gap; undefined: a run without one tries for ever. */
  readonly patienceMilliseconds: number | undefined
  /** Between two moments of a range; undefined where moments are asked for one by one. */
  readonly stepMilliseconds: number | undefined
  /** Resolves when a gap may have opened; 'over' when none will any more. */
  change(): Promise<'changed' | 'over'>
}

/** What a server allows in one range, less one: it counts the intervals. */
const MAX_MOMENTS = 11_000
/** About what is asked for at once: enough to make a request worth its while, and little enough to hold several. */
const SAMPLES_AT_ONCE = 100_000
/** While nobody knows how many series a query finds. */
const FIRST_MOMENTS = 20
const MIN_BACKOFF_MILLISECONDS = 1000
const MAX_BACKOFF_MILLISECONDS = 60_000

/** Fills the gaps of a server's queries, the oldest first, in portions whose answers fit into memory. */
export async function fillGaps(filling: Filling): Promise<void> {
  const {jobs, feed, clock, signal} = filling
  const restingUntil = new Map<QueryJob, number>()
  const inVain = new Map<QueryJob, {since: number; times: number}>()
  const oneByOne = new Set<QueryJob>()
  const atMost = new Map<QueryJob, number>() // moments, since a portion was too much
  const passedOver = new Map<QueryJob, Portion[]>(jobs.map((job) => [job, []]))

  while (!signal.aborted) {
    const job = oldest()
    if (job) {
      await fillNext(job)
      reconsider(job)
    } else if ((await rested()) === 'over') return
  }

  function oldest(): QueryJob | undefined {
    const ready = jobs.filter((job) => hasGap(job) && (restingUntil.get(job) ?? 0) <= clock.now())
    return ready.sort((a, b) => a.progress.oldestGap()! - b.progress.oldestGap()!)[0]
  }

  function hasGap(job: QueryJob): boolean {
    return job.givenUp === undefined && job.progress.oldestGap() !== undefined
  }

  /** What was passed over has its turn again when nothing else is left. */
  function reconsider(job: QueryJob): void {
    if (!hasGap(job)) for (const portion of passedOver.get(job)!.splice(0)) job.progress.giveBack(portion)
  }

  /** Until a query has rested, or a gap has opened. */
  async function rested(): Promise<'changed' | 'over'> {
    const moments = jobs.filter(hasGap).map((job) => restingUntil.get(job)!)
    if (moments.length === 0) return filling.change()
    const over = new AbortController()
    const sleep = clock.sleep(Math.max(0, Math.min(...moments) - clock.now()), AbortSignal.any([signal, over.signal])).catch(() => {})
    await Promise.race([sleep, filling.change().then((change) => (change === 'over' ? sleep : undefined))])
    over.abort()
    return 'changed'
  }

  async function fillNext(job: QueryJob): Promise<void> {
    const portion = job.progress.take(momentsAtOnce(job))
    if (!portion) return
    let answer: PrometheusAnswer
    try {
      answer = await ask(job, portion)
    } catch (error) {
      if (signal.aborted) return job.progress.giveBack(portion)
      if (!(error instanceof UcsError)) throw error
      if (error instanceof UsageError && portion.moments > 1) {
        oneByOne.add(job) // a range selector, or a string: it has a value at each moment, and none over a range of them
        return job.progress.giveBack(portion)
      }

      // One that can never be answered must not keep those after it from being filled.
      if (cannotBeAnswered(error, portion)) passedOver.get(job)!.push(portion)
      else job.progress.giveBack(portion)
      return failed(job, portion, error)
    }

    inVain.delete(job)
    atMost.set(job, 2 * (atMost.get(job) ?? Infinity))
    await feed.putFill({
      job,
      answer,
      cycle: undefined,
      settle() {
        job.progress.fill(portion)
        job.save()
      },
    })
  }

  function momentsAtOnce(job: QueryJob): number {
    if (oneByOne.has(job)) return 1
    const moments = job.seriesSeen === undefined ? FIRST_MOMENTS : Math.floor(SAMPLES_AT_ONCE / Math.max(1, job.seriesSeen))
    return Math.max(1, Math.min(MAX_MOMENTS, moments, atMost.get(job) ?? Infinity))
  }

  function ask(job: QueryJob, {first, last}: Portion): Promise<PrometheusAnswer> {
    const {
      query: {expression},
      server: {client},
    } = job
    const {asker, maxSeries, stepMilliseconds} = filling
    const isSingle = first === last || stepMilliseconds === undefined || oneByOne.has(job)
    return asker.ask({
      job,
      purpose: 'gap',
      request: () =>
        isSingle
          ? client.query({expression, at: first, limit: maxSeries + 1, signal})
          : client.queryRange({expression, from: first, to: last, stepMilliseconds, signal}),
      deadline: clock.now(), // one attempt: what waits is the gap, and other queries have theirs
      isCutAtDeadline: false,
      signal,
    })
  }

  /** The range may have been too much for the server, or its answer for us; or the server is away. */
  function failed(job: QueryJob, portion: Portion, error: UcsError): void {
    const {since, times} = inVain.get(job) ?? {since: clock.now(), times: 0}
    inVain.set(job, {since, times: times + 1})
    atMost.set(job, Math.max(1, Math.floor(portion.moments / 2)))
    const milliseconds = Math.min(MAX_BACKOFF_MILLISECONDS, MIN_BACKOFF_MILLISECONDS * 2 ** times)
    restingUntil.set(job, clock.now() + milliseconds)
    const {patienceMilliseconds: patience} = filling
    const isFinal = error instanceof AuthError || error instanceof UsageError || (!hasGap(job) && cannotBeAnswered(error, portion))
    if (patience !== undefined && (isFinal || clock.now() + milliseconds - since > patience)) job.givenUp = error
    filling.log.debug('gap.unfilled', {
      query: job.label,
      message: error.message,
      from: new Date(portion.first).toISOString(),
      to: new Date(portion.last).toISOString(),
      inMilliseconds: milliseconds,
    })
  }
}

/** Neither a wait mends it nor a smaller portion. */
const cannotBeAnswered = (error: UcsError, {moments}: Portion) => error.retryable === 'never' && moments === 1
