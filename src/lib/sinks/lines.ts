import type {Writable} from 'node:stream'
import type {Sink} from '../core/types.ts'
import {IoError, ReaderGoneError} from '../errors.ts'

export interface LinesSinkOptions<R> {
  readonly output: Writable
  /** What the output is called in an error: "standard output". */
  readonly name: string
  /** The text of one row, without its line break. */
  readonly toText: (row: R) => string
  /** True for a dry run: what is shown is not written anywhere. */
  readonly prints: boolean
}

/** Rows as lines on a stream, one write a batch. */
export function createLinesSink<R>({output, name, toText, prints}: LinesSinkOptions<R>): Sink<R> {
  output.on('error', () => {}) // the write that failed tells; its event comes after, and would end the process

  return {
    maxInFlight: 1,
    prints,
    async check() {},
    send: (rows, {signal}) => write(rows.map((row) => `${toText(row)}\n`).join(''), signal),
    async close() {},
  }

  function write(text: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = () => reject(signal.reason) // whoever reads may have stopped to, so that a write waits for ever
      if (signal.aborted) return abort()
      signal.addEventListener('abort', abort)
      output.write(text, (cause) => {
        signal.removeEventListener('abort', abort)
        if (cause) reject(translate(cause))
        else resolve()
      })
    })
  }

  function translate(cause: NodeJS.ErrnoException): IoError {
    if (cause.code !== 'EPIPE') return new IoError(`writing to ${name} failed: ${cause.message}`, {cause})
    const message = `whoever reads ${name} went away`
    return prints ? new ReaderGoneError(message, {cause}) : new IoError(message, {cause})
  }
}
