import {describe, expect, it} from 'vitest'
import {beginCycle, type CycleReport, statusOf} from '../../src/lib/sources/prometheus-cycles.ts'
import {AuthError, UnavailableError} from '../../src/lib/errors.ts'

const AT = 1_795_457_019_000

function cycleOf(queries: number) {
  const told: CycleReport[] = []
  let now = AT
  const clock = {now: () => now, sleep: () => Promise.resolve()}
  const cycle = beginCycle(AT, queries, clock, (report) => told.push(report))
  return {cycle, told, pass: (milliseconds: number) => (now += milliseconds)}
}

describe('a cycle', () => {
  it('is told when its last query has ended, with what became of each', () => {
    const {cycle, told, pass} = cycleOf(5)
    cycle.succeeded(200)
    cycle.failed(new UnavailableError('503'))
    pass(40)
    cycle.failed(new UnavailableError('timeout'))
    cycle.skipped()
    expect(told).toEqual([])
    pass(2)
    cycle.succeeded(8)
    expect(told).toEqual([
      {
        at: AT,
        queries: 5,
        succeeded: 2,
        failed: 2,
        skipped: 1,
        pending: 0,
        samples: 208,
        milliseconds: 42,
        successPercent: 40,
        status: 'critical',
        errors: {UNAVAILABLE: 2},
      },
    ])
  })

  it('is told as it stands when the next one begins', () => {
    const {cycle, told, pass} = cycleOf(3)
    cycle.succeeded(0)
    pass(15_000)
    cycle.close()
    expect(told).toMatchObject([{succeeded: 1, failed: 0, pending: 2, milliseconds: 15_000, successPercent: 33}])
  })

  it.each(['a success', 'a failure'])('is told once, and not changed by %s that comes late', (what) => {
    const {cycle, told} = cycleOf(2)
    cycle.failed(new AuthError('401'))
    cycle.close()
    const before = structuredClone(told)
    if (what === 'a success') cycle.succeeded(1)
    else cycle.failed(new UnavailableError('503'))
    cycle.close()
    expect(before).toMatchObject([{failed: 1, pending: 1, errors: {AUTH: 1}}])
    expect(told).toEqual(before)
  })

  it('counts what is no error of ucs as a bug', () => {
    const {cycle, told} = cycleOf(2)
    cycle.failed(new TypeError('x is not a function'))
    cycle.failed('text')
    expect(told).toMatchObject([{errors: {BUG: 2}}])
  })

  it.each<[succeeded: number, queries: number, percent: number, status: string]>([
    [5, 5, 100, 'healthy'],
    [999, 1000, 99, 'healthy'], // and not all of them
    [4, 5, 80, 'healthy'],
    [159, 200, 79, 'warning'], // 79.5 %
    [1, 2, 50, 'warning'],
    [99, 200, 49, 'critical'],
    [29, 100, 29, 'critical'],
    [0, 1, 0, 'critical'],
  ])('of which %i of %i queries succeeded is %i percent, %s', (succeeded, queries, successPercent, status) => {
    const {cycle, told} = cycleOf(queries)
    for (let query = 0; query < succeeded; query++) cycle.succeeded(1)
    cycle.close()
    expect(told).toMatchObject([{successPercent, status}])
  })
})

describe('the status', () => {
  it.each([
    [100, 'healthy'],
    [80, 'healthy'],
    [79, 'warning'],
    [50, 'warning'],
    [49, 'critical'],
    [0, 'critical'],
  ])('at %i percent is %s', (percent, status) => {
    expect(statusOf(percent)).toBe(status)
  })
})
