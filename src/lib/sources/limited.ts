import type {Clock, Source} from '../core/types.ts'

export interface Limits {
  /** Stop after this many messages, in the middle of a chunk if need be. */
  readonly maxMessages: number | undefined
  /** Stop reading after this long. */
  readonly maxMilliseconds: number | undefined
}

/** The same source, ending when a limit is reached. What it has read beyond the limit is released unread. */
export function limited<T>(source: Source<T>, {maxMessages, maxMilliseconds}: Limits, clock: Clock): Source<T> {
  if (maxMessages === undefined && maxMilliseconds === undefined) return source
  return {...source, read}

  async function* read(signal: AbortSignal) {
    const [timeIsUp, over] = [new AbortController(), new AbortController()]
    if (maxMilliseconds !== undefined) {
      clock.sleep(maxMilliseconds, over.signal).then(
        () => timeIsUp.abort(),
        () => {},
      )
    }

    let remaining = maxMessages ?? Infinity
    try {
      for await (const chunk of source.read(AbortSignal.any([signal, timeIsUp.signal]))) {
        const isWhole = chunk.length <= remaining
        if (!isWhole) source.release?.(chunk.slice(remaining))
        yield isWhole ? chunk : chunk.slice(0, remaining)
        remaining -= chunk.length
        if (remaining <= 0) return
      }
    } finally {
      over.abort()
    }
  }
}
