import {describe, expect, it} from 'vitest'
import {createQueryProgress, type Portion, type QueryProgress, type Timetable} from '../../src/lib/sources/query-progress.ts'
import {cronSchedule, intervalSchedule} from '../../src/lib/runtime/schedule.ts'

const STEP = 15
const regular: Timetable = {...intervalSchedule(STEP), stepMilliseconds: STEP}
const MINUTE = 60_000
/** At minutes 0, 7 and 40 of each hour. */
const irregular: Timetable = {...cronSchedule('0,7,40 * * * *', 'UTC'), stepMilliseconds: undefined}

/** Settled at 0, missed until the given moment. */
function withGap(before: number, timetable = regular): QueryProgress {
  const progress = createQueryProgress(timetable)
  progress.settle(0)
  progress.settle(before)
  return progress
}

const span = (portion: Portion | undefined) => portion && [portion.first, portion.last, portion.moments]

/** What is taken until nothing is left, in portions of so many moments. */
function taken(progress: QueryProgress, maxMoments: number): unknown[] {
  const spans: unknown[] = []
  for (let portion = progress.take(maxMoments); portion; portion = progress.take(maxMoments)) spans.push(span(portion))
  return spans
}

const gapsOf = (progress: QueryProgress) => (JSON.parse(progress.cursor()!) as {gaps: unknown}).gaps

describe('a query of which nothing is known', () => {
  it('has no cursor and no gap, and what was before its first moment is nobody’s', () => {
    const progress = createQueryProgress(regular)
    progress.expect(1000)
    expect([progress.cursor(), progress.accountedUntil(), progress.oldestGap(), progress.missing()]).toEqual([
      undefined,
      undefined,
      undefined,
      0,
    ])
    expect(progress.take(10)).toBeUndefined()
    progress.settle(1005)
    expect([progress.accountedUntil(), progress.oldestGap(), progress.missing()]).toEqual([1005, undefined, 0])
  })
})

describe('a first run', () => {
  it('accounts for what is due from its beginning on, although nothing is settled', () => {
    const progress = createQueryProgress(regular)
    progress.begin(29)
    expect([progress.accountedUntil(), progress.cursor()]).toEqual([29, '{"until":29,"gaps":[]}'])
    progress.expect(61)
    expect(taken(progress, 10)).toEqual([[30, 60, 3]])
  })

  it('is none where there was one before', () => {
    const progress = withGap(45)
    for (const moment of [0, 100]) progress.begin(moment)
    expect([progress.accountedUntil(), progress.missing()]).toEqual([45, 2])
  })
})

describe('a moment that is settled when it was given up for missed', () => {
  it.each([
    [15, [[30, 75, 4]]],
    [75, [[15, 60, 4]]],
    [
      45,
      [
        [15, 30, 2],
        [60, 75, 2],
      ],
    ],
  ])('is not asked for, but what was missed beside it is: %i', (moment, spans) => {
    const progress = withGap(90)
    progress.settle(moment)
    expect([progress.missing(), progress.accountedUntil()]).toEqual([4, 90])
    expect(taken(progress, 10)).toEqual(spans)
  })

  it('leaves no gap where it was all that was missed', () => {
    const progress = withGap(30)
    progress.settle(15)
    expect([progress.missing(), progress.oldestGap(), gapsOf(progress)]).toEqual([0, undefined, []])
  })

  it('is found in whichever gap it lies', () => {
    const progress = withGap(45)
    progress.settle(90)
    progress.settle(75)
    expect(taken(progress, 10)).toEqual([
      [15, 30, 2],
      [60, 60, 1],
    ])
  })

  it('changes nothing about a portion that is on its way', () => {
    const progress = withGap(90)
    const portion = progress.take(3)!
    progress.settle(30)
    expect([progress.missing(), gapsOf(progress)]).toEqual([5, [[0, 90]]])
    progress.giveBack(portion)
    expect(progress.missing()).toBe(5)
  })

  it('is not taken out of a gap that it does not belong to', () => {
    const progress = withGap(90)
    for (const moment of [-15, 0, 90]) progress.settle(moment)
    expect(taken(progress, 10)).toEqual([[15, 75, 5]])
  })
})

