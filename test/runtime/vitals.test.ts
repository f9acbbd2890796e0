import {describe, expect, it} from 'vitest'
import {createLedger} from '../../src/lib/core/ledger.ts'
import {AuthError, NotFoundError, UnavailableError} from '../../src/lib/errors.ts'
import {createVitals, notReady} from '../../src/lib/runtime/vitals.ts'

const STALL_MILLISECONDS = 66_000

function run({lag = undefined as number | undefined, isConnected = true} = {}) {
  const time = {now: 1000}
  const clock = {now: () => time.now, sleep: () => Promise.reject(new Error('nobody sleeps here'))}
  const ledger = createLedger()
  const state = {lag, isConnected}
  const {vitals, observer} = createVitals({ledger, clock, lag: () => state.lag, isConnected: () => state.isConnected})
  return {vitals, observer, ledger, time, state, problem: () => notReady(vitals, time.now, STALL_MILLISECONDS)}
}

describe('a run', () => {
  it('is not ready before it is connected', () => {
    const {state, problem} = run({isConnected: false})
    expect(problem()).toBe('not connected')
    state.isConnected = true
    expect(problem()).toBeUndefined()
  })

  it.each([undefined, 0])('is ready however long nothing comes (lag %s)', (lag) => {
    const {time, problem} = run({lag})
    time.now += 1e9
    expect(problem()).toBeUndefined()
  })

  it('is ready while records wait for less than a stall', () => {
    const {time, problem} = run({lag: 5})
    time.now += STALL_MILLISECONDS
    expect(problem()).toBeUndefined()
  })

  it('is stalled when records wait and none was settled for longer', () => {
    const {time, problem, ledger} = run({lag: 5})
    ledger.unacknowledged = 2
    time.now += STALL_MILLISECONDS + 1
    expect(problem()).toBe('stalled: 7 records wait, and none was settled for 66 s')
  })

  it('is stalled by records that it holds although the lag is not known', () => {
    const {time, problem, ledger} = run()
    ledger.unacknowledged = 2
    time.now += STALL_MILLISECONDS + 1
    expect(problem()).toContain('stalled: 2 records wait')
  })

  it('is ready when all that it holds was taken away by a rebalance, and stalled by what comes after', () => {
    const {time, problem, observer, ledger} = run({lag: 0})
    ledger.unacknowledged = 5
    observer.released?.(5)
    time.now += STALL_MILLISECONDS + 1
    expect(problem()).toBeUndefined()
    observer.waiting?.()
    ledger.unacknowledged = 6
    expect(problem()).toBeUndefined()
    time.now += STALL_MILLISECONDS + 1
    expect(problem()).toContain('stalled: 1 records')
  })

  it('is ready when the first record after a quiet hour waits for its batch', () => {
    const {time, problem, observer, ledger} = run({lag: 0})
    observer.settled?.({messages: 1, milliseconds: 3})
    time.now += 3_600_000
    observer.waiting?.()
    ledger.unacknowledged = 1
    expect(problem()).toBeUndefined()
    time.now += STALL_MILLISECONDS + 1
    expect(problem()).toContain('stalled: 1 records')
  })

  it('is ready when it was away from the broker for long, and records wait', () => {
    const {time, problem, state} = run({lag: 5, isConnected: false})
    expect(problem()).toBe('not connected')
    time.now += 3_600_000
    state.isConnected = true
    expect(problem()).toBeUndefined()
    time.now += STALL_MILLISECONDS + 1
    expect(problem()).toContain('stalled')
  })

  it('is ready again with the next batch', () => {
    const {time, problem, observer} = run({lag: 5})
    time.now += 1e6
    observer.settled?.({messages: 1, milliseconds: 3})
    expect(problem()).toBeUndefined()
    time.now += STALL_MILLISECONDS + 1
    expect(problem()).toContain('stalled')
  })

  it.each([new AuthError('token refused'), new NotFoundError('no bucket')])('is paused while "$message" is waited out', (error) => {
    const {problem, observer} = run()
    observer.retrying?.(error)
    expect(problem()).toBe(`paused: ${error.message}`)
    observer.recovered?.()
    expect(problem()).toBeUndefined()
  })

  it('is not paused by what passes by itself', () => {
    const {problem, observer, vitals} = run()
    observer.retrying?.(new UnavailableError('refused'))
    expect(problem()).toBeUndefined()
    expect(vitals.retries).toBe(1)
  })
})

describe('latencies', () => {
  it('are taken once', () => {
    const {vitals, observer} = run()
    for (const milliseconds of [3, 5]) observer.settled?.({messages: 1, milliseconds})
    expect(vitals.takeLatencies()).toEqual([3, 5])
    expect(vitals.takeLatencies()).toEqual([])
  })

  it('do not pile up where nobody looks', () => {
    const {vitals, observer} = run()
    for (let batch = 0; batch < 20_000; batch++) observer.settled?.({messages: 1, milliseconds: 1})
    expect(vitals.takeLatencies()).toHaveLength(10_000)
  })
})
