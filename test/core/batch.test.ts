import {describe, expect, it} from 'vitest'
import type {Message} from '../../src/lib/core/types.ts'
import {inBatches} from '../../src/lib/core/batch.ts'
import {message, numbers} from '../fakes/pipeline.ts'
import {virtualClock} from '../fakes/virtual-clock.ts'

const limits = {count: 3, bytes: 1000, milliseconds: 1000}

async function batchesOf(chunks: AsyncIterable<readonly Message<number>[]>, own: Partial<typeof limits> = {}, clock = virtualClock()) {
  const batches: number[][] = []
  for await (const batch of inBatches(chunks, {...limits, ...own}, clock)) batches.push(batch.map(({value}) => value))
  return batches
}

async function* each(...chunks: Message<number>[][]) {
  yield* chunks
}

describe('inBatches', () => {
  it('cuts by count, across chunks', async () => {
    expect(await batchesOf(each(numbers(0, 2), numbers(2, 5)))).toEqual([[0, 1, 2], [3, 4, 5], [6]])
  })

  it('cuts by bytes, and leaves a heavy message alone', async () => {
    const heavy = {...message(2), bytes: 5000}
    expect(await batchesOf(each([message(0), message(1), heavy, message(3)]))).toEqual([[0, 1], [2], [3]])
  })

  it('sends what waits when its age is up, while the source is silent', async () => {
    const clock = virtualClock()
    const seen: [number, number][] = []
    async function* read() {
      yield numbers(0, 1)
      await clock.sleep(60_000, new AbortController().signal)
    }

    for await (const batch of inBatches(read(), limits, clock)) seen.push([clock.now(), batch.length])
    expect(seen).toEqual([[1000, 1]])
  })

  it('counts the age from the oldest message, not from the newest', async () => {
    const clock = virtualClock()
    const times: number[] = []
    async function* read() {
      yield numbers(0, 1)
      await clock.sleep(800, new AbortController().signal)
      yield numbers(1, 1)
      await clock.sleep(60_000, new AbortController().signal)
    }

    for await (const _ of inBatches(read(), limits, clock)) times.push(clock.now())
    expect(times).toEqual([1000])
  })

  it('sends what waits at once after an empty chunk', async () => {
    const clock = virtualClock()
    const times: number[] = []
    async function* read() {
      yield numbers(0, 1)
      yield []
      await clock.sleep(500, new AbortController().signal)
    }

    for await (const _ of inBatches(read(), limits, clock)) times.push(clock.now())
    expect(times).toEqual([0])
  })

  it('makes no batch of nothing', async () => {
    expect(await batchesOf(each([], []))).toEqual([])
  })

  it('reads one chunk ahead and no more', async () => {
    let read = 0
    async function* source() {
      for (;;) {
        read++
        yield numbers(0, 3)
      }
    }

    const batches = inBatches(source(), limits, virtualClock())
    await batches.next()
    await new Promise(setImmediate)
    expect(read).toBe(2)
    await batches.return()
  })

  it('ends its source when it is left early', async () => {
    let ended = false
    async function* source() {
      try {
        for (;;) yield numbers(0, 3)
      } finally {
        ended = true
      }
    }

    for await (const _ of inBatches(source(), limits, virtualClock())) break
    expect(ended).toBe(true)
  })

  it('passes on the failure of a read that nobody was waiting for', async () => {
    async function* source() {
      yield numbers(0, 3)
      throw new Error('read')
    }

    const batches = inBatches(source(), limits, virtualClock())
    await batches.next()
    await new Promise(setImmediate)
    await expect(batches.next()).rejects.toThrow('read')
  })

  it('regroups a chunk of 150,000 messages by 5 without copying it for each', async () => {
    let messages = 0
    for await (const batch of inBatches(each(numbers(0, 150_000)), {...limits, count: 5, bytes: 8e6}, virtualClock()))
      messages += batch.length
    expect(messages).toBe(150_000)
  })
})
