import type {TimeRange} from '../format/flux-query.ts'

/* How far one query of one bucket has been collected. All moments are milliseconds since the epoch. */

export interface CollectProgress {
  /** A first run begins here, and so does whoever asks for the past. What was collected before is not asked for again. */
  begin(from: number, past: number | undefined): void
  /** What is to be asked for next, up to `target`, at most `milliseconds` of it; the past goes first. Undefined: nothing. */
  next(target: number, milliseconds: number): TimeRange | undefined
  /** All of what `next` named is stored. */
  settle(): void
  /** A cycle begins: some of what was collected is asked for again, as long as there is more to ask for. */
  rewind(target: number): void
  /** All up to here is stored; undefined before the first run. */
  until(): number | undefined
  /** From here on. */
  since(): number | undefined
  cursor(): string
}

export interface ProgressOptions {
  /** Everything is asked for in whole multiples of it. */
  readonly unitMilliseconds: number
  readonly overlapMilliseconds: number
}

interface Saved {
  readonly since: number
  readonly until: number
  /** What of the time before `since` is asked for, and how far that is. */
  readonly past?: {readonly from: number; readonly until: number}
}

/** Throws for a cursor that it cannot read. */
export function createCollectProgress(
  cursor: string | undefined,
  {unitMilliseconds: unit, overlapMilliseconds}: ProgressOptions,
): CollectProgress {
  let saved: Saved | undefined = cursor === undefined ? undefined : parseCursor(cursor)
  let again: number | undefined // of the time before the cursor, from here on
  let asked: {readonly range: TimeRange; readonly isPast: boolean} | undefined
  const floor = (moment: number) => Math.floor(moment / unit) * unit

  return {
    begin(from, past) {
      const first = floor(Math.min(from, past ?? from))
      saved ??= {since: first, until: first}
      if (past === undefined || floor(past) >= saved.since) return
      if (saved.past && saved.past.from <= floor(past)) return // a relative time that was given before goes on
      saved = {...saved, past: {from: floor(past), until: floor(past)}}
    },
    rewind(target) {
      if (!saved) return
      const {since, until} = saved
      again = overlapMilliseconds > 0 && target > until ? Math.max(since, floor(until - overlapMilliseconds)) : undefined
    },
    next(target, milliseconds) {
      if (!saved) return undefined
      const {since, until, past} = saved
      const [start, end] = past ? [past.until, since] : [again ?? until, target]
      const length = Math.max(unit, floor(milliseconds))
      asked = start < end ? {range: {start, stop: Math.min(end, start + length)}, isPast: past !== undefined} : undefined
      return asked?.range
    },
    settle() {
      if (!asked || !saved) return
      const {range, isPast} = asked
      const {stop} = range
      if (isPast) saved = pastSettled(saved, stop)
      else {
        if (again !== undefined) again = stop
        saved = {...saved, until: Math.max(saved.until, stop)}
      }

      asked = undefined
    },
    until: () => saved?.until,
    since: () => saved?.since,
    cursor: () => JSON.stringify(saved),
  }
}

function pastSettled({since, until, past}: Saved, stop: number): Saved {
  return stop >= since ? {since: past!.from, until} : {since, until, past: {from: past!.from, until: stop}}
}

function parseCursor(text: string): Saved {
  const {since, until, past} = JSON.parse(text) as Saved
  const moments = [since, until, ...(past ? [past.from, past.until] : [])]
  if (!moments.every(Number.isSafeInteger) || since > until) throw new Error(`"${text.slice(0, 100)}" is no cursor`)
  return {since, until, ...(past ? {past} : {})}
}
