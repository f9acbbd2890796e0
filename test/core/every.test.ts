import {describe, expect, it} from 'vitest'
import {every} from '../../src/lib/core/every.ts'
import {rememberingLogger} from '../fakes/logger.ts'
import {virtualClock} from '../fakes/virtual-clock.ts'

const everyTen = {next: (after: number) => (Math.floor(after / 10) + 1) * 10}

/** Runs cycles that take so long each, until a moment. */
async function cycles({
  until,
  startsNow = false,
  startAt = 3,
  takes = () => 0,
}: {
  until: number
  startsNow?: boolean
  startAt?: number
  takes?: (cycle: number) => number
}) {
  const clock = virtualClock(startAt)
  const stopping = new AbortController()
  const {log, events} = rememberingLogger()
  const begun: [due: number, at: number][] = []
  const cycle = async (dueAt: number) => {
    begun.push([dueAt, clock.now()])
    await clock.sleep(takes(begun.length), new AbortController().signal)
    if (clock.now() >= until) stopping.abort()
  }

  const rounds = await every({schedule: everyTen, startsNow, cycle}, {clock, stop: stopping.signal, log})
  return {begun, rounds, warnings: events.filter(([level]) => level === 'warn').length}
}

describe('every', () => {
  it('begins each cycle at its moment', async () => {
    const {begun, rounds} = await cycles({until: 30})
    expect(begun).toEqual([
      [10, 10],
      [20, 20],
      [30, 30],
    ])
    expect(rounds).toEqual({run: 3, skipped: 0})
  })

  it('begins at once when asked, and then keeps the schedule', async () => {
    const {begun} = await cycles({until: 20, startsNow: true})
    expect(begun.map(([due]) => due)).toEqual([3, 10, 20])
  })

  it('skips and counts the cycles that an overrun missed: none overlaps, none is queued', async () => {
    const {begun, rounds, warnings} = await cycles({until: 60, takes: (cycle) => (cycle === 1 ? 35 : 0)})
    expect(begun.map(([due]) => due)).toEqual([10, 50, 60])
    expect(rounds).toEqual({run: 3, skipped: 3})
    expect(warnings).toBe(1)
  })

  it('ends while it waits for the next cycle', async () => {
    const clock = virtualClock()
    const stopping = new AbortController()
    setImmediate(() => stopping.abort())
    const slow = {
      now: clock.now,
      sleep: (_: number, signal: AbortSignal) =>
        new Promise<void>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    }
    const rounds = await every(
      {schedule: everyTen, startsNow: false, cycle: () => Promise.reject(new Error('never'))},
      {clock: slow, stop: stopping.signal, log: rememberingLogger().log},
    )
    expect(rounds.run).toBe(0)
  })

  it('ends with the failure of a cycle', async () => {
    const clock = virtualClock()
    const {log} = rememberingLogger()
    const failing = every(
      {schedule: everyTen, startsNow: true, cycle: () => Promise.reject(new Error('cycle'))},
      {clock, stop: new AbortController().signal, log},
    )
    await expect(failing).rejects.toThrow('cycle')
  })
})
