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
  return {
    maxInFlight: 1,
    prints,
    async check() {},
    send: (rows) => write(rows.map((row) => `${toText(row)}\n`).join('')),
    async close() {},
  }

  function write(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (cause: NodeJS.ErrnoException) => {
        const isGone = cause.code === 'EPIPE'
        if (isGone && prints) reject(new ReaderGoneError(`whoever reads ${name} went away`, {cause}))
        else if (isGone) reject(new IoError(`whoever reads ${name} went away`, {cause}))
        else reject(new IoError(`writing to ${name} failed: ${cause.message}`, {cause}))
      }

      output.once('error', fail)
      output.write(text, (error) => {
        output.off('error', fail)
        if (error) fail(error)
        else resolve()
      })
    })
  }
}
