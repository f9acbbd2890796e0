import {describe, expect, it} from 'vitest'
import {orAborted} from '../../src/lib/core/or-aborted.ts'

const never = () => new Promise<never>(() => {})

describe('work that takes no signal', () => {
  it('ends as it ends', async () => {
    const {signal} = new AbortController()
    expect(await orAborted(async () => 7, signal)).toBe(7)
    await expect(orAborted(() => Promise.reject(new Error('disk full')), signal)).rejects.toThrow('disk full')
  })

  it('is not waited for after the signal, whose reason it rejects with', async () => {
    const controller = new AbortController()
    const waiting = orAborted(never, controller.signal)
    controller.abort(new Error('stopped at once'))
    await expect(waiting).rejects.toThrow('stopped at once')
  })

  it('is not begun once the signal has fired', async () => {
    let isBegun = false
    const work = async () => {
      isBegun = true
    }
    await expect(orAborted(work, AbortSignal.abort(new Error('stopped')))).rejects.toThrow('stopped')
    expect(isBegun).toBe(false)
  })
})
