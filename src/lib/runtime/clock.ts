import type {Clock} from '../core/types.ts'

/** Node's timers fire at once when asked to wait longer than this, about 24.8 days. */
const LONGEST_TIMER_MILLISECONDS = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(milliseconds, signal) {
    for (let left = milliseconds; left > 0; left -= LONGEST_TIMER_MILLISECONDS) {
      await sleepOnce(Math.min(left, LONGEST_TIMER_MILLISECONDS), signal)
    }

    signal.throwIfAborted()
  },
}

function sleepOnce(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error)
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', cancel)
      resolve()
    }, milliseconds)
    const cancel = () => {
      clearTimeout(timer)
      reject(signal.reason as Error)
    }

    signal.addEventListener('abort', cancel, {once: true})
  })
}
