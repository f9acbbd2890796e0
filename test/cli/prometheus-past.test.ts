import {describe, expect, it} from 'vitest'
import type {PrometheusValues} from '../../src/lib/cli/prometheus.ts'
import type {Timing} from '../../src/lib/cli/schedule.ts'
import type {Given} from '../../src/lib/runtime/given.ts'
import type {QueryJob} from '../../src/lib/sources/query-job.ts'
import {instant} from '../../src/lib/cli/schedule.ts'
import {pastOf} from '../../src/lib/cli/prometheus-past.ts'
import {createQueryProgress, type QueryProgress} from '../../src/lib/sources/query-progress.ts'
import {intervalSchedule} from '../../src/lib/runtime/schedule.ts'

const STEP = 15_000
const NOW = Date.parse('2026-01-31T08:00:07.123Z')
const everyStep: Timing = {schedule: intervalSchedule(STEP), stepMilliseconds: STEP}
const cron: Timing = {...everyStep, stepMilliseconds: undefined}

interface Asked {
  readonly from?: string
  readonly to?: string
  readonly step?: number
  readonly once?: boolean
}

function pastWith({from, to, step, once = false}: Asked, {timing = everyStep, now = NOW} = {}) {
  const texts = Object.entries({from, to}).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const given = new Map<string, Given>(texts.map(([name, text]) => [name, {texts: [text], origin: {kind: 'flag', name: `--${name}`}}]))
  const values: Pick<PrometheusValues, 'from' | 'to' | 'step' | 'once'> = {
    from: from === undefined ? undefined : instant(from),
    to: to === undefined ? undefined : instant(to),
    step,
    once,
  }
  return pastOf(values, given, timing, now)
}

/** The moments that are asked for, as clock times. */
function momentsOf(asked: Asked, more?: Parameters<typeof pastWith>[1]): readonly string[] {
  const {timetable, cursor} = pastWith(asked, more)!
  const progress = createQueryProgress(timetable, cursor)
  const missing = progress.missing()
  const moments: string[] = []
  for (let portion = progress.take(1); portion; portion = progress.take(1))
    moments.push(new Date(portion.first).toISOString().slice(11, 23))
  expect(missing).toBe(moments.length)
  return moments
}

describe('the past', () => {
  it('is not asked for where nobody wants it', () => {
    expect(pastWith({})).toBeUndefined()
    expect(pastWith({once: true})).toBeUndefined()
  })

  it.each<[what: string, asked: Asked, moments: string[]]>([
    [
      'from a time, to another, both of them',
      {from: '2026-01-31T07:59:00Z', to: '2026-01-31T07:59:30Z'},
      ['07:59:00.000', '07:59:15.000', '07:59:30.000'],
    ],
    [
      'from a time in steps of its own',
      {from: '2026-01-31T07:59:01.5Z', to: '2026-01-31T07:59:20Z', step: 10_000},
      ['07:59:01.500', '07:59:11.500'],
    ],
    ['from a time until now', {from: '2026-01-31T07:59:45Z'}, ['07:59:45.000', '08:00:00.000']],
    ['from so long ago, at whole multiples of the step', {from: '-30s'}, ['07:59:30.000', '07:59:45.000', '08:00:00.000']],
    ['from so long ago to less long ago', {from: '-1m', to: '-30s'}, ['07:59:00.000', '07:59:15.000', '07:59:30.000']],
    ['at one moment', {from: '2026-01-31T07:59:00Z', to: '2026-01-31T07:59:00Z'}, ['07:59:00.000']],
    ['at one moment, where the step leads beyond the end', {from: '2026-01-31T07:59:00Z', step: 3_600_000}, ['07:59:00.000']],
    ['at one moment, which is now', {from: '2026-01-31T08:00:07.123Z'}, ['08:00:07.123']],
  ])('is asked for %s', (_, asked, moments) => {
    expect(momentsOf(asked)).toEqual(moments)
  })

  it.each<[asked: Asked, timing: Timing, message: string]>([
    [{to: '-1h'}, everyStep, '--to needs --from'],
    [{step: STEP}, everyStep, '--step needs --from'],
    [{from: '-1h', once: true}, everyStep, '--from and --once exclude each other'],
    [{from: '-1h'}, cron, '--from needs --step where there is a --schedule'],
    [{from: '-1h', step: 0.5}, everyStep, '--step: expected whole milliseconds'],
    [{from: '-1h', to: '-2h'}, everyStep, '--to is before --from'],
    [{from: '2026-01-31T08:00:08Z'}, everyStep, '--from is in the future'],
    [{from: '2026-02-01T00:00:00Z', to: '2026-02-02T00:00:00Z'}, everyStep, '--from is in the future'],
    [{from: '-1h', to: '2026-01-31T08:00:08Z'}, everyStep, '--to is in the future'],
  ])('is refused: %j', (asked, timing, message) => {
    expect(() => pastWith(asked, {timing})).toThrow(message)
  })

  it('may have a step where a schedule has none', () => {
    expect(momentsOf({from: '-30s', step: STEP}, {timing: cron})).toHaveLength(3)
  })

  it('goes on where it began, also when it was given as a time before now', () => {
    for (const asked of [{from: '-24h', to: '-1h'}, {from: '2026-01-31T07:00:00Z'}]) {
      const [before, later] = [pastWith(asked)!, pastWith(asked, {now: NOW + 3_600_000})!]
      expect(later.key).toBe(before.key)
    }
  })

  it('is another one for other times and another step', () => {
    const others: Asked[] = [
      {from: '-24h'},
      {from: '-23h'},
      {from: '-24h', to: '-1h'},
      {from: '-24h', to: '-2h'},
      {from: '-24h', step: STEP + 1},
      {from: '2026-01-31T07:00:00Z'},
    ]
    expect(new Set(others.map((asked) => pastWith(asked)!.key)).size).toBe(others.length)
  })
})

describe('its progress', () => {
  /** Two queries of twenty moments each. */
  function begun(now = NOW) {
    const past = pastWith({from: '-285s'}, {now})!
    const jobs = [1, 2].map(() => ({progress: createQueryProgress(past.timetable, past.cursor)}) as QueryJob)
    const fill = (progress: QueryProgress, moments: number) => progress.fill(progress.take(moments)!)
    return {
      jobs,
      progress: (at = NOW) => past.progress(jobs, at),
      fill: (job: number, moments: number) => fill(jobs[job]!.progress, moments),
    }
  }

  it('begins with nothing, and nobody knows how long it takes', () => {
    expect(begun().progress()).toEqual({done: '0 %'})
  })

  it('is what is filled of all queries, and not what is on its way', () => {
    const {jobs, progress, fill} = begun(NOW - 60_000)
    progress()
    jobs[1]!.progress.take(5)
    fill(0, 13)
    expect(progress()).toEqual({done: '32 %', left: expect.stringMatching(/^\d+ s$/) as unknown})
    fill(0, 7)
    fill(1, 15)
    expect(progress()).toMatchObject({done: '87 %'})
  })

  it('ends with all of it, and no time left', () => {
    const {progress, fill} = begun()
    progress()
    for (const job of [0, 1]) fill(job, 20)
    expect(progress()).toEqual({done: '100 %', left: '0 s'})
  })
})
