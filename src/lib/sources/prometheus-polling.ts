import type {Clock, Logger} from '../core/types.ts'
import type {Schedule} from '../core/every.ts'
import type {Answered} from './prometheus.ts'
import type {CycleReport} from './prometheus-cycles.ts'
import type {Feed} from './prometheus-feed.ts'
import type {Asker} from './query-asker.ts'
import type {QueryJob} from './query-job.ts'
import {every} from '../core/every.ts'
import {DataError, UcsError, UsageError} from '../errors.ts'
import {beginCycle, type Cycle} from './prometheus-cycles.ts'

export interface Polling {
  readonly jobs: readonly QueryJob[]
  /** How long a server may fail before the run ends; for ever where it is infinite. */
  readonly patienceMilliseconds: number
  readonly asker: Asker
  readonly maxSeries: number
  readonly feed: Feed<Answered>
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
  onCycle(report: CycleReport): void
  /** A gap has opened. */
  onMissed(): void
}

/** Asks all queries for now. Resolves when each was answered and taken, or failed. */
export async function pollOnce(polling: Polling): Promise<void> {
  const now = polling.clock.now()
  await Promise.all(askAll(polling, {jobs: polling.jobs, at: now, deadline: now + polling.patienceMilliseconds, isLast: true}).asked)
}

/**
 * Asks all queries at each moment of the schedule, and those that no run has asked before at once, if wanted. A query that is not done with one
 * moment is not asked for the next: that one is a gap. Rejects where a query can never be answered.
 */
export async function pollForEver(polling: Polling, {schedule, startsNow}: {schedule: Schedule; startsNow: boolean}): Promise<void> {
  const {clock, log, jobs} = polling
  const hopeless = new AbortController()
  let current: Cycle | undefined
  const begin = (due: readonly QueryJob[], at: number) => {
    current?.close()
    if (due.length === 0) return
    const {cycle, asked} = askAll(polling, {jobs: due, at, deadline: at + (schedule.next(at) - at) * LAST_ATTEMPT, isLast: false})
    for (const end of asked) end.catch((error: unknown) => hopeless.abort(error))
    current = cycle
  }

  const fresh = startsNow ? jobs.filter(({isNew}) => isNew) : []
  begin(fresh, clock.now())
  const stop = AbortSignal.any([polling.signal, hopeless.signal])
  await every({schedule, startsNow: false, cycle: async (dueAt) => begin(jobs, dueAt)}, {clock, log, stop})
  if (!polling.signal.aborted) throw hopeless.signal.reason
}

/** Of the time to the next moment: the answer to the last attempt has to come before it. */
const LAST_ATTEMPT = 0.9

interface Due {
  readonly jobs: readonly QueryJob[]
  /** The one evaluation time of all of them. */
  readonly at: number
  readonly deadline: number
  /** There is no moment after it. */
  readonly isLast: boolean
}

function askAll(polling: Polling, {jobs, at, deadline, isLast}: Due): {cycle: Cycle; asked: readonly Promise<void>[]} {
  const {clock, asker, feed, maxSeries, signal} = polling
  const cycle = beginCycle(at, jobs.length, clock, polling.onCycle)
  return {cycle, asked: jobs.map(askFor)}

  async function askFor(job: QueryJob): Promise<void> {
    if (job.isBusy) {
      missed(job)
      return cycle.skipped()
    }

    job.isBusy = true
    job.asked(at)
    try {
      const {server, query} = job
      const request = () => server.client.query({expression: query.expression, at, limit: maxSeries + 1, signal})
      const answer = await asker.ask({job, purpose: 'cycle', request, deadline, isCutAtDeadline: isLast, signal})
      await feed.putLive({
        job,
        answer,
        cycle: at,
        settle(samples) {
          job.settled(at)
          cycle.succeeded(samples)
        },
      })
    } catch (error) {
      if (signal.aborted) return
      cycle.failed(error)
      if (isLast) job.givenUp = error as Error
      else if (isHopeless(job, error) || isOutOfPatience(job)) throw error
      else missed(job)
    } finally {
      job.isBusy = false
    }
  }

  function missed(job: QueryJob): void {
    job.missed(at)
    polling.onMissed()
  }

  function isOutOfPatience({server}: QueryJob): boolean {
    const own = polling.jobs.filter((job) => job.server === server)
    const since = Math.max(...own.map(({failingSince}) => failingSince ?? Infinity)) // one that is answered says that the server works
    return clock.now() - since >= polling.patienceMilliseconds
  }

  /** Before a server's first answer what no wait can mend ends the run. Once it has answered such a thing may pass. */
  function isHopeless({server, hasAnswered}: QueryJob, error: unknown): boolean {
    if (!(error instanceof UcsError)) return true
    if (error instanceof DataError || error.retryable === 'always') return false
    return error instanceof UsageError ? !hasAnswered : !polling.jobs.some((job) => job.server === server && job.hasAnswered)
  }
}
