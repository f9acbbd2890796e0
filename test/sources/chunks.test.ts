import {describe, expect, it} from 'vitest'
import type {Message} from '../../src/lib/core/types.ts'
import {createChunks} from '../../src/lib/sources/chunks.ts'

const message = (value: number, bytes = 1): Message<number> => ({value, bytes, position: {partition: 't', offset: BigInt(value)}})

/** How many messages each chunk has; the last is what is left. */
function sizesOf(messages: readonly Message<number>[]): readonly number[] {
  const chunks = createChunks<number>()
  const full = messages.map((each) => chunks.add(each)?.length)
  return [...full, chunks.rest()?.length].filter((size) => size !== undefined)
}

describe('a chunk', () => {
  it.each([
    ['1000 messages', Array.from({length: 2001}, (_, index) => message(index)), [1000, 1000, 1]],
    ['1 MB', [400_000, 600_000, 1, 999_999].map((bytes, index) => message(index, bytes)), [2, 2]],
    ['a message that is heavier alone', [1, 2_000_000, 1].map((bytes, index) => message(index, bytes)), [1, 1, 1]],
    ['what there is', [message(0)], [1]],
    ['nothing, and then it is none', [], []],
  ])('has at most %s', (_, messages, sizes) => {
    expect(sizesOf(messages)).toEqual(sizes)
  })

  it('has the messages in their order, each once', () => {
    const chunks = createChunks<number>()
    const messages = Array.from({length: 1500}, (_, index) => message(index))
    const first = messages.flatMap((each) => chunks.add(each) ?? [])
    expect([...first, ...chunks.rest()!]).toEqual(messages)
    expect(chunks.rest()).toBeUndefined()
  })

  it('begins anew after what was left was taken', () => {
    const chunks = createChunks<number>()
    chunks.add(message(0, 999_999))
    chunks.rest()
    expect(chunks.add(message(1, 999_999))).toBeUndefined()
  })
})
