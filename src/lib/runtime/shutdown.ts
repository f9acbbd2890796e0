import type {Clock} from '../core/types.ts'
import {InterruptedError} from '../errors.ts'

/** Two signals to a run. `stop`: read no more, settle what was read. `abort`: write no more. */
export interface Shutdown {
  readonly stop: AbortSignal
  readonly abort: AbortSignal
  /** The name of the first signal, once one came. */
  readonly signalName: () => NodeJS.Signals | undefined
  /** Leaves the process's signals to their defaults again. */
  dispose(): void
}

export type SignalEmitter = Pick<NodeJS.EventEmitter, 'on' | 'off'>

const SIGNALS = ['SIGTERM', 'SIGINT'] as const

export const isDrainTimeout = (message: string) => message.startsWith('not drained')

/** The first signal stops and starts the drain deadline; the second, or the deadline, aborts. */
export function listenForSignals(drainMilliseconds: number, clock: Clock, emitter: SignalEmitter): Shutdown {
  const [stop, abort, disposed] = [new AbortController(), new AbortController(), new AbortController()]
  let first: NodeJS.Signals | undefined

  const onSignal = (name: NodeJS.Signals) => {
    if (first !== undefined) return abort.abort(new InterruptedError(`stopped at once by a second signal (${name})`))
    first = name
    stop.abort(new InterruptedError(`stopped by ${name}`))
    const tooLate = () => abort.abort(new InterruptedError(`not drained within ${drainMilliseconds / 1000} s of ${name}`))
    clock.sleep(drainMilliseconds, disposed.signal).then(tooLate, () => {})
  }

  for (const name of SIGNALS) emitter.on(name, onSignal)
  return {
    stop: stop.signal,
    abort: abort.signal,
    signalName: () => first,
    dispose() {
      disposed.abort()
      for (const name of SIGNALS) emitter.off(name, onSignal)
    },
  }
}
