import {describe, expect, it, onTestFinished, vi} from 'vitest'
import {showProgress} from '../../src/lib/cli/progress.ts'
import {createLedger} from '../../src/lib/core/ledger.ts'
import {rememberingLogger} from '../fakes/logger.ts'

/** The progress of a run that nobody watches. */
async function unwatched() {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const ledger = createLedger()
  const {log, events} = rememberingLogger()
  const progress = await showProgress({ledger, log, isWatched: false, extras: () => ({lag: 4})})
  onTestFinished(() => progress.stop())
  return {ledger, events, progress, pass: (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds)}
}

describe('where nobody watches', () => {
  it('a line in the log every 10 s says how far it is, how fast, and what else there is to know', async () => {
    const {ledger, events, pass} = await unwatched()
    Object.assign(ledger, {read: 5000, written: 4000, filtered: 1, rejected: 2, unacknowledged: 997})
    await pass(9999)
    expect(events).toEqual([])
    await pass(1)
    const counts = {read: 5000, written: 4000, filtered: 1, rejected: 2, unacknowledged: 997}
    expect(events).toEqual([['info', 'progress', {...counts, lag: 4, perSecond: 500}]])
  })

  it('nothing is said while nothing comes and nothing waits', async () => {
    const {ledger, events, pass} = await unwatched()
    await pass(60_000)
    expect(events).toEqual([])
    Object.assign(ledger, {read: 10, written: 10})
    await pass(10_000)
    await pass(60_000)
    expect(events).toHaveLength(1)
  })

  it('it is said again while records wait, though no more come', async () => {
    const {ledger, events, pass} = await unwatched()
    Object.assign(ledger, {read: 10, unacknowledged: 10})
    await pass(30_000)
    expect(events.map(([, , {perSecond}]) => perSecond)).toEqual([1, 0, 0])
  })

  it('nothing is said after the end', async () => {
    const {ledger, events, progress, pass} = await unwatched()
    ledger.read = 10
    progress.stop()
    await pass(60_000)
    expect(events).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })
})
