import type {Clock} from './types.ts'

/** Rejects with what `late` makes when the work takes longer. What was begun may still come to its end, but nobody waits for it. */
export async function within<T>(milliseconds: number, work: () => Promise<T>, clock: Clock, late: () => Error): Promise<T> {
  const working = work() // before the timer: one that throws instead of rejecting leaves none behind
  const over = new AbortController()
  const tooLate = clock.sleep(milliseconds, over.signal).then(() => {
    throw late()
  })
  try {
    return await Promise.race([working, tooLate])
  } finally {
    over.abort()
  }
}
