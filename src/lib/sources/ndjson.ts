import type {Readable} from 'node:stream'
import type {Message, RawMessage, Source} from '../core/types.ts'
import {addAbortSignal} from 'node:stream'
import {IoError} from '../errors.ts'

export interface NdjsonSourceOptions {
  readonly input: Readable
  /** What the input is called in logs and dead letters: "stdin". */
  readonly name: string
}

const CHUNK_MESSAGES = 1000
const CHUNK_BYTES = 1_000_000
/** About what a message occupies besides its bytes. */
const MESSAGE_OVERHEAD_BYTES = 200
/** A line longer than this is no record but an input that is not NDJSON. */
const MAX_LINE_BYTES = 128_000_000
const NEWLINE = 0x0a

/** One message a line; its offset is the number of the line, from 0. Blank lines are none. There is nothing to acknowledge to. */
export function createNdjsonSource({input, name}: NdjsonSourceOptions): Source<RawMessage> {
  return {
    read,
    async ack() {},
    async complete() {},
    describe: ({offset}) => `${name}/0/${offset}`,
    async close() {},
  }

  async function* read(signal: AbortSignal): AsyncGenerator<readonly Message<RawMessage>[]> {
    let offset = 0n
    let chunk: Message<RawMessage>[] = []
    let bytes = 0
    for await (const line of linesOf(input, name, signal)) {
      if (line === undefined) {
        if (chunk.length > 0) yield chunk // nothing more at hand: do not keep it for a full chunk
        chunk = []
        bytes = 0
        continue
      }

      const position = {partition: name, offset: offset++}
      if (line.length === 0) continue
      const size = line.length + MESSAGE_OVERHEAD_BYTES
      if (chunk.length >= CHUNK_MESSAGES || (chunk.length > 0 && bytes + size > CHUNK_BYTES)) {
        yield chunk
        if (signal.aborted) return
        chunk = []
        bytes = 0
      }

      const value = {value: line, key: null, headers: undefined, timestamp: undefined}
      chunk.push({value, position, bytes: size})
      bytes += size
    }

    if (chunk.length > 0) yield chunk
  }
}

/** The lines of an input, blank ones too, with undefined after those that each of its pieces completed. */
async function* linesOf(input: Readable, name: string, signal: AbortSignal): AsyncGenerator<Buffer | undefined> {
  let unfinished: Buffer[] = []
  let unfinishedBytes = 0
  try {
    for await (const piece of addAbortSignal(signal, input) as AsyncIterable<Buffer>) {
      let start = 0
      for (let end = piece.indexOf(NEWLINE); end !== -1; end = piece.indexOf(NEWLINE, start)) {
        const line = trimmed(
          unfinished.length > 0 ? Buffer.concat([...unfinished, piece.subarray(start, end)]) : piece.subarray(start, end),
        )
        unfinished = []
        unfinishedBytes = 0
        start = end + 1
        yield line
      }

      if (start < piece.length) unfinished.push(piece.subarray(start))
      unfinishedBytes += piece.length - start
      if (unfinishedBytes > MAX_LINE_BYTES) throw new IoError(`${name}: a line is longer than ${MAX_LINE_BYTES / 1e6} MB`)
      yield undefined
    }
  } catch (cause) {
    if (signal.aborted) return
    if (cause instanceof IoError) throw cause
    throw new IoError(`reading ${name} failed: ${(cause as Error).message}`, {cause})
  }

  if (unfinished.length > 0) yield trimmed(Buffer.concat(unfinished))
}

function trimmed(line: Buffer): Buffer {
  let [start, end] = [0, line.length]
  while (end > start && line[end - 1]! <= 0x20) end--
  while (start < end && line[start]! <= 0x20) start++
  return line.subarray(start, end)
}
