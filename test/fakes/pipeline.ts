import type {Letter, Message, Pipeline, Runtime, SendContext, Sink, Source} from '../../src/lib/core/types.ts'
import {createLedger} from '../../src/lib/core/ledger.ts'
import {runPipeline} from '../../src/lib/core/pipeline.ts'
import {silentLogger} from './logger.ts'
import {virtualClock} from './virtual-clock.ts'

export type Sleep = (milliseconds: number, signal?: AbortSignal) => Promise<void>

export interface FakeOptions {
  chunks?: readonly (readonly Message<number>[])[]
  read?(signal: AbortSignal, sleep: Sleep): AsyncGenerator<readonly Message<number>[]>
  transform?: Pipeline<number, number>['transform']
  send?(rows: readonly number[], context: SendContext & {sleep: Sleep}): Promise<void>
  put?(letters: readonly Letter[], sleep: Sleep): Promise<void>
  key?(row: number): number
  ack?(messages: readonly Message<unknown>[]): Promise<void>
  sink?: Partial<Sink<number>>
  observer?: Pipeline<number, number>['observer']
  random?: () => number
  acked?: Message<unknown>[]
  count?: number
  bytes?: number
  maxInFlight?: number
  forMilliseconds?: number
  pauseMilliseconds?: number
}

const never = new AbortController().signal

/** A source, a sink and dead letters that remember what happened to them, on a clock that jumps. */
export function fakePipeline(options: FakeOptions) {
  const {chunks = [], read, transform = (value) => ({rows: [value]}), send, put, key, random = () => 0.5, acked = []} = options
  const {count = 2, bytes = 8e6, maxInFlight = 2, forMilliseconds = Infinity, pauseMilliseconds} = options
  const events: string[] = []
  const letters: Letter[] = []
  const rows = new Set<number>() // ever stored
  const stored = new Map<number, number>() // last value by key
  const [stopping, aborting, clock, ledger] = [new AbortController(), new AbortController(), virtualClock(), createLedger()]
  const sleep: Sleep = (milliseconds, signal = never) => clock.sleep(milliseconds, signal)
  const revocations = new Map<string, AbortController>()
  const revocation = (partition: string) => {
    const controller = revocations.get(partition) ?? new AbortController()
    revocations.set(partition, controller)
    return controller
  }

  const note = (event: string, messages: readonly Message<unknown>[]) =>
    void events.push(`${event} ${messages.map(({value}) => value).join(',')}`)
  const source: Source<number> = {
    read: (signal) => (read ? read(signal, sleep) : each(chunks)),
    async ack(settled) {
      await options.ack?.(settled)
      acked.push(...settled)
      note('acked', settled)
    },
    async complete() {
      events.push('complete')
    },
    revoked: (partition) => revocation(partition).signal,
    release: (unsent) => note('released', unsent),
    describe: ({partition, offset}) => `${partition.replace(/@.*/, '')}/${offset}`,
    async close() {},
  }
  const sink: Sink<number> = {
    maxInFlight,
    async check() {},
    async close() {},
    async send(batch, context) {
      events.push(`sent ${batch.join(',')}`)
      await send?.(batch, {...context, sleep})
      for (const row of batch) {
        stored.set(key ? key(row) : row, row)
        rows.add(row)
      }

      events.push(`stored ${batch.join(',')}`)
    },
    ...(key ? {key} : {}),
    ...options.sink,
  }
  const deadLetter: Pipeline<number, number>['deadLetter'] = {
    async put(batch) {
      await put?.(batch, sleep)
      letters.push(...batch)
      note(
        'dead',
        batch.map((letter) => letter.message),
      )
    },
    async close() {},
  }
  const runtime: Runtime = {stop: stopping.signal, abort: aborting.signal, clock, random, log: silentLogger}
  const retry = {...policy, forMilliseconds, ...(pauseMilliseconds === undefined ? {} : {pauseMilliseconds})}
  const batch = {count, bytes, milliseconds: 1000}
  const pipeline = {source, transform, sink, deadLetter, batch, retry, ...(options.observer ? {observer: options.observer} : {})}
  return {
    events,
    letters,
    rows,
    stored,
    ledger,
    clock,
    runtime,
    source,
    deadLetter,
    run: () => runPipeline(pipeline, runtime, ledger),
    stop: () => stopping.abort(),
    abort() {
      stopping.abort()
      aborting.abort()
    },
    revoke: (partition: string) => revocation(partition).abort(),
  }
}

export const policy = {forMilliseconds: Infinity, baseMilliseconds: 100, capMilliseconds: 10_000}

export function message(value: number, partition = 't/0@7'): Message<number> {
  return {value, position: {partition, offset: BigInt(value)}, bytes: 100}
}

export function numbers(first: number, count: number, partition?: () => string): Message<number>[] {
  return Array.from({length: count}, (_, index) => message(first + index, partition?.()))
}

async function* each<T>(items: readonly T[]) {
  yield* items
}
