/** The moments at which a query is due, in milliseconds since the epoch. */
export interface Timetable {
  /** The first moment strictly after the given one. */
  next(after: number): number
  /** Between one moment and the next; undefined where that differs. */
  readonly stepMilliseconds: number | undefined
  /** How long before a moment others count as that one; none where it is absent. */
  near?(moment: number): number
}

/** A stretch of time between two moments that do not belong to it. */
export interface Gap {
  readonly after: number
  readonly before: number
}

/** Moments of a gap that are asked for at once. */
export interface Portion extends Gap {
  readonly first: number
  readonly last: number
  readonly moments: number
}

/** Which moments of a query are settled: all of them up to a point in time, but for those in the gaps. */
export interface QueryProgress {
  /** What a file keeps; undefined where nothing was settled yet. */
  cursor(): string | undefined
  /** Undefined before it has begun. */
  accountedUntil(): number | undefined
  /** Where nothing was settled yet, moments count from here on. */
  begin(moment: number): void
  /** A moment is settled. What was due between it and the ones before is a gap from now on. */
  settle(moment: number): void
  /** Whatever is due before this is a gap, where it is not settled. */
  expect(before: number): void
  /** Nothing after this has happened: the clock that said so was wrong. */
  cutAt(moment: number): void
  /** When the oldest gap begins. */
  oldestGap(): number | undefined
  /** Up to so many moments from the beginning of the oldest gap. They are nobody else's until they are filled or given back. */
  take(maxMoments: number): Portion | undefined
  fill(portion: Portion): void
  giveBack(portion: Portion): void
  /** Moments that are in gaps; about so many where they are not regular. */
  missing(): number
}

interface Saved {
  readonly until: number
  readonly gaps: readonly (readonly [after: number, before: number])[]
}

/** A server that comes and goes leaves many; past this the two oldest become one, and what lies between them is read once more. */
const MAX_GAPS = 1000
/** Where moments are not regular nobody knows how many a gap has without counting them. */
const ABOUT_A_STEP_MILLISECONDS = 60_000

/** Throws an Error for a cursor that is none. */
export function createQueryProgress(timetable: Timetable, cursor?: string): QueryProgress {
  const saved = cursor === undefined ? undefined : parseCursor(cursor)
  let until = saved?.until
  let gaps = joined(saved?.gaps.map(([after, before]) => ({after, before})) ?? [])
  const taken = new Set<Portion>()

  return {
    cursor: () =>
      until === undefined
        ? undefined
        : JSON.stringify({until, gaps: joined([...taken, ...gaps]).map(({after, before}) => [after, before])} satisfies Saved),
    accountedUntil: () => until,
    begin(moment) {
      until ??= moment
    },
    settle(moment) {
      if (until !== undefined && moment <= until) return cutOut(moment)
      if (until !== undefined) open({after: until, before: moment - near(moment)})
      until = moment
    },
    expect(before) {
      if (until === undefined || before <= until) return
      open({after: until, before})
      until = lastBefore(until, before)
    },
    cutAt(moment) {
      if (until === undefined || until <= moment) return
      until = moment
      gaps = gaps.flatMap(({after, before}) => (after < moment ? [{after, before: Math.min(before, moment + 1)}] : []))
    },
    oldestGap: () => gaps[0]?.after,
    take,
    fill: (portion) => void taken.delete(portion),
    giveBack(portion) {
      if (taken.delete(portion)) gaps = joined([portion, ...gaps])
    },
    missing: () => [...taken, ...gaps].reduce((sum, gap) => sum + momentsIn(gap), 0),
  }

  function near(moment: number): number {
    return timetable.near?.(moment) ?? 0
  }

  function open(gap: Gap): void {
    if (timetable.next(gap.after) >= gap.before) return
    gaps.push(gap)
    const [first, second] = gaps
    if (gaps.length > MAX_GAPS && first && second) gaps.splice(0, 2, {after: first.after, before: second.before})
  }

  /** Later moments count from the last that was due, where they count from each other. */
  function lastBefore(after: number, before: number): number {
    const {stepMilliseconds: step} = timetable
    const first = timetable.next(after)
    if (step === undefined) return before - 1
    return first >= before ? after : first + Math.floor((before - 1 - first) / step) * step
  }

  /** It was given up for missed when a later one was due. */
  function cutOut(moment: number): void {
    const holder = gaps.findIndex(({after, before}) => after < moment && moment < before)
    const gap = gaps[holder]
    if (!gap) return
    const halves = [
      {after: gap.after, before: moment},
      {after: moment, before: gap.before},
    ]
    gaps.splice(holder, 1, ...halves.filter(({after, before}) => timetable.next(after) < before))
  }

  function take(maxMoments: number): Portion | undefined {
    for (let gap = gaps.shift(); gap; gap = gaps.shift()) {
      const portion = portionOf(gap, maxMoments)
      if (!portion) continue // its moments were those of another timetable
      if (timetable.next(portion.last) < gap.before) gaps.unshift({after: portion.last, before: gap.before})
      taken.add(portion)
      return portion
    }

    return undefined
  }

  function portionOf({after, before}: Gap, maxMoments: number): Portion | undefined {
    const {stepMilliseconds: step} = timetable
    const first = timetable.next(after)
    if (first >= before) return undefined
    const moments = step === undefined ? 1 : Math.min(maxMoments, Math.ceil((before - first) / step))
    const last = first + (moments - 1) * (step ?? 0)
    return {after, before: Math.min(before, timetable.next(last)), first, last, moments}
  }

  function momentsIn({after, before}: Gap): number {
    const {stepMilliseconds: step} = timetable
    if (step === undefined) return Math.max(1, Math.round((before - after) / ABOUT_A_STEP_MILLISECONDS) - 1)
    return Math.max(0, Math.ceil((before - timetable.next(after)) / step))
  }
}

/** In order of time; where one begins before another ends they are one. */
function joined(gaps: readonly Gap[]): Gap[] {
  const result: Gap[] = []
  for (const {after, before} of [...gaps].sort((a, b) => a.after - b.after)) {
    const previous = result.at(-1)
    if (previous && after < previous.before) result[result.length - 1] = {after: previous.after, before: Math.max(before, previous.before)}
    else result.push({after, before})
  }

  return result
}

function parseCursor(text: string): Saved {
  const {until, gaps} = (JSON.parse(text) ?? {}) as Saved
  const isPair = (gap: unknown) => Array.isArray(gap) && gap.length === 2 && gap.every(Number.isFinite)
  if (!Number.isFinite(until) || !Array.isArray(gaps) || !gaps.every(isPair)) throw new Error('it holds no times')
  return {until, gaps}
}
