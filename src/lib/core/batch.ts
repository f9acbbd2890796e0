import type {BatchLimits, Clock, Message} from './types.ts'

/**
 * Regroups chunks by count, bytes and age. The age limit fires also while the source is silent,
 * and an empty chunk sends what there is at once.
 * Reads one chunk ahead and no more, so a slow consumer slows the source.
 */
export async function* inBatches<T>(
  chunks: AsyncIterable<readonly Message<T>[]>,
  limits: BatchLimits,
  clock: Clock,
): AsyncGenerator<readonly Message<T>[], void, undefined> {
  const iterator = chunks[Symbol.asyncIterator]()
  let next = readAhead(iterator)
  let batch: Message<T>[] = []
  let bytes = 0
  let timer: Timer | undefined

  const take = () => {
    timer?.cancel()
    timer = undefined
    const full = batch
    batch = []
    bytes = 0
    return full
  }

  try {
    for (;;) {
      const arrival = await (timer ? Promise.race([next, timer.expired]) : next)
      if (arrival === 'expired') {
        yield take()
        continue
      }

      if (arrival.done) break
      next = readAhead(iterator)
      for (const message of arrival.value) {
        if (batch.length > 0 && bytes + message.bytes > limits.bytes) yield take()
        batch.push(message)
        bytes += message.bytes
        if (batch.length >= limits.count) yield take()
      }

      if (batch.length === 0) continue
      if (arrival.value.length === 0) yield take()
      else timer ??= startTimer(limits.milliseconds, clock)
    }

    if (batch.length > 0) yield take()
  } finally {
    timer?.cancel()
    await iterator.return?.()
  }
}

/** The read may fail while nobody awaits it (the consumer is writing): without this catch Node would end the process. */
function readAhead<T>(iterator: AsyncIterator<T>): Promise<IteratorResult<T>> {
  const next = iterator.next()
  next.catch(() => {})
  return next
}

interface Timer {
  readonly expired: Promise<'expired'>
  cancel(): void
}

function startTimer(milliseconds: number, clock: Clock): Timer {
  const controller = new AbortController()
  const never = () => new Promise<never>(() => {})
  return {
    expired: clock.sleep(milliseconds, controller.signal).then(() => 'expired' as const, never),
    cancel: () => controller.abort(),
  }
}
