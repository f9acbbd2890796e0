import type {Writable} from 'node:stream'
import type {Sink} from '../core/types.ts'
import {outputError} from '../runtime/output-error.ts'

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
        if (cause) reject(outputError(name, cause))
        else resolve()
      })
    })
  }
}
