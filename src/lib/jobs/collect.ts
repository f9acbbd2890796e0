import type {Schedule} from '../core/every.ts'
import type {Runtime} from '../core/types.ts'
import type {CollectJob, CollectRun} from './collect-job.ts'
import {every} from '../core/every.ts'
import {PartialError} from '../errors.ts'

/** One cycle of each job, side by side. Rejects when some failed: with the first failure if all did. */
export async function collectOnce(jobs: readonly CollectJob[], run: CollectRun): Promise<void> {
  await together(jobs, run, (job, own) => job.cycle(own))
  if (run.stop.aborted) return
  const failed = jobs.filter(({state}) => state.failure !== undefined)
  const [first] = failed
  if (!first) return
  const {message, suggestion} = first.state.failure!
  if (failed.length === jobs.length) throw first.state.failure!
  throw new PartialError(`${failed.length} of ${jobs.length} queries failed, the first of them ${first.label}: ${message}`, {suggestion})
}

/** A schedule whose moments come so much later: a window that ends with one of its moments is complete then. */
export const delayedSchedule = ({next}: Schedule, milliseconds: number): Schedule => ({
  next: (after) => next(after - milliseconds) + milliseconds,
})

export interface Rounds {
  readonly schedule: Schedule
  readonly startsNow: boolean
  onCycle(): void
  /** A job was not begun anew, because it was not done. */
  onSkipped(cycles: number): void
}

/** A job that takes longer than its interval, or waits for a server, delays no other. Resolves when `stop` fires. */
export async function collectForEver(
  jobs: readonly CollectJob[],
  {schedule, startsNow, onCycle, onSkipped}: Rounds,
  run: CollectRun,
  {clock, log: told}: Pick<Runtime, 'clock' | 'log'>,
): Promise<void> {
  await together(jobs, run, async (job, own) => {
    const log = {
      ...told,
      warn(event: string, fields: {cycles?: unknown} = {}) {
        told.debug(event, {job: job.label, ...fields})
        onSkipped(Number(fields.cycles))
      },
    }
    const cycle = async (dueAt: number) => {
      await job.cycle(own, dueAt)
      onCycle()
    }
    await every({schedule, startsNow, cycle}, {clock, log, stop: own.stop})
  })
}

/** What ends one ends all; rejects with it when each has come to an end. */
async function together(
  jobs: readonly CollectJob[],
  run: CollectRun,
  work: (job: CollectJob, run: CollectRun) => Promise<void>,
): Promise<void> {
  const over = new AbortController()
  const own = {...run, stop: AbortSignal.any([run.stop, over.signal]), abort: AbortSignal.any([run.abort, over.signal])}
  const endings = await Promise.allSettled(
    jobs.map((job) =>
      work(job, own).catch((error: unknown) => {
        over.abort(error)
        throw error
      }),
    ),
  )
  if (endings.some(({status}) => status === 'rejected')) throw over.signal.reason
}
