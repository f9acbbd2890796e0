import type {Readable} from 'node:stream'
import type {Message, RawMessage, Source} from '../core/types.ts'
import {addAbortSignal} from 'node:stream'
import {IoError} from '../errors.ts'
import {createChunks, MESSAGE_OVERHEAD_BYTES} from './chunks.ts'

export interface NdjsonSourceOptions {
  readonly input: Readable
  /** What the input is called in logs and dead letters: "stdin". */
  readonly name: string
}

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
    const chunks = createChunks<RawMessage>()
    try {
      for await (const line of linesOf(input, name, signal)) {
        if (line === undefined) {
          const chunk = chunks.rest() // nothing more at hand: do not keep it for a full chunk
          if (chunk) yield chunk
          continue
        }

        const position = {partition: name, offset: offset++}
        if (line.length === 0) continue
        const value = {value: line, key: null, headers: undefined, timestamp: undefined}
        const full = chunks.add({value, position, bytes: line.length + MESSAGE_OVERHEAD_BYTES})
        if (!full) continue
        yield full
        if (signal.aborted) return
      }
    } catch (error) {
      const before = chunks.rest()
      if (before) yield before
      yield [] // what came before is sent before the failure ends the run: it cannot be read again
      throw error
    }

    const rest = chunks.rest()
    if (rest) yield rest
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
