import {EventEmitter} from 'node:events'
import {describe, expect, it} from 'vitest'
import {InterruptedError} from '../../src/lib/errors.ts'
import {isDrainTimeout, listenForSignals} from '../../src/lib/runtime/shutdown.ts'
import {virtualClock} from '../fakes/virtual-clock.ts'

function listen() {
  const [clock, signals] = [virtualClock(), new EventEmitter()]
  const shutdown = listenForSignals(20_000, clock, signals)
  const pass = (milliseconds: number) => clock.sleep(milliseconds, new AbortController().signal)
  return {shutdown, signals, pass, send: (name: NodeJS.Signals) => signals.emit(name, name)}
}

const reasonOf = ({reason}: AbortSignal) => (reason as InterruptedError).message

describe.each(['SIGTERM', 'SIGINT'] as const)('the first %s', (name) => {
  it('stops and does not abort', () => {
    const {shutdown, send} = listen()
    expect(shutdown.signalName()).toBeUndefined()
    send(name)
    expect(shutdown.stop.reason).toBeInstanceOf(InterruptedError)
    expect(reasonOf(shutdown.stop)).toBe(`stopped by ${name}`)
    expect(shutdown.abort.aborted).toBe(false)
    expect(shutdown.signalName()).toBe(name)
  })

  it('aborts at the drain deadline, not before', async () => {
    const {shutdown, send, pass} = listen()
    await pass(60_000)
    send(name)
    await pass(19_999)
    expect(shutdown.abort.aborted).toBe(false)
    await pass(2)
    expect(reasonOf(shutdown.abort)).toBe(`not drained within 20 s of ${name}`)
    expect(isDrainTimeout(reasonOf(shutdown.abort))).toBe(true)
  })
})

describe('the second signal', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('aborts at once, whatever the first was: %s', (second) => {
    const {shutdown, send} = listen()
    send('SIGINT')
    send(second)
    expect(shutdown.abort.reason).toBeInstanceOf(InterruptedError)
    expect(reasonOf(shutdown.abort)).toBe(`stopped at once by a second signal (${second})`)
    expect(isDrainTimeout(reasonOf(shutdown.abort))).toBe(false)
    expect(shutdown.signalName()).toBe('SIGINT')
  })
})

describe('dispose', () => {
  it('leaves the signals to their defaults', () => {
    const {shutdown, signals} = listen()
    expect(signals.eventNames()).toEqual(['SIGTERM', 'SIGINT'])
    shutdown.dispose()
    expect(signals.eventNames()).toEqual([])
  })

  it('calls off the drain deadline', async () => {
    const {shutdown, send, pass} = listen()
    send('SIGTERM')
    shutdown.dispose()
    await pass(30_000)
    expect(shutdown.abort.aborted).toBe(false)
  })
})
