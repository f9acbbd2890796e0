import {describe, expect, it} from 'vitest'
import type {Clock, Message, Source} from '../../src/lib/core/types.ts'
import {limited} from '../../src/lib/sources/limited.ts'
import {chunksOf, messagesOf} from '../contract/source.ts'
import {numbers} from '../fakes/pipeline.ts'
import {virtualClock} from '../fakes/virtual-clock.ts'

/** Of chunks of four messages, so many seconds apart; it remembers what was released, and whether it was left. */
function fakeSource({chunks = Infinity, seconds = 0, clock = virtualClock()}: {chunks?: number; seconds?: number; clock?: Clock} = {}) {
  const events: string[] = []
  const source: Source<number> & {lag(): number} = {
    async *read(signal) {
      try {
        for (let index = 0; index < chunks && !signal.aborted; index++) {
          if (seconds > 0) await clock.sleep(seconds * 1000, signal)
          yield numbers(index * 4, 4)
        }
      } catch (error) {
        if (!signal.aborted) throw error
      } finally {
        events.push(signal.aborted ? 'stopped' : 'ended')
      }
    },
    async ack() {},
    async complete() {
      events.push('completed')
    },
    release: (unsent) => events.push(`released ${valuesOf(unsent)}`),
    describe: () => '',
    async close() {
      events.push('closed')
    },
    lag: () => 7,
  }
  return {events, source, clock}
}

const valuesOf = (messages: readonly Message<unknown>[]) => messages.map(({value}) => value).join(',')
const noLimit = {maxMessages: undefined, maxMilliseconds: undefined}

describe('a limit of messages', () => {
  it.each([
    {maxMessages: 3, chunks: ['0,1,2'], events: ['released 3', 'ended']},
    {maxMessages: 4, chunks: ['0,1,2,3'], events: ['ended']},
    {maxMessages: 5, chunks: ['0,1,2,3', '4'], events: ['released 5,6,7', 'ended']},
    {maxMessages: 9, chunks: ['0,1,2,3', '4,5,6,7'], events: ['ended'], available: 2},
  ])('of $maxMessages stops there, and releases the rest of the chunk', async ({maxMessages, chunks, events, available = Infinity}) => {
    const fake = fakeSource({chunks: available})
    const read = await chunksOf(limited(fake.source, {...noLimit, maxMessages}, fake.clock))
    expect(read.map(valuesOf)).toEqual(chunks)
    expect(fake.events).toEqual(events)
  })

  it('releases the rest before anything of the chunk can be acknowledged', async () => {
    const {source, events, clock} = fakeSource()
    const watched: Source<number> = {...source, ack: async (settled) => void events.push(`acked ${valuesOf(settled)}`)}
    await messagesOf(limited(watched, {...noLimit, maxMessages: 3}, clock))
    expect(events).toEqual(['released 3', 'acked 0,1,2', 'ended'])
  })

  it('passes on the empty chunk that asks for a flush', async () => {
    const {source, clock} = fakeSource()
    const flushing: Source<number> = {
      ...source,
      async *read() {
        yield []
        yield numbers(0, 2)
        yield []
      },
    }
    expect((await chunksOf(limited(flushing, {...noLimit, maxMessages: 3}, clock))).map((chunk) => chunk.length)).toEqual([0, 2, 0])
  })
})

describe('a limit of time', () => {
  it('stops the source then, also while nothing comes', async () => {
    const {source, events, clock} = fakeSource({seconds: 10})
    const read = await messagesOf(limited(source, {...noLimit, maxMilliseconds: 35_000}, clock))
    expect(read).toHaveLength(12)
    expect(events).toEqual(['stopped'])
    expect(clock.now()).toBe(35_000)
  })

  it('does not keep the clock waiting once the source has ended', async () => {
    const {source, clock} = fakeSource({chunks: 2, seconds: 10})
    await messagesOf(limited(source, {...noLimit, maxMilliseconds: 1e9}, clock))
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate) // it would jump to the limit
    expect(clock.now()).toBe(20_000)
  })

  it('is no reason to ignore the signal', async () => {
    const {source, events, clock} = fakeSource({seconds: 10})
    const stop = new AbortController()
    void clock.sleep(15_000, stop.signal).then(() => stop.abort())
    const read = await messagesOf(limited(source, {maxMessages: 100, maxMilliseconds: 1e9}, clock), stop.signal)
    expect(read).toHaveLength(4)
    expect(events).toEqual(['stopped'])
  })
})

it('leaves everything else to the source', async () => {
  const {source, events, clock} = fakeSource()
  const same = limited(source, {...noLimit, maxMessages: 3}, clock) as typeof source
  await same.complete()
  await same.close()
  expect(events).toEqual(['completed', 'closed'])
  expect(same.lag()).toBe(7)
})

it('is the source itself where there is no limit', () => {
  const {source, clock} = fakeSource()
  expect(limited(source, noLimit, clock)).toBe(source)
})
