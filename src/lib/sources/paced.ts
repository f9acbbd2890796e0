import type {Clock, Source} from '../core/types.ts'

/** The same source, one message at a time, with a pause after each. */
export function paced<T>(source: Source<T>, milliseconds: number, clock: Clock): Source<T> {
  if (milliseconds === 0) return source
  return {...source, read}

  async function* read(signal: AbortSignal) {
    let isFirst = true
    for await (const chunk of source.read(signal)) {
      if (chunk.length === 0) yield chunk
      for (const message of chunk) {
        if (!isFirst) await clock.sleep(milliseconds, signal).catch(() => {})
        if (signal.aborted) return
        isFirst = false
        yield [message]
      }
    }
  }
}
