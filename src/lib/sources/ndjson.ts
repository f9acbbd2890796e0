import type {Readable} from 'node:stream'
import type {Message, RawMessage, Source} from '../core/types.ts'
import {addAbortSignal} from 'node:stream'
import {IoError} from '../errors.ts'
import {byteLines} from './byte-lines.ts'
import {createChunks, MESSAGE_OVERHEAD_BYTES} from './chunks.ts'

export interface NdjsonSourceOptions {
  readonly input: Readable
  /** What the input is called in logs and dead letters: "stdin". */
  readonly name: string
}

/** A line longer than this is no record but an input that is not NDJSON. */
const MAX_LINE_BYTES = 128_000_000

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
      for await (const line of byteLines(addAbortSignal(signal, input) as AsyncIterable<Buffer>, refuseLonger)) {
        if (line === undefined) {
          const chunk = chunks.rest() // nothing more at hand: do not keep it for a full chunk
          if (chunk) yield chunk
          continue
        }

        const position = {partition: name, offset: offset++}
        const content = trimmed(line)
        if (content.length === 0) continue
        const value = {value: content, key: null, headers: undefined, timestamp: undefined}
        const full = chunks.add({value, position, bytes: content.length + MESSAGE_OVERHEAD_BYTES})
        if (!full) continue
        yield full
        if (signal.aborted) return
      }
    } catch (cause) {
      if (!signal.aborted) {
        const before = chunks.rest()
        if (before) yield before
        yield [] // what came before is sent before the failure ends the run: it cannot be read again
        throw cause instanceof IoError ? cause : new IoError(`reading ${name} failed: ${(cause as Error).message}`, {cause})
      }
    }

    const rest = chunks.rest()
    if (rest) yield rest
  }

  function refuseLonger(bytes: number): void {
    if (bytes > MAX_LINE_BYTES) throw new IoError(`${name}: a line is longer than ${MAX_LINE_BYTES / 1e6} MB`)
  }
}

function trimmed(line: Buffer): Buffer {
  let [start, end] = [0, line.length]
  while (end > start && line[end - 1]! <= 0x20) end--
  while (start < end && line[start]! <= 0x20) start++
  return line.subarray(start, end)
}
