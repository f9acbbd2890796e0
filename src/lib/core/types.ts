import type {DataError, PartialWriteError, UcsError} from '../errors.ts'

/** Where a message came from. The partition is opaque to all but its source: Kafka's carries the assignment epoch, "topic/0@7". */
export interface Position {
  readonly partition: string
  readonly offset: bigint
}

export interface Message<T> {
  readonly value: T
  readonly position: Position
  /** About what it occupies in memory; batches are bounded by it. */
  readonly bytes: number
}

/** A message as a broker or a line of input delivers it, before anybody has looked inside. */
export interface RawMessage {
  /** Null is Kafka's tombstone. */
  readonly value: Buffer | null
  readonly key: Buffer | null
  readonly headers: Readonly<Record<string, Buffer | string | (Buffer | string)[] | undefined>> | undefined
  /** When the broker got it, in milliseconds since the epoch; a line of input has none. */
  readonly timestamp: number | undefined
}

/** Where messages come from. The pipeline calls `read` once and nothing after it has rejected but `close`. */
export interface Source<T> {
  /**
   * Yields chunks of at most 1,000 messages or 1 MB; ends when exhausted, or soon after `signal` fires.
   * An empty chunk says that nothing more is at hand: whatever is waiting for a full batch is sent at once.
   */
  read(signal: AbortSignal): AsyncIterable<readonly Message<T>[]>
  /** Called in read order per partition, after durability. A stale epoch is dropped and counted, it is no error. */
  ack(settled: readonly Message<unknown>[]): Promise<void>
  /** Called once, after `read` ended by itself and all is settled, also when nothing was read. */
  complete(): Promise<void>
  /** Fires when the partition is taken away. */
  revoked?(partition: string): AbortSignal
  /** Messages of a revoked partition that will never be acknowledged here: stop waiting for them. In read order, like `ack`. */
  release?(unsent: readonly Message<unknown>[]): void
  /** "topic/0/17", the same in every epoch: for logs, dead letters and tokens, and to know a partition again; never built per record. */
  describe(position: Position): string
  close(): Promise<void>
}

/**
 * What became of a message. A DataError among the rows stands for one that cannot be made: the others are written all the same.
 * The reason for filtering is counted, so it is a word and not a sentence.
 */
export type Outcome<O> = {readonly rows: readonly (O | DataError)[]} | {readonly filtered: string}

/** Called once a message, in read order. Throws DataError when the message as a whole becomes a dead letter. May hold state for one run; no clock, no I/O. */
export type Transform<I, O> = (input: I, position: Position) => Outcome<O>

/** `R` is what stands or falls as a whole: a line for InfluxDB, all rows of a message for ClickHouse. */
export interface Sink<R> {
  /** What errors call the server: its address without secrets. Absent where there is none to lose patience with. */
  readonly target?: string
  /** How many batches may be unacknowledged at a time. */
  readonly maxInFlight: number
  /** A batch holds messages of one partition, and a partition has one batch in flight: what exactly-once rests on. */
  readonly onePartitionABatch?: boolean
  /** What it takes is shown, not stored: the ledger counts it as `printed`. */
  readonly prints?: boolean
  /** Proves reachability and rights, writes nothing. */
  check(signal: AbortSignal): Promise<void>
  /**
   * Resolves when all rows are durable. Else throws: PartialWriteError, UnavailableError, or what ends the run.
   * The token names this content: the same rows are sent again under the same token, others never are.
   */
  send(rows: readonly R[], context: SendContext): Promise<void>
  /** What the server's message tells about these rows. Rows that it leaves out form a group of their own. */
  explain?(rows: readonly R[], error: PartialWriteError): readonly Group<R>[]
  /** Hash of what a second write would overwrite, such as series and time. */
  key?(row: R): number
  close(): Promise<void>
}

export interface SendContext {
  readonly token: string
  readonly signal: AbortSignal
  /** To be called when the server was not asked, because it has all of the rows already: that it works is not proven by them. */
  skipped?(): void
}

