/** What went wrong, in the terms of `docs/errors.md`: a word for scripts, an exit code, and one thing to do. */
export class UcsError extends Error {
  readonly code: string = 'BUG'
  readonly exitCode: number = 1
  /** Whether the same call may succeed later: always, never, or only where one has succeeded before. */
  readonly retryable: Retryable = 'never'
  /** A command, flag or variable that mends it. */
  readonly suggestion: string | undefined

  constructor(message: string, options: ErrorDetails = {}) {
    super(message, 'cause' in options ? {cause: options.cause} : undefined)
    this.name = new.target.name
    this.suggestion = options.suggestion
  }
}

export type Retryable = 'always' | 'after success' | 'never'

export interface ErrorDetails {
  readonly cause?: unknown
  readonly suggestion?: string | undefined
}

/** Flags, environment or config file; nothing was started. */
export class UsageError extends UcsError {
  override readonly code = 'USAGE'
  override readonly exitCode = 2
}

/** The run finished, but records were rejected or one of several sources or targets failed. */
export class PartialError extends UcsError {
  override readonly code = 'PARTIAL'
  override readonly exitCode = 3
}

/** Refused, timed out, 429 or 5xx. */
export class UnavailableError extends UcsError {
  override readonly code = 'UNAVAILABLE'
  override readonly exitCode = 69
  override readonly retryable: Retryable
  /** What the server asked for. */
  readonly retryAfterMilliseconds: number | undefined
  /** 500 and 413: one row, or the size, may be the cause, so a part may succeed where the whole does not. */
  readonly divisible: boolean

  /** `permanent`: no wait mends it, such as a certificate that is not trusted or an address where no such server is. */
  constructor(
    message: string,
    options: ErrorDetails & {
      retryAfterMilliseconds?: number | undefined
      divisible?: boolean
      permanent?: boolean
    } = {},
  ) {
    super(message, options)
    this.retryable = options.permanent ? 'never' : 'always'
    this.retryAfterMilliseconds = options.retryAfterMilliseconds
    this.divisible = options.divisible ?? false
  }
}

/** More than the caller said it can take. No wait mends it, and a part may do. */
export class AnswerTooLongError extends UnavailableError {
  constructor(message: string, options: ErrorDetails = {}) {
    super(message, {...options, permanent: true})
  }
}

/** The server answered: the named org, bucket, table or topic does not exist. */
export class NotFoundError extends UcsError {
  override readonly code = 'NOT_FOUND'
  override readonly exitCode = 69
  override readonly retryable = 'after success'
}

/** 401, 403, a wrong password or a missing permission. */
export class AuthError extends UcsError {
  override readonly code = 'AUTH'
  override readonly exitCode = 77
  override readonly retryable = 'after success'
}

/** A local file or disk. */
export class IoError extends UcsError {
  override readonly code = 'IO'
  override readonly exitCode = 74
}

/** Another run of the same job holds the lock. */
export class LockedError extends UcsError {
  override readonly code = 'LOCKED'
  override readonly exitCode = 75
}

/** A one-shot job was cut short by a signal. */
export class InterruptedError extends UcsError {
  override readonly code = 'INTERRUPTED'
  override readonly exitCode = 130
}

/** One record that can never be written: it becomes a dead letter and does not end a run. */
export class DataError extends UcsError {
  override readonly code = 'DATA'
  /** A word or two to count by; the message is for whoever repairs the record. */
  readonly reason: string

  constructor(reason: string, message: string, options: ErrorDetails = {}) {
    super(message, options)
    this.reason = reason
  }
}

/**
 * Some rows are refused for good, the others may or may not be stored. Seen by `core/isolate` only;
 * a sink's subclass carries what the server named.
 */
export class PartialWriteError extends UcsError {
  override readonly code: string = 'PARTIAL_WRITE'
}
