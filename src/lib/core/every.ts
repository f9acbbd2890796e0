import type {Runtime} from './types.ts'

/** When a cycle is due: the first moment strictly after the given one. Milliseconds since the epoch. */
export interface Schedule {
  next(after: number): number
}

/** `run` cycles were begun, `skipped` were due while an earlier one was still running. */
export interface Rounds {
  run: number
  skipped: number
}

export interface Cycles {
  readonly schedule: Schedule
  /** The first cycle does not wait for the schedule. */
  readonly startsNow: boolean
  /** Rejects to end the loop. `dueAt` is when it should have begun: the one evaluation time of all its queries. */
  cycle(dueAt: number): Promise<void>
}

/** Runs a cycle at each moment of the schedule until `stop` fires. A cycle never overlaps itself: one that comes late is skipped and counted. */
export async function every(
  {schedule, startsNow, cycle}: Cycles,
  {clock, stop, log}: Pick<Runtime, 'clock' | 'stop' | 'log'>,
): Promise<Rounds> {
  const rounds: Rounds = {run: 0, skipped: 0}
  let dueAt = startsNow ? clock.now() : schedule.next(clock.now())

  while (await reached(dueAt)) {
    rounds.run++
    await cycle(dueAt)
    dueAt = schedule.next(dueAt)
    let late = 0
    for (; dueAt <= clock.now(); late++) dueAt = schedule.next(dueAt)
    rounds.skipped += late
    if (late > 0) log.warn('cycle.skipped', {cycles: late, reason: 'the cycle before took longer than its interval'})
  }

  return rounds

  async function reached(moment: number): Promise<boolean> {
    if (stop.aborted) return false
    const milliseconds = moment - clock.now()
    if (milliseconds > 0) await clock.sleep(milliseconds, stop).catch(() => {})
    return !stop.aborted
  }
}
