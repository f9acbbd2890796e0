import type {Clock} from '../../src/lib/core/types.ts'

/** A clock that jumps to the next timer when nothing else is left to do. */
export function virtualClock(startAt = 0): Clock {
  const timers: {at: number; wake(): void}[] = []
  let now = startAt
  const tick = () => {
    timers.sort((a, b) => a.at - b.at)
    const timer = timers.shift()
    if (!timer) return
    now = timer.at
    timer.wake()
    setImmediate(tick)
  }

  return {
    now: () => now,
    sleep: (milliseconds, signal) =>
      new Promise((resolve, reject) => {
        const timer = {at: now + milliseconds, wake: resolve}
        const cancel = () => {
          if (timers.includes(timer)) timers.splice(timers.indexOf(timer), 1)
          reject(signal.reason)
        }

        if (signal.aborted) return cancel()
        signal.addEventListener('abort', cancel, {once: true})
        timers.push(timer)
        if (timers.length === 1) setImmediate(tick)
      }),
  }
}
