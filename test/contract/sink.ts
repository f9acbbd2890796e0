import {describe, expect, it, onTestFinished} from 'vitest'
import type {Sink} from '../../src/lib/core/types.ts'
import {UcsError} from '../../src/lib/errors.ts'

/** What a sink has to be given to be held to the contract of `Sink` in core/types.ts. */
export interface SinkHarness<R> {
  /** A sink whose target is new and empty, and checked. */
  open(): Promise<Target<R>>
  /** A row that can be told from any other number's. */
  row(number: number): R
  /** A sink whose server takes what it is given, and is silent. */
  openSilent(): Promise<Sink<R>>
  /** Sinks that can never succeed, by what is wrong with them, and the class of error that says so. */
  readonly faults: Readonly<Record<string, Fault<R>>>
  readonly promises: Promises
}

export interface Target<R> {
  readonly sink: Sink<R>
  /** Numbers of the rows that are stored, as anybody finds them who asks at this moment. In the order of storage, if one is promised. */
  stored(): Promise<readonly number[]>
}

export interface Fault<R> {
  open(): Promise<Sink<R>>
  readonly error: abstract new (...args: never[]) => UcsError
  readonly foundBy: readonly ('check' | 'send')[]
}

export interface Promises {
  readonly prints: boolean
  readonly keepsOrder: boolean
  /** That what is sent again is stored once: by its token or, whatever the token, by what it is. */
  readonly storesOnce: 'by token' | 'by row' | false
}

const never = new AbortController().signal
const MANY = 10_000

/** Holds a sink to what the pipeline relies on. */
export function describeSink<R>(name: string, {open, row, openSilent, faults, promises}: SinkHarness<R>): void {
  describe(name, () => {
    it('has stored every row when send resolves', async () => {
      const {sink, stored} = await opened()
      await sink.send(rows(0, MANY), {token: 't/0/0-9999', signal: never})
      expect(sorted(await stored())).toEqual(numbers(0, MANY))
    })

    it('has stored each of several batches that are under way at once', async () => {
      const {sink, stored} = await opened()
      const sendTen = async (first: number) => sink.send(rows(first, 10), {token: `t/0/${first}-${first + 9}`, signal: never})
      await Promise.all(Array.from({length: sink.maxInFlight}, (_, index) => sendTen(index * 10)))
      expect(sorted(await stored())).toEqual(numbers(0, sink.maxInFlight * 10))
    })

    it('takes an empty batch, and stores nothing', async () => {
      const {sink, stored} = await opened()
      await expect(sink.send([], {token: 't/0/0-0', signal: never})).resolves.toBeUndefined()
      expect(await stored()).toEqual([])
    })

    if (promises.keepsOrder)
      it('keeps the order of the rows, and of the batches', async () => {
        const {sink, stored} = await opened()
        await sink.send(rows(50, 50), {token: 't/0/50-99', signal: never})
        await sink.send(rows(0, 50), {token: 't/0/0-49', signal: never})
        expect(await stored()).toEqual([...numbers(50, 50), ...numbers(0, 50)])
      })

    if (promises.storesOnce)
      it('stores once what comes again under the same token', async () => {
        const {sink, stored} = await opened()
        for (let sent = 0; sent < 3; sent++) await sink.send(rows(0, 10), {token: 't/0/0-9', signal: never})
        expect(sorted(await stored())).toEqual(numbers(0, 10))
      })

    if (promises.storesOnce)
      it('stores once what comes again at the same time', async () => {
        const {sink, stored} = await opened()
        await Promise.all([1, 2].map(() => sink.send(rows(0, 10), {token: 't/0/0-9', signal: never})))
        expect(sorted(await stored())).toEqual(numbers(0, 10))
      })

    it('stores what comes under another token, though it is much the same', async () => {
      const {sink, stored} = await opened()
      await sink.send(rows(0, 10), {token: 't/0/0-9', signal: never})
      await sink.send(rows(1, 10), {token: 't/0/0-9#1-9', signal: never})
      const expected = promises.storesOnce === 'by row' ? numbers(0, 11) : [...numbers(0, 10), ...numbers(1, 10)]
      expect(sorted(await stored())).toEqual(sorted(expected))
    })

    it('rejects with the reason of a signal that has fired, and stores nothing', async () => {
      const {sink, stored} = await opened()
      const reason = new Error('enough')
      await expect(sink.send(rows(0, 10), {token: 't/0/0-9', signal: AbortSignal.abort(reason)})).rejects.toBe(reason)
      expect(await stored()).toEqual([])
    })

    it('rejects with the reason of a signal that fires while the server is silent, and can be closed', async () => {
      const sink = await openSilent()
      const [abort, reason] = [new AbortController(), new Error('enough')]
      const sending = sink.send(rows(0, 10), {token: 't/0/0-9', signal: abort.signal})
      setImmediate(() => abort.abort(reason))
      await expect(sending).rejects.toBe(reason)
      await sink.close()
    })

    it('goes on after a batch that was aborted', async () => {
      const {sink, stored} = await opened()
      const abort = new AbortController()
      const sending = sink.send(rows(0, 10), {token: 't/0/0-9', signal: abort.signal})
      abort.abort()
      await sending.catch(() => {})
      await sink.send(rows(10, 10), {token: 't/0/10-19', signal: never})
      expect(await stored()).toEqual(expect.arrayContaining(numbers(10, 10)))
    })

    it('stores nothing when it is checked', async () => {
      const {sink, stored} = await opened()
      await expect(sink.check(never)).resolves.toBeUndefined()
      expect(await stored()).toEqual([])
    })

    it('closes before anything was sent, and once more', async () => {
      const {sink} = await opened()
      await sink.close()
      await expect(sink.close()).resolves.toBeUndefined()
    })

    it('closes after something was sent, and once more', async () => {
      const {sink, stored} = await opened()
      await sink.send(rows(0, 1), {token: 't/0/0-0', signal: never})
      await sink.close()
      await expect(sink.close()).resolves.toBeUndefined()
      expect(await stored()).toEqual([0])
    })

    it('says whether it stores or shows, and how many batches it takes at once', async () => {
      const {sink} = await opened()
      expect(sink.prints ?? false).toBe(promises.prints)
      expect(sink.maxInFlight).toBeGreaterThanOrEqual(1)
    })

    it('has one key for what would overwrite each other, and another for anything else', async () => {
      const {sink} = await opened()
      if (!sink.key) return
      expect(sink.key(row(1))).toBe(sink.key(row(1)))
      expect(new Set(rows(0, MANY).map((each) => sink.key!(each))).size).toBe(MANY)
    })

    const discoveries = Object.entries(faults).flatMap(([what, fault]) => fault.foundBy.map((by) => ({what, by, fault})))
    it.each(discoveries)('meets $what: $by says so in our classes', async ({by, fault}) => {
      const sink = await fault.open()
      onTestFinished(() => sink.close())
      const attempt = by === 'check' ? sink.check(never) : sink.send(rows(0, 10), {token: 't/0/0-9', signal: never})
      const error = await attempt.catch((cause: unknown) => cause)
      expect(error).toBeInstanceOf(fault.error)
      expect(error).toBeInstanceOf(UcsError)
    })
  })

  const rows = (first: number, count: number) => numbers(first, count).map(row)

  async function opened(): Promise<Target<R>> {
    const target = await open()
    onTestFinished(() => target.sink.close())
    return target
  }
}

const numbers = (first: number, count: number) => Array.from({length: count}, (_, index) => first + index)
const sorted = (found: readonly number[]) => [...found].sort((a, b) => a - b)
