import {orAborted} from './or-aborted.ts'

export type Limit = <T>(work: () => Promise<T>, signal: AbortSignal) => Promise<T>

/** First come, first served. */
export function createLimit(places: number): Limit {
  let free = places
  const waiting: (() => void)[] = []

  return async (work, signal) => {
    if (free > 0) free--
    else await new Promise<void>((resolve) => waiting.push(resolve)) // whoever is done hands its place on
    try {
      signal.throwIfAborted()
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else free++
    }
  }
}

/** A place that is held until it is given back, for work that is no single call. Rejects when the signal fires before there is one. */
export async function takePlace(limit: Limit, signal: AbortSignal): Promise<() => void> {
  const [taken, over] = [Promise.withResolvers<true>(), Promise.withResolvers<true>()]
  const leave = () => over.resolve(true)
  const holding = async () => {
    taken.resolve(true)
    await over.promise
  }
  limit(holding, signal).catch(taken.reject)
  taken.promise.catch(() => {}) // after an abort nobody waits for it
  try {
    await orAborted(() => taken.promise, signal)
  } catch (error) {
    leave() // the place may still come
    throw error
  }

  return leave
}
