import {PassThrough, Readable} from 'node:stream'
import {describe, expect, it} from 'vitest'
import type {RawMessage, Sink} from '../../src/lib/core/types.ts'
import {runPipeline} from '../../src/lib/core/pipeline.ts'
import {IoError} from '../../src/lib/errors.ts'
import {createNdjsonSource} from '../../src/lib/sources/ndjson.ts'
import {acknowledged, chunksOf, messagesOf} from '../contract/source.ts'
import {silentLogger} from '../fakes/logger.ts'
import {policy} from '../fakes/pipeline.ts'
import {virtualClock} from '../fakes/virtual-clock.ts'
import {collectGarbage} from './garbage.ts'

const sourceOf = (input: Readable) => createNdjsonSource({input, name: 'stdin'})
const inPieces = (pieces: Iterable<Buffer> | AsyncIterable<Buffer>) => Readable.from(pieces, {highWaterMark: 1})

/** "offset:line" of each message. */
async function linesOf(input: Readable): Promise<readonly string[]> {
  return (await messagesOf(sourceOf(input))).map(({value, position}) => `${position.offset}:${String(value.value)}`)
}

describe('lines', () => {
  it.each([
    {what: 'plain ones', text: '{}\n[1]\n', lines: ['0:{}', '1:[1]']},
    {what: 'without a final line break', text: '{}\n[1]', lines: ['0:{}', '1:[1]']},
    {what: 'that end in CRLF', text: '{}\r\n[1]\r\n', lines: ['0:{}', '1:[1]']},
    {what: 'with a final CR', text: '{}\r\n[1]\r', lines: ['0:{}', '1:[1]']},
    {what: 'with white space around them', text: ' {} \t\n\t[1]\n', lines: ['0:{}', '1:[1]']},
    {what: 'numbered with the blank ones', text: '\n{}\n\n \r\n[1]\n\n', lines: ['1:{}', '4:[1]']},
    {what: 'none', text: '', lines: []},
    {what: 'only blank ones', text: '\n\r\n  ', lines: []},
    {what: 'beyond ASCII', text: '{"µ":"温度 🌡"}\n', lines: ['0:{"µ":"温度 🌡"}']},
    {what: 'that are no JSON, as they stand', text: 'x "\n{\n', lines: ['0:x "', '1:{']},
  ])('$what', async ({text, lines}) => {
    expect(await linesOf(inPieces([Buffer.from(text)]))).toEqual(lines)
  })

  it('have neither key, headers nor timestamp', async () => {
    const [message] = await messagesOf(sourceOf(inPieces([Buffer.from('{}\n')])))
    expect(message).toMatchObject({value: {key: null, headers: undefined, timestamp: undefined}, position: {partition: 'stdin'}})
  })

  it('cut anywhere are the same', async () => {
    const bytes = Buffer.from('{"a":"µ"}\r\n\n  [1,2]\n{}\r\n"x"')
    const expected = ['0:{"a":"µ"}', '2:[1,2]', '3:{}', '4:"x"']
    for (let cut = 0; cut <= bytes.length; cut++) {
      expect(await linesOf(inPieces([bytes.subarray(0, cut), bytes.subarray(cut)])), `cut at ${cut}`).toEqual(expected)
    }

    expect(await linesOf(inPieces(Array.from(bytes, (byte) => Buffer.from([byte]))))).toEqual(expected)
  })

  it('of 20 MB, in the pieces of a pipe', async () => {
    const long = Buffer.alloc(20_000_000, 'x')
    const whole = Buffer.concat([Buffer.from('{}\n'), long, Buffer.from('\n[1]\n'), long])
    const pieces = Array.from({length: Math.ceil(whole.length / 65_536)}, (_, index) =>
      whole.subarray(index * 65_536, (index + 1) * 65_536),
    )
    const chunks = await chunksOf(sourceOf(inPieces(pieces)))
    expect(chunks.map((chunk) => chunk.map(({value}) => value.value!.length))).toEqual([[2], [20_000_000], [3], [20_000_000]])
    expect(chunks[1]![0]!.value.value!.equals(long)).toBe(true)
  })

  it('in one piece of many megabytes are still yielded 1,000 or 1 MB at a time', async () => {
    const long = 'x'.repeat(300_000)
    const text = [...Array.from({length: 2500}, (_, index) => index), ...Array.from({length: 5}, () => long), ''].join('\n')
    const chunks = await chunksOf(sourceOf(inPieces([Buffer.from(text)])))
    expect(chunks.map((chunk) => chunk.length)).toEqual([1000, 1000, 502, 3])
  })

  it('of more than 128 MB are no records: the input is refused, with its name', async () => {
    async function* pieces() {
      for (const piece = Buffer.alloc(8_000_000, 'x'); ;) yield piece
    }

    await expect(messagesOf(sourceOf(inPieces(pieces())))).rejects.toThrow(new IoError('stdin: a line is longer than 128 MB'))
  })
})