describe('a gap', () => {
  it('is none between two moments that follow each other', () => {
    const progress = withGap(STEP)
    expect([progress.oldestGap(), progress.missing(), progress.take(1)]).toEqual([undefined, 0, undefined])
  })

  it('is what was due between two that are settled', () => {
    const progress = withGap(60)
    expect([progress.oldestGap(), progress.missing()]).toEqual([0, 3])
    expect(span(progress.take(10))).toEqual([15, 45, 3])
  })

  it.each([
    [46, [15, 45, 3]],
    [45, [15, 30, 2]],
    [30.5, [15, 30, 2]],
    [16, [15, 15, 1]],
    [15, undefined],
    [1, undefined],
  ])('is what was due before a time that is expected: %d', (before, moments) => {
    const progress = createQueryProgress(regular)
    progress.settle(0)
    progress.expect(before)
    expect(progress.missing()).toBe(moments?.[2] ?? 0)
    expect(span(progress.take(10))).toEqual(moments)
  })

  it('is not opened twice', () => {
    const progress = createQueryProgress(regular)
    progress.settle(0)
    for (const before of [46, 46, 20, 61]) progress.expect(before)
    progress.settle(75)
    expect(taken(progress, 10)).toEqual([
      [15, 45, 3],
      [60, 60, 1],
    ])
  })

  it('begins where moments were settled that belong to no timetable', () => {
    const progress = createQueryProgress(regular)
    progress.settle(7) // a cycle that did not wait for the schedule
    progress.settle(15)
    expect(progress.missing()).toBe(0)
    progress.settle(22)
    progress.settle(45)
    expect(taken(progress, 10)).toEqual([[30, 30, 1]])
  })
})

describe('a portion', () => {
  it.each<[max: number, spans: unknown[]]>([
    [
      1,
      [
        [15, 15, 1],
        [30, 30, 1],
        [45, 45, 1],
        [60, 60, 1],
        [75, 75, 1],
      ],
    ],
    [
      2,
      [
        [15, 30, 2],
        [45, 60, 2],
        [75, 75, 1],
      ],
    ],
    [
      4,
      [
        [15, 60, 4],
        [75, 75, 1],
      ],
    ],
    [5, [[15, 75, 5]]],
    [11_000, [[15, 75, 5]]],
  ])('has up to so many moments: %i', (max, spans) => {
    expect(taken(withGap(90), max)).toEqual(spans)
  })

  it('is of one gap, the oldest first', () => {
    const progress = withGap(45)
    progress.settle(90)
    expect(progress.oldestGap()).toBe(0)
    expect(taken(progress, 10)).toEqual([
      [15, 30, 2],
      [60, 75, 2],
    ])
  })

  it('is one moment where moments are not regular', () => {
    const progress = createQueryProgress(irregular)
    progress.settle(0)
    progress.expect(100 * MINUTE + 1)
    const moments = [7, 40, 60, 67, 100].map((minute) => [minute * MINUTE, minute * MINUTE, 1])
    expect(taken(progress, 11_000)).toEqual(moments)
  })

  it('is missing, and in the cursor, until it is filled', () => {
    const progress = withGap(90)
    const portion = progress.take(2)!
    expect([progress.missing(), progress.oldestGap(), gapsOf(progress)]).toEqual([5, 30, [[0, 90]]])
    progress.fill(portion)
    expect([progress.missing(), progress.oldestGap(), gapsOf(progress)]).toEqual([3, 30, [[30, 90]]])
    progress.fill(portion)
    expect(progress.missing()).toBe(3)
  })

  it('that is given back is the next to be taken, in parts if need be', () => {
    const progress = withGap(90)
    const [first, second] = [progress.take(2)!, progress.take(2)!]
    progress.giveBack(first)
    expect(progress.oldestGap()).toBe(0)
    expect(taken(progress, 1)).toEqual([
      [15, 15, 1],
      [30, 30, 1],
      [75, 75, 1],
    ])
    progress.giveBack(second)
    expect(span(progress.take(10))).toEqual([45, 60, 2])
  })

  it('that is filled cannot be given back, nor given back twice', () => {
    const progress = withGap(45)
    const portion = progress.take(10)!
    progress.fill(portion)
    progress.giveBack(portion)
    expect([progress.missing(), progress.take(10)]).toEqual([0, undefined])
  })

  it('is settled while another one is on its way: only the other is asked for after a restart', () => {
    const progress = withGap(90)
    const [, second] = [progress.take(2)!, progress.take(2)!]
    progress.fill(second)
    expect(taken(createQueryProgress(regular, progress.cursor()), 10)).toEqual([
      [15, 30, 2],
      [75, 75, 1],
    ])
  })
})

describe('a clock that was put back', () => {
  it('opens no gap and settles nothing that was settled, until it has caught up', () => {
    const progress = createQueryProgress(regular)
    progress.settle(90)
    for (const moment of [15, 30, 75, 90]) progress.settle(moment)
    progress.expect(31)
    expect([progress.accountedUntil(), progress.missing()]).toEqual([90, 0])
    progress.settle(120)
    expect(taken(progress, 10)).toEqual([[105, 105, 1]])
  })
})

