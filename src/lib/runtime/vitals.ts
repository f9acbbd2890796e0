import type {Clock, Ledger, Observer} from '../core/types.ts'

/** A count that only one kind of source keeps. */
export interface SourceCount {
  /** In the JSON result. */
  readonly key: string
  readonly metric: string
  readonly help: string
  value(): number
}

/** Counts or levels, one for each combination of labels. */
export interface LabelledCount {
  readonly kind: 'counter' | 'gauge'
  readonly metric: string
  readonly help: string
  readonly labels: readonly string[]
  values(): readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[]
}

export type NoticeCounts = Readonly<Record<string, Readonly<Record<string, number>>>>

/** How a run is doing: what health and metrics are made of. */
export interface Vitals {
  readonly ledger: Ledger
  /** Messages that were read and are still to be settled here: those that a rebalance took away are not. */
  inHand(): number
  /** Batches that are being written, or wait for the acknowledgement of one before. */
  readonly inFlight: number
  readonly counts: readonly SourceCount[]
  readonly series: readonly LabelledCount[]
  /** What was noticed in records that could be used all the same: by its kind, and by the name that it happened to. */
  readonly observations: NoticeCounts
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** When a batch was last settled. */
  readonly settledAt: number | undefined
  /** How long batches took from their first attempt to their acknowledgement, in milliseconds; kept until the next look. */
  takeLatencies(): readonly number[]
  readonly retries: number
  /** What is being waited out that will not pass by itself: a refused token, a missing bucket. */
  readonly paused: string | undefined
  /** What a command says of itself in `/health`. */
  readonly report: (() => Readonly<Record<string, unknown>>) | undefined
  /** Its numbers as JSON, in a form that programs know. */
  readonly metrics: (() => Readonly<Record<string, unknown>>) | undefined
  lag(): number | undefined
  isConnected(): boolean
  /** Since when records have waited without any being settled, as far as is known; undefined while nothing waits. */
  waitingSince(): number | undefined
}

export interface VitalsOptions {
  readonly ledger: Ledger
  readonly clock: Clock
  readonly counts?: readonly SourceCount[]
  readonly observations?: NoticeCounts | undefined
  readonly report?: (() => Readonly<Record<string, unknown>>) | undefined
  readonly series?: readonly LabelledCount[]
  readonly metrics?: (() => Readonly<Record<string, unknown>>) | undefined
  lag(): number | undefined
  isConnected(): boolean
}

/** Latencies are kept for a scrape; between scrapes that never come they must not pile up. */
const MAX_LATENCIES = 10_000

/** Vitals that a pipeline keeps up to date through its observer. */
export function createVitals(options: VitalsOptions): {vitals: Vitals; observer: Observer} {
  const {ledger, clock, counts = [], series = [], observations = {}, report, metrics, lag, isConnected} = options
  let latencies: number[] = []
  let connectedAt = isConnected() ? clock.now() : undefined
  let receivedAt = 0 // what came first of those that wait
  let released = 0
  const state = {
    ledger,
    inHand: () => ledger.unacknowledged - released,
    inFlight: 0,
    counts,
    series,
    observations,
    report,
    metrics,
    startedAt: clock.now(),
    settledAt: undefined as number | undefined,
    retries: 0,
    paused: undefined as string | undefined,
    lag,
    isConnected,
    waitingSince() {
      connectedAt = isConnected() ? (connectedAt ?? clock.now()) : undefined
      if (state.inHand() + (lag() ?? 0) === 0) return undefined
      return Math.max(state.settledAt ?? 0, receivedAt, connectedAt ?? state.startedAt)
    },
    takeLatencies() {
      const taken = latencies
      latencies = []
      return taken
    },
  }
  const observer: Observer = {
    waiting() {
      receivedAt = clock.now()
    },
    released(messages) {
      released += messages
    },
    launched() {
      state.inFlight++
    },
    settled({milliseconds}) {
      state.inFlight--
      state.settledAt = clock.now()
      if (latencies.length < MAX_LATENCIES) latencies.push(milliseconds)
    },
    retrying({retryable, message}) {
      state.retries++
      if (retryable === 'after success') state.paused = message
    },
    recovered() {
      state.paused = undefined
    },
  }
  return {vitals: state, observer}
}

/** Why a run is not ready, or undefined when it is. A quiet topic is ready, a stalled one is not; what came after a quiet hour has its time. */
export function notReady(vitals: Vitals, now: number, stallMilliseconds: number): string | undefined {
  if (vitals.paused !== undefined) return `paused: ${vitals.paused}`
  const since = vitals.waitingSince()
  if (!vitals.isConnected()) return 'not connected'
  if (since === undefined || now - since <= stallMilliseconds) return undefined
  const waiting = (vitals.lag() ?? 0) + vitals.inHand()
  return `stalled: ${waiting} records wait, and none was settled for ${Math.round((now - since) / 1000)} s`
}