/**
 * Indexes into the rows given to `explain`: refused for this reason, or to be sent again in a request of their own.
 * `replacements`, by index, are what to send instead of the row from now on.
 */
export interface Group<R> {
  readonly rows: readonly number[]
  readonly refused?: DataError
  readonly replacements?: ReadonlyMap<number, R>
}

/** Identified by position and index; `index` counts the rows of a message, none when the message itself was refused. */
export interface Letter {
  readonly message: Message<unknown>
  readonly index?: number
  readonly error: DataError
}

/** At-least-once. `put` resolves when the letters are durable. */
export interface DeadLetter {
  put(letters: readonly Letter[]): Promise<void>
  close(): Promise<void>
}

/** How far a polling source has come, by key. `save` resolves when the cursor is durable. */
export interface Checkpoint {
  load(key: string): Promise<string | undefined>
  save(key: string, cursor: string): Promise<void>
}

/** Everything impure; tests pass a fake. */
export interface Runtime {
  /** First signal: stop reading, settle what was read. */
  readonly stop: AbortSignal
  /** Second signal, or the drain deadline: stop writing. */
  readonly abort: AbortSignal
  readonly clock: Clock
  /** In [0, 1), for jitter. */
  readonly random: () => number
  readonly log: Logger
}

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Rejects with the signal's reason when it fires. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>
}

/** Events, not sentences: `log.warn('write.retry', {attempt, milliseconds})`. */
export interface Logger {
  readonly debug: LogEvent
  readonly info: LogEvent
  readonly warn: LogEvent
  readonly error: LogEvent
}
export type LogEvent = (event: string, fields?: Readonly<Record<string, unknown>>) => void

/** A batch is full at this many messages or bytes, and sent at this age. */
export interface BatchLimits {
  readonly count: number
  readonly bytes: number
  readonly milliseconds: number
}

/** Keep the cap under half the rebalance timeout: a revoked batch is let go at its next attempt. */
export interface RetryPolicy {
  /** How long to be patient with a server: from the beginning of the first request that fails or is not answered; one that is answered ends it. Zero: one attempt. */
  readonly forMilliseconds: number
  readonly baseMilliseconds: number
  readonly capMilliseconds: number
  /** However much patience is left. Absent: any number. */
  readonly maxRetries?: number
  /** Endless runs: how often to try again what is retryable only after a success. Absent: such a failure ends the run. */
  readonly pauseMilliseconds?: number
}

/** Makes a request again and again while it fails for a reason that can pass, as long as the patience with its server lasts. */
export type Ask = <T>(request: () => Promise<T>) => Promise<T>

export interface Pipeline<I, O> {
  readonly source: Source<I>
  readonly transform: Transform<I, O>
  readonly batch: BatchLimits
  readonly sink: Sink<O>
  readonly retry: RetryPolicy
  readonly deadLetter: DeadLetter
  /** Told of what happens, for health and metrics. Must not throw. */
  readonly observer?: Observer
}

export interface Observer {
  /** Messages were read while none was in hand: from now on some wait. */
  waiting?(): void
  /** Messages of a revoked partition were let go: they stay unacknowledged, and wait here no more. */
  released?(messages: number): void
  /** A batch is on its way. */
  launched?(): void
  /** A batch is settled and acknowledged. */
  settled?(batch: {readonly messages: number; readonly milliseconds: number}): void
  /** A write failed and will be tried again. */
  retrying?(error: UcsError): void
  /** A write went through, or was judged, after `retrying`. */
  recovered?(): void
}

/**
 * Counts messages, but for `rows` (stored) and `collapsed` (equal keys in one batch).
 * At any time: read = written + filtered + rejected + printed + unacknowledged.
 */
export interface Ledger {
  read: number
  written: number
  filtered: number
  rejected: number
  printed: number
  unacknowledged: number
  rows: number
  collapsed: number
  readonly filteredBy: Record<string, number>
  readonly rejectedBy: Record<string, number>
}