describe('many gaps', () => {
  const MOST = 1000
  /** Settled at each second moment. */
  const flapping = (gaps: number) => {
    const progress = createQueryProgress(regular)
    for (let moment = 0; moment <= gaps; moment++) progress.settle(moment * 2 * STEP)
    return progress
  }

  it('are kept apart up to a number', () => {
    const progress = flapping(MOST)
    expect(progress.missing()).toBe(MOST)
    expect(gapsOf(progress)).toHaveLength(MOST)
  })

  it('past it lose nothing: what lies between the oldest is read once more', () => {
    const progress = flapping(MOST + 7)
    expect(gapsOf(progress)).toHaveLength(MOST)
    expect(progress.missing()).toBe(MOST + 7 + 7)
    expect(taken(progress, 11_000)).toEqual([
      [STEP, 15 * STEP, 15],
      ...Array.from({length: MOST - 1}, (_, index) => [(index * 2 + 17) * STEP, (index * 2 + 17) * STEP, 1]),
    ])
  })
})

describe('a cursor', () => {
  it('holds all that a run needs to go on', () => {
    const progress = withGap(90)
    progress.settle(120)
    progress.fill(progress.take(1)!)
    progress.take(1)
    const next = createQueryProgress(regular, progress.cursor())
    expect([next.accountedUntil(), next.oldestGap(), next.missing(), next.cursor()]).toEqual([120, 15, 5, progress.cursor()])
    expect(taken(next, 10)).toEqual([
      [30, 75, 4],
      [105, 105, 1],
    ])
  })

  it('serves another timetable: what is asked for lies in the gaps, at its moments', () => {
    const progress = withGap(120)
    progress.settle(135)
    progress.settle(165)
    const slower: Timetable = {...intervalSchedule(60), stepMilliseconds: 60}
    const next = createQueryProgress(slower, progress.cursor())
    expect(next.missing()).toBe(1)
    expect(taken(next, 10)).toEqual([[60, 60, 1]])
    expect(gapsOf(createQueryProgress(slower, progress.cursor()))).toHaveLength(2)
  })

  it('of moments that lie whole steps after the first is filled in these steps', () => {
    const steps: Timetable = {next: (after) => after + STEP, stepMilliseconds: STEP}
    const progress = createQueryProgress(steps, '{"until":67,"gaps":[[-8,68]]}')
    expect(progress.missing()).toBe(5)
    expect(taken(progress, 2)).toEqual([
      [7, 22, 2],
      [37, 52, 2],
      [67, 67, 1],
    ])
  })

  it('may hold its gaps in any order, and gaps that overlap', () => {
    const progress = createQueryProgress(regular, '{"until":200,"gaps":[[150,180],[30,75],[0,60],[15,30],[90,90],[120,100]]}')
    expect(progress.oldestGap()).toBe(0)
    expect(taken(progress, 10)).toEqual([
      [15, 60, 4],
      [165, 165, 1],
    ])
  })

  it.each(['', '{"until":1', '2026-01-01T00:00:00Z'])('that is no JSON is an error, and never a beginning from nothing: %j', (cursor) => {
    expect(() => createQueryProgress(regular, cursor)).toThrow(SyntaxError)
  })

  it.each([
    'null',
    '5',
    '[]',
    '{}',
    '{"until":1}',
    '{"gaps":[]}',
    '{"until":"1","gaps":[]}',
    '{"until":null,"gaps":[]}',
    '{"until":1,"gaps":{}}',
    '{"until":1,"gaps":[1,2]}',
    '{"until":1,"gaps":[[1]]}',
    '{"until":1,"gaps":[[1,2,3]]}',
    '{"until":1,"gaps":[[1,"2"]]}',
    '{"until":1,"gaps":[[1,null]]}',
  ])('that holds no times is one, too: %j', (cursor) => {
    expect(() => createQueryProgress(regular, cursor)).toThrow('it holds no times')
  })
})

describe('moments that count from the last one', () => {
  const near: Timetable = {next: (after) => after + 10, stepMilliseconds: 10, near: () => 5}
  const gapsOf = (progress: QueryProgress) => (JSON.parse(progress.cursor()!) as {gaps: unknown}).gaps

  it('a run that came to nothing is missed, however late the next one comes', () => {
    const progress = createQueryProgress(near)
    progress.begin(0)
    progress.settle(10)
    progress.expect(20 - 5) // asked for 20 in vain
    progress.expect(29 - 5)
    progress.settle(29)
    expect(progress.take(10)).toMatchObject({first: 20, last: 20, moments: 1})
    expect(progress.take(10)).toBeUndefined()
  })

  it('one that is half a step before now counts as this one', () => {
    const progress = createQueryProgress(near)
    progress.begin(0)
    progress.expect(14 - 5)
    progress.settle(14)
    expect(gapsOf(progress)).toEqual([])
  })

  it('are forgotten after a time that has not come yet', () => {
    const progress = createQueryProgress(near, '{"until":1000,"gaps":[[0,40],[500,700]]}')
    progress.cutAt(30)
    expect(progress.accountedUntil()).toBe(30)
    expect(gapsOf(progress)).toEqual([[0, 31]])
  })
})
