import {describe, expect, it} from 'vitest'
import {within} from '../../src/lib/core/within.ts'
import {virtualClock} from '../fakes/virtual-clock.ts'

const late = () => new Error('too late')
const turns = async () => {
  for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate)
}

describe('work within a time', () => {
  it('gives what it came to, and leaves no timer behind', async () => {
    const clock = virtualClock()
    expect(await within(1000, async () => 'done', clock, late)).toBe('done')
    await turns()
    expect(clock.now()).toBe(0)
  })

  it('that takes longer is not waited for', async () => {
    const clock = virtualClock()
    await expect(within(1000, () => new Promise(() => {}), clock, late)).rejects.toThrow('too late')
    expect(clock.now()).toBe(1000)
  })

  it('that fails before it has begun leaves no rejection that nobody handles', async () => {
    const fault = () => {
      throw new TypeError('a fault')
    }
    await expect(within(1000, fault, virtualClock(), late)).rejects.toThrow('a fault')
    await turns() // one would fail this test
  })
})
