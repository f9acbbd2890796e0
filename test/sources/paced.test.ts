import {expect, it} from 'vitest'
import type {Message, Source} from '../../src/lib/core/types.ts'
import {paced} from '../../src/lib/sources/paced.ts'
import {acknowledged} from '../contract/source.ts'
import {fakePipeline, numbers} from '../fakes/pipeline.ts'
import {virtualClock} from '../fakes/virtual-clock.ts'

const clock = virtualClock()
const sourceOf = (...chunks: (readonly Message<number>[])[]): Source<number> => fakePipeline({chunks}).source

async function momentsOf(source: Source<number>, signal?: AbortSignal): Promise<readonly string[]> {
  const begunAt = clock.now()
  const moments: string[] = []
  for await (const chunk of acknowledged(source, signal))
    moments.push(`${chunk.map(({value}) => value).join(',')} at ${clock.now() - begunAt}`)
  return moments
}

it('yields one message at a time, the first at once and each other after a pause', async () => {
  expect(await momentsOf(paced(sourceOf(numbers(0, 3), numbers(3, 1)), 200, clock))).toEqual(['0 at 0', '1 at 200', '2 at 400', '3 at 600'])
})

it('passes on the empty chunk that asks for a flush, without a pause', async () => {
  expect(await momentsOf(paced(sourceOf(numbers(0, 1), [], numbers(1, 1)), 200, clock))).toEqual(['0 at 0', ' at 0', '1 at 200'])
})

it('ends in the middle of a pause when the signal fires, and yields no more', async () => {
  const stop = new AbortController()
  const begunAt = clock.now()
  void clock.sleep(1500, new AbortController().signal).then(() => stop.abort())
  expect(await momentsOf(paced(sourceOf(numbers(0, 5)), 1000, clock), stop.signal)).toEqual(['0 at 0', '1 at 1000'])
  expect(clock.now() - begunAt).toBe(1500)
})

it('is the source itself where there is no pause', () => {
  const source = sourceOf()
  expect(paced(source, 0, clock)).toBe(source)
})