describe('a stream', () => {
  it('that pauses has each line taken as soon as it is complete', async () => {
    const input = new PassThrough()
    const chunks = sourceOf(input).read(new AbortController().signal)[Symbol.asyncIterator]()
    const next = async () => ((await chunks.next()).value as {value: {value: Buffer}}[]).map(({value}) => String(value.value))
    input.write('{}\n{"a":1}\n{"b"')
    expect(await next()).toEqual(['{}', '{"a":1}'])
    input.write(':2}\n')
    expect(await next()).toEqual(['{"b":2}'])
  })

  it.each([
    {how: 'with an error', destroy: (input: PassThrough) => input.destroy(new Error('EIO')), says: 'reading stdin failed: EIO'},
    {how: 'without a word', destroy: (input: PassThrough) => input.destroy(), says: 'reading stdin failed: Premature close'},
  ])('that is destroyed $how is an IoError after the lines before it, without the one that was cut', async ({destroy, says}) => {
    const input = new PassThrough()
    const lines: string[] = []
    input.write('{}\n[1]\n{"a":')
    const reading = async () => {
      for await (const chunk of acknowledged(sourceOf(input))) {
        lines.push(...chunk.map(({value}) => String(value.value)))
        destroy(input)
      }
    }

    await expect(reading()).rejects.toThrow(new IoError(says))
    expect(lines).toEqual(['{}', '[1]'])
  })

  it('has what came before its failure stored: nothing of it can be read again', async () => {
    async function* pieces() {
      yield Buffer.from('1\n2\n')
      throw new Error('EIO')
    }

    const stored: string[] = []
    const sink: Sink<string> = {
      maxInFlight: 1,
      async check() {},
      async send(rows) {
        stored.push(...rows)
      },
      async close() {},
    }
    const transform = ({value}: RawMessage) => ({rows: [String(value)]})
    const batch = {count: 1000, bytes: 1e6, milliseconds: 1e6}
    const pipeline = {
      source: sourceOf(inPieces(pieces())),
      transform,
      sink,
      batch,
      retry: policy,
      deadLetter: {async put() {}, async close() {}},
    }
    const never = new AbortController().signal
    const runtime = {stop: never, abort: never, clock: virtualClock(), random: () => 0.5, log: silentLogger}
    await expect(runPipeline(pipeline, runtime)).rejects.toThrow('reading stdin failed: EIO')
    expect(stored).toEqual(['1', '2'])
  })

  it('that is stopped gives the lines before it, without the one that was not complete', async () => {
    const [input, stop] = [new PassThrough(), new AbortController()]
    input.write('{}\n[1]\n{"a":')
    const lines: string[] = []
    for await (const chunk of acknowledged(sourceOf(input), stop.signal)) {
      lines.push(...chunk.map(({value}) => String(value.value)))
      stop.abort()
    }

    expect(lines).toEqual(['{}', '[1]'])
    expect(input.destroyed).toBe(true)
  })

  it('of any length is not held: neither ahead of the reader, nor after it', async () => {
    const piece = Buffer.from('{"ts":1,"value":2}\n'.repeat(3400))
    let [pulled, read, mostAhead, mostHeld] = [0, 0, 0, 0]
    async function* pieces() {
      for (let index = 0; index < 100; index++) {
        pulled += piece.length
        yield Buffer.from(piece)
      }
    }

    const taken: WeakRef<object>[] = []
    for await (const chunk of acknowledged(sourceOf(inPieces(pieces())))) {
      mostAhead = Math.max(mostAhead, pulled - read)
      for (const {value} of chunk) read += value.value!.length + 1
      taken.push(new WeakRef(chunk))
      if (taken.length % 50 !== 0) continue
      await collectGarbage()
      mostHeld = Math.max(mostHeld, taken.filter((reference) => reference.deref() !== undefined).length)
    }

    expect(read).toBe(100 * piece.length)
    expect(mostAhead).toBeLessThan(4 * piece.length)
    expect(mostHeld).toBeLessThan(5)
  })
})
