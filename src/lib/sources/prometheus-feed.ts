/** What came first goes first, and what is live before all that fills gaps. */
export interface Feed<T> {
  /** Resolves when it was taken, or nothing will be taken any more. */
  putLive(item: T): Promise<void>
  /** Resolves when it was let in: one waits at a time. Or when nothing will be taken any more. */
  putFill(item: T): Promise<void>
  takeLive(): T | undefined
  takeFill(): T | undefined
  /** Resolves when there is something to take, or no more will come. Rejects with what `end` was given. */
  arrival(): Promise<'more' | 'end'>
  /** What is put from now on is dropped; after a failure what was put before as well. */
  end(failure?: unknown): void
}

export function createFeed<T>(): Feed<T> {
  let live: {readonly item: T; taken(): void}[] = []
  let fill: {readonly item: T} | undefined
  let room = signal()
  let change = signal()
  let ending: {readonly failure: unknown} | undefined

  return {
    putLive: (item) =>
      new Promise((taken) => {
        if (ending) return taken()
        live.push({item, taken})
        change.resolve(undefined)
      }),
    async putFill(item) {
      while (fill && !ending) await room.promise
      if (ending) return
      fill = {item}
      room = signal()
      change.resolve(undefined)
    },
    takeLive() {
      const first = live.shift()
      first?.taken()
      return first?.item
    },
    takeFill() {
      const item = fill?.item
      fill = undefined
      room.resolve(undefined)
      return item
    },
    async arrival() {
      for (;;) {
        if (ending?.failure !== undefined) throw ending.failure
        if (live.length > 0 || fill) return 'more'
        if (ending) return 'end'
        await change.promise
        change = signal()
      }
    },
    end(failure) {
      if (ending) return
      ending = {failure}
      for (const {taken} of live) taken()
      if (failure !== undefined) [live, fill] = [[], undefined]
      room.resolve(undefined)
      change.resolve(undefined)
    },
  }
}

const signal = () => Promise.withResolvers<undefined>()
