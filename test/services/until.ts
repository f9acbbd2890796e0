import {setTimeout as sleep} from 'node:timers/promises'

const EVERY_MILLISECONDS = 50

/** Tries until it resolves; rejects as the last attempt did when the time is over. */
export async function until<T>(work: () => Promise<T>, milliseconds: number): Promise<T> {
  const deadline = Date.now() + milliseconds
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (Date.now() > deadline) throw error
      await sleep(EVERY_MILLISECONDS)
    }
  }
}
