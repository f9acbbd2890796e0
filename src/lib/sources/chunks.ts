import type {Message} from '../core/types.ts'

/** As `Source.read` promises. */
export const CHUNK_MESSAGES = 1000
export const CHUNK_BYTES = 1_000_000
/** About what a message occupies besides its bytes. */
export const MESSAGE_OVERHEAD_BYTES = 200

export interface Chunks<T> {
  /** The chunk that has no room for this message, which begins the next one. */
  add(message: Message<T>): readonly Message<T>[] | undefined
  /** What was added since; undefined where that is nothing. */
  rest(): readonly Message<T>[] | undefined
}

/** Puts messages together to what a source yields at once. */
export function createChunks<T>(): Chunks<T> {
  let chunk: Message<T>[] = []
  let bytes = 0

  return {
    add(message) {
      const isFull = chunk.length >= CHUNK_MESSAGES || bytes + message.bytes > CHUNK_BYTES
      const full = isFull ? take() : undefined
      chunk.push(message)
      bytes += message.bytes
      return full
    },
    rest: take,
  }

  function take(): readonly Message<T>[] | undefined {
    const taken = chunk
    chunk = []
    bytes = 0
    return taken.length > 0 ? taken : undefined
  }
}
