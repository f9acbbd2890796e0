import {expect, it} from 'vitest'
import {createQueryProgress, type Portion, type QueryProgress, type Timetable} from '../../src/lib/sources/query-progress.ts'
import {seededRandom} from '../fakes/random.ts'

/*
 * Random lives of a query against a model: moments that are settled or missed, outages, portions that are filled, given back or lost
 * with their run, restarts from the cursor, clocks that are put back. At any time each moment that was due is settled, or in the cursor;
 * none is asked for while it is settled or somebody else asks for it.
 */

const RUNS = 150
const EVENTS = 80

const regular: Timetable = {next: (after) => (Math.floor(after / 15) + 1) * 15, stepMilliseconds: 15}
const sinceTheFirst: Timetable = {next: (after) => after + 15, stepMilliseconds: 15}
/** At 0, 7 and 40 of each 60. */
const irregular: Timetable = {
  next(after) {
    const hour = Math.floor(after / 60) * 60
    return [7, 40, 60].map((minute) => hour + minute).find((moment) => moment > after)!
  },
  stepMilliseconds: undefined,
}

it.each([
  ['whole multiples of a step', regular],
  ['whole steps after the first', sinceTheFirst],
  ['irregular', irregular],
])(`no moment is lost, and none asked for twice, in ${RUNS} random lives: moments are %s`, (_, timetable) => {
  const counts = {settled: 0, late: 0, filled: 0, givenBack: 0, restarts: 0}
  for (let seed = 1; seed <= RUNS; seed++) randomLife(seed, timetable, counts)

  // The lives are of use only if all of this happens in them.
  for (const [what, count] of Object.entries(counts)) expect(count, what).toBeGreaterThan(2 * RUNS)
})

function randomLife(seed: number, timetable: Timetable, counts: Record<'settled' | 'late' | 'filled' | 'givenBack' | 'restarts', number>) {
  const random = seededRandom(seed)
  const chance = (probability: number) => random() < probability
  const below = (limit: number) => Math.floor(random() * limit)
  const due = (after: number, before: number) => {
    const moments: number[] = []
    for (let moment = timetable.next(after); moment < before; moment = timetable.next(moment)) moments.push(moment)
    return moments
  }

  const begin = timetable.next(below(100))
  const done = new Set<number>()
  let asked = new Map<Portion, readonly number[]>()
  let until = begin // of the model
  let now = begin
  let progress: QueryProgress = createQueryProgress(timetable)
  progress.settle(begin)

  for (let event = 0; event < EVENTS; event++) {
    const what = below(8)
    if (what === 0) live()
    else if (what === 1) expectUntil(now + 1)
    else if (what <= 3) take()
    else if (what === 4) end('fill')
    else if (what === 5) end('giveBack')
    else if (what === 6) late()
    else if (chance(0.3)) restart()
    check(`seed ${seed}, event ${event}`)
  }

  restart()
  while (take()) end('fill')
  expect(progress.missing(), `seed ${seed}`).toBe(0)
  expect(JSON.parse(progress.cursor()!), `seed ${seed}`).toEqual({until, gaps: []})
  expect(
    due(begin, until + 1).filter((moment) => !done.has(moment)),
    `seed ${seed}`,
  ).toEqual([])

  /** Time goes on, or back; of the moments that are due some are settled. */
  function live() {
    const later = chance(0.1) ? now - below(200) : now + below(300)
    const isAway = chance(0.3)
    for (const moment of due(now, later + 1)) {
      if (isAway || chance(0.2)) continue
      const isFree = freeNow().includes(moment) // it was given up for missed
      progress.settle(moment)
      if (isFree) done.add(moment)
      if (moment <= until) continue
      counts.settled++
      done.add(moment)
      until = moment
    }

    now = timetable === sinceTheFirst ? (due(begin, later + 1).at(-1) ?? begin) : later
  }

  /** An answer that nobody waited for any more. */
  function late() {
    const free = freeNow()
    const moment = free[below(free.length)]
    if (moment === undefined) return
    progress.settle(moment)
    done.add(moment)
    counts.late++
  }

  function expectUntil(before: number) {
    progress.expect(before)
    if (before > until) until = timetable.stepMilliseconds === undefined ? before - 1 : (due(until, before).at(-1) ?? until)
  }

  function take(): boolean {
    const free = freeNow()
    const max = 1 + below(20)
    const portion = progress.take(max)
    if (!portion) {
      expect(free, `seed ${seed}: nothing to take`).toEqual([])
      return false
    }

    const moments = [portion.first, ...due(portion.first, portion.last + 1)]
    expect(moments, `seed ${seed}: the oldest, each of them free`).toEqual(free.slice(0, moments.length))
    expect(moments).toHaveLength(portion.moments)
    expect(portion.moments, `seed ${seed}`).toBeLessThanOrEqual(max)
    asked.set(portion, moments)
    return true
  }

  function end(how: 'fill' | 'giveBack') {
    const portion = [...asked.keys()][below(asked.size)]
    if (!portion) return
    progress[how](portion)
    if (how === 'fill') for (const moment of asked.get(portion)!) done.add(moment)
    counts[how === 'fill' ? 'filled' : 'givenBack']++
    asked.delete(portion)
  }

  /** What was on its way is lost. */
  function restart() {
    counts.restarts++
    progress = createQueryProgress(timetable, progress.cursor())
    asked = new Map()
  }

  function missingNow(): number[] {
    return due(begin, until + 1).filter((moment) => !done.has(moment))
  }

  /** What is missing and on nobody's way. */
  function freeNow(): number[] {
    const taken = new Set([...asked.values()].flat())
    return missingNow().filter((moment) => !taken.has(moment))
  }

  function check(context: string) {
    const {gaps} = JSON.parse(progress.cursor()!) as {gaps: [number, number][]}
    const missing = missingNow()
    expect(progress.accountedUntil(), context).toBe(until)
    expect(
      gaps.flatMap(([after, before]) => due(after, before)),
      context,
    ).toEqual(missing)
    if (timetable.stepMilliseconds !== undefined) expect(progress.missing(), context).toBe(missing.length)
    else expect(progress.missing() > 0, context).toBe(missing.length > 0)
    const oldest = progress.oldestGap()
    expect(oldest === undefined ? undefined : timetable.next(oldest), context).toBe(freeNow()[0])
  }
}
