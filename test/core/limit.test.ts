import {describe, expect, it} from 'vitest'
import {createLimit, takePlace} from '../../src/lib/core/limit.ts'

const never = new AbortController().signal
const turn = () => new Promise(setImmediate)

describe('a limit', () => {
  it('lets in no more than it has places, first come first served', async () => {
    const limit = createLimit(2)
    const [begun, ends]: [string[], (() => void)[]] = [[], []]
    const work = (name: string) =>
      limit(async () => {
        begun.push(name)
        await new Promise<void>((resolve) => ends.push(resolve))
      }, never)
    const all = ['a', 'b', 'c', 'd'].map(work)
    await turn()
    expect(begun).toEqual(['a', 'b'])
    ends[1]!()
    await turn()
    expect(begun).toEqual(['a', 'b', 'c'])
    for (let index = 0; index < 4; index++) {
      ends[index]?.()
      await turn()
    }

    await Promise.all(all)
    expect(begun).toEqual(['a', 'b', 'c', 'd'])
  })

  it('gives the place of work that failed to the next', async () => {
    const limit = createLimit(1)
    const failing = limit(async () => Promise.reject(new Error('broken')), never)
    const next = limit(async () => 'done', never)
    await expect(failing).rejects.toThrow('broken')
    expect(await next).toBe('done')
  })
})

describe('a place that is held', () => {
  it('is given to nobody else until it is given back', async () => {
    const limit = createLimit(1)
    const leave = await takePlace(limit, never)
    let isIn = false
    const next = takePlace(limit, never).then((leaveNext) => {
      isIn = true
      return leaveNext
    })
    await turn()
    expect(isIn).toBe(false)
    leave()
    ;(await next)()
    expect(await limit(async () => 'free', never)).toBe('free')
  })

  it('is not taken after an abort', async () => {
    const limit = createLimit(1)
    await expect(takePlace(limit, AbortSignal.abort(new Error('stopped')))).rejects.toThrow('stopped')
    expect(await limit(async () => 'free', never)).toBe('free')
  })

  it('is given back when it came at the moment of an abort', async () => {
    const [limit, stopping] = [createLimit(1), new AbortController()]
    const taking = takePlace(limit, stopping.signal)
    stopping.abort(new Error('stopped'))
    await expect(taking).rejects.toThrow('stopped')
    expect(await limit(async () => 'free', never)).toBe('free')
  })

  it('is no longer waited for after an abort, and is not lost', async () => {
    const limit = createLimit(1)
    const leave = await takePlace(limit, never)
    const stopping = new AbortController()
    const waiting = takePlace(limit, stopping.signal)
    stopping.abort(new Error('stopped'))
    await expect(waiting).rejects.toThrow('stopped')
    leave()
    expect(await limit(async () => 'free', never)).toBe('free')
  })
})
