import {describe, expect, it, onTestFinished} from 'vitest'
import type {Message, Source} from '../../src/lib/core/types.ts'
import {UcsError} from '../../src/lib/errors.ts'

/** What a source has to be given to be held to the contract of `Source` in core/types.ts. */
export interface SourceHarness<T> {
  /** A source of messages with these texts, which ends after them. */
  open(texts: readonly string[]): Promise<Source<T>>
  textOf(value: T): string
  /** One that waits for a message, and has none. A file never does. */
  openQuiet?(): Promise<Source<T>>
  /** One whose read fails. */
  openFailing(): Promise<Source<T>>
}

const MAX_MESSAGES = 1000
const MAX_BYTES = 1_000_000
const never = new AbortController().signal

/** All that a source yields, its chunks one after the other. */
export async function messagesOf<T>(source: Source<T>, signal = never): Promise<readonly Message<T>[]> {
  return (await chunksOf(source, signal)).flat()
}

export async function chunksOf<T>(source: Source<T>, signal = never): Promise<readonly (readonly Message<T>[])[]> {
  const chunks: (readonly Message<T>[])[] = []
  for await (const chunk of acknowledged(source, signal)) chunks.push(chunk)
  return chunks
}

/** Acknowledges each chunk before it takes the next one, as a pipeline does that has one batch in flight. */
export async function* acknowledged<T>(source: Source<T>, signal = never): AsyncGenerator<readonly Message<T>[]> {
  for await (const chunk of source.read(signal)) {
    yield chunk
    if (chunk.length > 0) await source.ack(chunk)
  }
}

/** Holds a source to what the pipeline relies on. */
export function describeSource<T>(name: string, harness: SourceHarness<T>): void {
  const {openQuiet, openFailing, textOf} = harness

  describe(name, () => {
    it('yields each message once, and ends', async () => {
      const source = await opened(numbered(2500))
      const texts = (await messagesOf(source)).map(({value}) => textOf(value))
      expect(texts.sort()).toEqual([...numbered(2500)].sort())
    })

    it('yields at most 1,000 messages at a time', async () => {
      const source = await opened(numbered(2500))
      const lengths = (await chunksOf(source)).map((chunk) => chunk.length)
      expect(Math.max(...lengths)).toBeLessThanOrEqual(MAX_MESSAGES)
      expect(sum(lengths)).toBe(2500)
    })

    it('yields at most 1 MB at a time, but for a message that is heavier alone', async () => {
      const source = await opened([...numbered(20, 150_000), ...numbered(1, 1_500_000), ...numbered(5)])
      const chunks = (await chunksOf(source)).filter((chunk) => chunk.length > 1)
      for (const chunk of chunks) expect(sum(chunk.map(({bytes}) => bytes))).toBeLessThanOrEqual(MAX_BYTES)
    })

    it('says of each message at least how long it is', async () => {
      const source = await opened(numbered(3, 10_000))
      for (const {value, bytes} of await messagesOf(source)) expect(bytes).toBeGreaterThanOrEqual(textOf(value).length)
    })

    it('numbers ascend within a partition', async () => {
      const latest = new Map<string, bigint>()
      for (const {position} of await messagesOf(await opened(numbered(2500)))) {
        expect(position.offset).toBeGreaterThan(latest.get(position.partition) ?? -1n)
        latest.set(position.partition, position.offset)
      }
    })

    it('names each position by what it is, the same each time, and no two alike', async () => {
      const source = await opened(numbered(2500))
      const positions = (await messagesOf(source)).map(({position}) => position)
      const names = positions.map((position) => source.describe(position))
      expect(positions.map(({partition, offset}) => source.describe({partition, offset}))).toEqual(names)
      expect(new Set(names).size).toBe(2500)
      for (const [index, {offset}] of positions.entries()) expect(names[index]).toMatch(new RegExp(`^[^@]+/\\d+/${offset}$`))
    })

    it('ends soon after the signal fires, with messages left', async () => {
      const [source, stop] = [await opened(numbered(20_000)), new AbortController()]
      let messages = 0
      for await (const chunk of acknowledged(source, stop.signal)) {
        messages += chunk.length
        stop.abort()
      }

      expect(messages).toBeLessThanOrEqual(2 * MAX_MESSAGES)
    })

    it('ends at once when the signal has fired before', async () => {
      expect(await messagesOf(await opened(numbered(10)), AbortSignal.abort())).toEqual([])
    })

    if (openQuiet)
      it('ends when the signal fires while nothing comes', async () => {
        const [source, stop] = [await openQuiet(), new AbortController()]
        onTestFinished(() => source.close())
        const reading = messagesOf(source, stop.signal)
        setImmediate(() => stop.abort())
        expect(await reading).toEqual([])
      })

    it('ends on an empty input, and can be completed', async () => {
      const source = await opened([])
      expect(await messagesOf(source)).toEqual([])
      await expect(source.complete()).resolves.toBeUndefined()
    })

    it('can be completed when all is acknowledged', async () => {
      const source = await opened(numbered(2500))
      await messagesOf(source)
      await expect(source.complete()).resolves.toBeUndefined()
    })

    it('rejects in our classes when it cannot be read, and can be closed after that', async () => {
      const source = await openFailing()
      const error = await messagesOf(source).catch((cause: unknown) => cause)
      expect(error).toBeInstanceOf(UcsError)
      expect(error).toMatchObject({code: expect.not.stringMatching('BUG') as string})
      await source.close()
    })

    it('can be closed before it is read, and twice', async () => {
      const source = await opened(numbered(1))
      await source.close()
      await expect(source.close()).resolves.toBeUndefined()
    })

    it('can be closed in the middle of a read', async () => {
      const source = await opened(numbered(2500))
      for await (const _ of source.read(never)) break
      await expect(source.close()).resolves.toBeUndefined()
    })
  })

  async function opened(texts: readonly string[]): Promise<Source<T>> {
    const source = await harness.open(texts)
    onTestFinished(() => source.close())
    return source
  }
}

/** Texts of so many characters that can be told from each other. */
const numbered = (count: number, characters = 0) => Array.from({length: count}, (_, index) => `${index}`.padEnd(characters, 'x'))

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)
