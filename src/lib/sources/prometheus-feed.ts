/** What came first goes first, and what is live before all that fills gaps. */
export interface Feed<T> {
  /** Resolves when it was taken. */
  putLive(item: T): Promise<void>
  /** Resolves when there is room for the next one: one waits at a time. */
  putFill(item: T): Promise<void>
  takeLive(): T | undefined
  takeFill(): T | undefined
  /** Resolves when there is something to take, or no more will come. Rejects with what `end` was given. */
  arrival(): Promise<'more' | 'end'>
  end(failure?: unknown): void
}

export function createFeed<T>(): Feed<T> {
  const live: {readonly item: T; taken(): void}[] = []
  let fill: {readonly item: T} | undefined
  let room = signal()
  let change = signal()
  let ending: {readonly failure: unknown} | undefined

  return {
    putLive: (item) =>
      new Promise((taken) => {
        live.push({item, taken})
        change.resolve(undefined)
      }),
    async putFill(item) {
      while (fill) await room.promise
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
      ending ??= {failure}
      change.resolve(undefined)
    },
  }
}

const signal = () => Promise.withResolvers<undefined>()
