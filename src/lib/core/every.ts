import type {Runtime} from './types.ts'

/** When a cycle is due: the first moment strictly after the given one. Milliseconds since the epoch. */
export interface Schedule {
  next(after: number): number
}

/** One that knows the past as well. */
export interface TwoWaySchedule extends Schedule {
  /** The last moment that is not after the given one. */
  previous(moment: number): number
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

/** A clock that was put forward meanwhile is seen by then. */
const LONGEST_SLEEP_MILLISECONDS = 60_000

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
    for (let left = moment - clock.now(); left > 0 && !stop.aborted; left = moment - clock.now())
      await clock.sleep(Math.min(left, LONGEST_SLEEP_MILLISECONDS), stop).catch(() => {})
    return !stop.aborted
  }
}
