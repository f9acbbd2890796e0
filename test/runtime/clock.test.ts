import {getEventListeners} from 'node:events'
import {describe, expect, it, onTestFinished, vi} from 'vitest'
import {systemClock} from '../../src/lib/runtime/clock.ts'

const LONGEST_TIMER_MILLISECONDS = 2 ** 31 - 1

function fakeTimers() {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
}

/** A sleep, and whether it is over. */
function sleeper(milliseconds: number, signal = new AbortController().signal) {
  let isOver = false
  const sleep = systemClock.sleep(milliseconds, signal).finally(() => (isOver = true))
  sleep.catch(() => {})
  return {sleep, isOver: () => isOver}
}

describe('the clock of the system', () => {
  it('sleeps as long as it is told', async () => {
    fakeTimers()
    const {isOver} = sleeper(1000)
    await vi.advanceTimersByTimeAsync(999)
    expect(isOver()).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(isOver()).toBe(true)
  })

  it('sleeps longer than a timer can run', async () => {
    fakeTimers()
    const {isOver} = sleeper(2 * LONGEST_TIMER_MILLISECONDS + 10)
    await vi.advanceTimersByTimeAsync(2 * LONGEST_TIMER_MILLISECONDS)
    expect(isOver()).toBe(false)
    await vi.advanceTimersByTimeAsync(10)
    expect(isOver()).toBe(true)
  })

  it.each([0, -5])('does not sleep for %i ms', async (milliseconds) => {
    fakeTimers()
    await systemClock.sleep(milliseconds, new AbortController().signal)
  })

  it.each([0, 1000])('rejects at once with the reason of a signal that has fired, asked for %i ms', async (milliseconds) => {
    const reason = new Error('stopped')
    await expect(systemClock.sleep(milliseconds, AbortSignal.abort(reason))).rejects.toBe(reason)
  })

  it('is woken by the signal, rejects with its reason, and leaves no timer', async () => {
    fakeTimers()
    const stopping = new AbortController()
    const {sleep} = sleeper(1000, stopping.signal)
    const reason = new Error('stopped')
    stopping.abort(reason)
    await expect(sleep).rejects.toBe(reason)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('leaves nothing at a signal that outlives it', async () => {
    const {signal} = new AbortController()
    await systemClock.sleep(1, signal)
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })
})
