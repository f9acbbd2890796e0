import {describe, expect, it} from 'vitest'
import {createFeed} from '../../src/lib/sources/prometheus-feed.ts'
import {settled} from './kafka-reader.ts'

/** Whether a promise has been kept yet. */
async function isKept(promise: Promise<unknown>): Promise<boolean> {
  return (await Promise.race([promise.then(() => 'kept'), settled('not yet')])) === 'kept'
}

describe('what is live', () => {
  it('is taken in the order in which it came', () => {
    const feed = createFeed<string>()
    for (const item of ['a', 'b', 'c']) void feed.putLive(item)
    expect([feed.takeLive(), feed.takeLive(), feed.takeLive(), feed.takeLive()]).toEqual(['a', 'b', 'c', undefined])
  })

  it('is with its putter until it is taken', async () => {
    const feed = createFeed<string>()
    const [first, second] = [feed.putLive('a'), feed.putLive('b')]
    feed.takeLive()
    expect([await isKept(first), await isKept(second)]).toEqual([true, false])
  })

  it('does not take the place of what fills gaps', async () => {
    const feed = createFeed<string>()
    void feed.putLive('live')
    expect(await isKept(feed.putFill('fill'))).toBe(true)
    expect([feed.takeFill(), feed.takeFill(), feed.takeLive()]).toEqual(['fill', undefined, 'live'])
  })
})

describe('what fills gaps', () => {
  it('waits one at a time: each next one is let in when the one before is taken, first come, first served', async () => {
    const feed = createFeed<string>()
    const puts = ['a', 'b', 'c'].map((item) => feed.putFill(item))
    const kept = () => Promise.all(puts.map(isKept))
    expect(await kept()).toEqual([true, false, false])
    expect(feed.takeFill()).toBe('a')
    expect(await kept()).toEqual([true, true, false])
    expect(feed.takeFill()).toBe('b')
    expect(await kept()).toEqual([true, true, true])
    expect(feed.takeFill()).toBe('c')
  })
})

describe('an arrival', () => {
  it.each([
    {what: 'what is live', put: (feed: ReturnType<typeof createFeed<string>>) => void feed.putLive('a')},
    {what: 'what fills gaps', put: (feed: ReturnType<typeof createFeed<string>>) => void feed.putFill('a')},
  ])('is $what, whether it came before or comes later', async ({put}) => {
    const feed = createFeed<string>()
    put(feed)
    expect(await feed.arrival()).toBe('more')
    feed.takeLive()
    feed.takeFill()
    const arrival = feed.arrival()
    expect(await isKept(arrival)).toBe(false)
    put(feed)
    expect(await arrival).toBe('more')
  })

  it('is the end only when all is taken', async () => {
    const feed = createFeed<string>()
    void feed.putFill('a')
    feed.end()
    expect(await feed.arrival()).toBe('more')
    feed.takeFill()
    expect([await feed.arrival(), await feed.arrival()]).toEqual(['end', 'end'])
  })

  it('that is waited for is the end when there is no more', async () => {
    const feed = createFeed<string>()
    const arrival = feed.arrival()
    feed.end()
    expect(await arrival).toBe('end')
  })

  it('is the first failure, and nothing that was put before is taken after it', async () => {
    const feed = createFeed<string>()
    void feed.putLive('live')
    void feed.putFill('fill')
    feed.end(new Error('first'))
    feed.end(new Error('second'))
    expect([feed.takeLive(), feed.takeFill()]).toEqual([undefined, undefined])
    await expect(feed.arrival()).rejects.toThrow('first')
  })
})

describe('after the end', () => {
  it.each([
    {failure: undefined, taken: ['a', 'b']},
    {failure: new Error('it failed'), taken: []},
  ])('nobody waits to be taken or let in, and what comes later is dropped ($failure)', async ({failure, taken}) => {
    const feed = createFeed<string>()
    const before = [feed.putLive('a'), feed.putFill('b'), feed.putFill('c')]
    feed.end(failure)
    const after = [feed.putLive('d'), feed.putFill('e'), feed.putFill('f')]
    expect(await Promise.all([...before, ...after].map(isKept))).toEqual(Array(6).fill(true))
    const all = [feed.takeLive(), feed.takeLive(), feed.takeFill(), feed.takeFill()]
    expect(all.filter((item) => item !== undefined)).toEqual(taken)
  })
})
