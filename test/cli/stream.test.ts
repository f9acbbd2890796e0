import {EventEmitter, once} from 'node:events'
import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import {describe, expect, it, onTestFinished} from 'vitest'
import type {RunReport} from '../../src/lib/cli/base-command.ts'
import type {StreamOptions, StreamPlan} from '../../src/lib/cli/stream.ts'
import type {Message} from '../../src/lib/core/types.ts'
import type {Sleep} from '../fakes/pipeline.ts'
import {batchLimits, retryPolicy, runStream, streamOptions} from '../../src/lib/cli/stream.ts'
import {AuthError, DataError, IoError, NotFoundError, PartialError, UnavailableError, UcsError} from '../../src/lib/errors.ts'
import {rememberingLogger} from '../fakes/logger.ts'
import {numbers} from '../fakes/pipeline.ts'
import {virtualClock} from '../fakes/virtual-clock.ts'

type Plan = StreamPlan<number, number>

interface Scenario {
  readonly isEndless?: boolean
  readonly health?: StreamOptions['health']
  readonly retryForMilliseconds?: number
  /** Goes on after its messages until it is stopped, as a topic does. */
  readonly neverEnds?: boolean
  readonly transform?: Plan['transform']
  readonly send?: (rows: readonly number[], tools: Tools & {readonly signal: AbortSignal}) => Promise<void>
  readonly check?: (tools: Tools & {readonly signal: AbortSignal}) => Promise<void>
  /** When a source, a sink or the dead letters are closed. */
  readonly close?: (part: string) => Promise<void>
  readonly plan?: (parts: Plan) => Promise<Plan> | Plan
}

interface Tools {
  readonly sleep: Sleep
  readonly signal: AbortSignal
  interrupt(name: NodeJS.Signals): void
}

/** Runs four messages, two a batch, through fakes, and tells how that ended. */
async function run(scenario: Scenario) {
  const {isEndless = false, health, retryForMilliseconds, neverEnds = false, transform = (value) => ({rows: [value]})} = scenario
  const [clock, signals] = [virtualClock(), new EventEmitter()]
  const {log, events} = rememberingLogger()
  const report: RunReport = {own: {}, notes: []}
  const happened: string[] = []
  const toolsWith = (signal: AbortSignal) => ({
    sleep: ((milliseconds, own = signal) => clock.sleep(milliseconds, own)) satisfies Sleep,
    signal,
    interrupt: (name: NodeJS.Signals) => void signals.emit(name, name),
  })
  const close = (part: string) => async () => {
    happened.push(`closed ${part}`)
    await scenario.close?.(part)
  }
  const parts: Plan = {
    source: {
      async *read(signal) {
        for (const chunk of [numbers(0, 2), numbers(2, 2)]) if (!signal.aborted) yield chunk
        if (neverEnds && !signal.aborted) await once(signal, 'abort')
      },
      async ack(settled: readonly Message<unknown>[]) {
        happened.push(`acked ${settled.map(({value}) => value).join(',')}`)
      },
      async complete() {},
      describe: ({offset}) => `t/0/${offset}`,
      close: close('source'),
    },
    transform,
    sink: {
      maxInFlight: 1,
      check: async (signal) => scenario.check?.(toolsWith(signal)),
      async send(rows, {signal}) {
        await scenario.send?.(rows, toolsWith(signal))
        happened.push(`stored ${rows.join(',')}`)
      },
      close: close('sink'),
    },
    deadLetter: {async put() {}, close: close('dead letters')},
    deadLettersAt: () => './dead-letters/test.ndjson',
    leftover: (unacknowledged) => (unacknowledged === 0 ? '' : `${unacknowledged} records left unacknowledged, they will be read again`),
    batch: {count: 2, bytes: 8e6, milliseconds: 1000},
  }
  const error = await runStream(
    {log, report, isWatched: false, isQuiet: false, redact: (text) => text},
    {command: 'test', isEndless, health, retryForMilliseconds, shutdownMilliseconds: 20_000},
    async () => scenario.plan?.(parts) ?? parts,
    {clock, random: () => 0.5, signals},
  ).then(
    () => undefined,
    (reason: unknown) => reason as UcsError,
  )
  return {
    error,
    exitCode: error === undefined ? 0 : error instanceof UcsError ? error.exitCode : 1,
    message: error?.message,
    ledger: report.ledger,
    notes: report.notes,
    now: clock.now(),
    happened,
    events,
    signals,
  }
}

const CLOSED = ['closed source', 'closed sink', 'closed dead letters']
const odd: Plan['transform'] = (value) => {
  if (value % 2 === 0) return {rows: [value]}
  throw new DataError('odd', `${value} is odd`)
}

describe('a run that reads all', () => {
  it.each([false, true])('ends with 0 and everything stored, acknowledged and closed (endless: %s)', async (isEndless) => {
    const {exitCode, happened, ledger} = await run({isEndless})
    expect(exitCode).toBe(0)
    expect(happened).toEqual(['stored 0,1', 'acked 0,1', 'stored 2,3', 'acked 2,3', ...CLOSED])
    expect(ledger).toMatchObject({read: 4, written: 4, unacknowledged: 0})
  })

  it('ends with 3 when records were rejected, and says how many and where they are', async () => {
    const {exitCode, message, happened, ledger} = await run({transform: odd})
    expect(exitCode).toBe(3)
    expect(message).toBe('2 of 4 records were rejected: they are in ./dead-letters/test.ndjson')
    expect(ledger).toMatchObject({read: 4, written: 2, rejected: 2, rejectedBy: {odd: 2}})
    expect(happened).toEqual(expect.arrayContaining(CLOSED))
  })
})

describe('the first signal', () => {
  const interruptOnce = {
    neverEnds: true,
    send: async (rows: readonly number[], {interrupt}: Tools) => {
      if (rows.includes(2)) interrupt('SIGTERM')
    },
  }

  it('ends an endless run with 0, having settled what was read', async () => {
    const {exitCode, happened, ledger} = await run({...interruptOnce, isEndless: true})
    expect(exitCode).toBe(0)
    expect(happened).toEqual(['stored 0,1', 'acked 0,1', 'stored 2,3', 'acked 2,3', ...CLOSED])
    expect(ledger).toMatchObject({read: 4, written: 4})
  })

  it('ends an endless run with 0 also when records were rejected, and tells of them', async () => {
    const {exitCode, notes} = await run({...interruptOnce, isEndless: true, transform: odd})
    expect(exitCode).toBe(0)
    expect(notes).toEqual(['2 records were rejected: they are in ./dead-letters/test.ndjson'])
  })

  it('ends any other run with 130, having settled what was read', async () => {
    const {exitCode, message, happened} = await run(interruptOnce)
    expect(exitCode).toBe(130)
    expect(message).toBe('stopped by SIGTERM: what was read is written')
    expect(happened).toEqual(['stored 0,1', 'acked 0,1', 'stored 2,3', 'acked 2,3', ...CLOSED])
  })

  it.each([
    [true, 0],
    [false, 130],
  ])('that comes before the sink is checked leaves everything unread (endless: %s, exit code %i)', async (isEndless, code) => {
    const {exitCode, happened, ledger} = await run({
      isEndless,
      async check({interrupt}) {
        interrupt('SIGINT')
        throw new UnavailableError('no answer')
      },
    })
    expect(exitCode).toBe(code)
    expect(happened).toEqual(CLOSED)
    expect(ledger).toMatchObject({read: 0})
  })

  it('gives writes their time: a slow one within the deadline is acknowledged', async () => {
    const {exitCode, happened} = await run({
      isEndless: true,
      neverEnds: true,
      async send(rows, {interrupt, sleep}) {
        if (rows.includes(0)) interrupt('SIGTERM')
        await sleep(9000)
      },
    })
    expect(exitCode).toBe(0)
    expect(happened).toContain('acked 0,1')
  })
})

describe('the drain deadline', () => {
  it.each([true, false])('ends a run with 69, and says what is left (endless: %s)', async (isEndless) => {
    const {exitCode, message, happened, ledger, now} = await run({
      isEndless,
      async send(rows, {interrupt, sleep}) {
        if (rows.includes(0)) return
        interrupt('SIGTERM')
        await sleep(60_000)
      },
    })
    expect(exitCode).toBe(69)
    expect(message).toBe('not drained within 20 s of SIGTERM; 2 records left unacknowledged, they will be read again')
    expect(happened).toEqual(['stored 0,1', 'acked 0,1', ...CLOSED])
    expect(ledger).toMatchObject({read: 4, written: 2, unacknowledged: 2})
    expect(now).toBe(20_000)
  })

  it('ends a run with 69 that waits for its server', async () => {
    let attempts = 0
    const {exitCode, message} = await run({
      isEndless: true,
      async send(_, {interrupt}) {
        if (++attempts === 1) interrupt('SIGTERM')
        throw new UnavailableError('no answer')
      },
    })
    expect(exitCode).toBe(69)
    expect(message).toBe('not drained within 20 s of SIGTERM: no answer; 4 records left unacknowledged, they will be read again')
  })

  it('names what the run waited for, and what to do about it', async () => {
    const {error, message} = await run({
      isEndless: true,
      async send(rows, {interrupt}) {
        if (rows.includes(0)) return
        interrupt('SIGTERM')
        throw new AuthError('http://influxdb:8086 refused the token', {suggestion: 'Check INFLUX_TOKEN'})
      },
    })
    const left = '2 records left unacknowledged, they will be read again'
    expect(message).toBe(`not drained within 20 s of SIGTERM: http://influxdb:8086 refused the token; ${left}`)
    expect(error).toMatchObject({exitCode: 69, suggestion: 'Check INFLUX_TOKEN'})
  })
})

describe('the second signal', () => {
  it.each([true, false])('ends a run with 130 at once, and says what is left (endless: %s)', async (isEndless) => {
    const {exitCode, message, happened, now} = await run({
      isEndless,
      async send(rows, {interrupt, sleep}) {
        if (rows.includes(0)) return
        interrupt('SIGTERM')
        interrupt('SIGINT')
        await sleep(60_000)
      },
    })
    expect(exitCode).toBe(130)
    expect(message).toBe('stopped at once by a second signal (SIGINT); 2 records left unacknowledged, they will be read again')
    expect(happened).toEqual(['stored 0,1', 'acked 0,1', ...CLOSED])
    expect(now).toBe(0)
  })
})

describe('a server that fails', () => {
  const down = async (rows: readonly number[]) => {
    if (rows.includes(2)) throw new UnavailableError('no answer from influxdb:8086', {suggestion: 'Is the server running?'})
  }

  it('ends the run with 69 after --retry-for, and says what is left and what to do', async () => {
    const {exitCode, message, error, happened, now} = await run({send: down, retryForMilliseconds: 30_000, isEndless: true})
    expect(exitCode).toBe(69)
    expect(message).toBe('no answer from influxdb:8086; 2 records left unacknowledged, they will be read again')
    expect(error).toMatchObject({suggestion: 'Is the server running?'})
    expect(happened).toEqual(['stored 0,1', 'acked 0,1', ...CLOSED])
    expect(now).toBe(30_000)
  })

  it('ends a one-shot run after five minutes where nobody said how long', async () => {
    const {exitCode, now} = await run({send: down})
    expect({exitCode, now}).toEqual({exitCode: 69, now: 300_000})
  })

  it('is waited for by an endless run however long it takes', async () => {
    let failures = 0
    const {exitCode, now} = await run({
      isEndless: true,
      async send() {
        if (++failures < 1000) throw new UnavailableError('no answer')
      },
    })
    expect(exitCode).toBe(0)
    expect(now).toBeGreaterThan(6 * 300_000)
  })

  it('is waited for in its check, too', async () => {
    let failures = 0
    const {exitCode, happened} = await run({
      async check() {
        if (++failures < 5) throw new UnavailableError('no answer')
      },
    })
    expect(exitCode).toBe(0)
    expect(happened).toContain('acked 2,3')
  })

  it.each([
    [new AuthError('token refused'), 77],
    [new NotFoundError('no bucket swat_db'), 69],
  ])('in its check for good ends the run before anything is read: $message', async (refusal, code) => {
    const {exitCode, error, happened} = await run({isEndless: true, check: () => Promise.reject(refusal)})
    expect(exitCode).toBe(code)
    expect(error).toBe(refusal)
    expect(happened).toEqual(CLOSED)
  })

  it('for good after the first success is waited out by an endless run, every 30 s', async () => {
    let writes = 0
    const {exitCode, now} = await run({
      isEndless: true,
      async send() {
        if (++writes === 2 || writes === 3) throw new AuthError('token refused')
      },
    })
    expect({exitCode, now}).toEqual({exitCode: 0, now: 60_000})
  })
})

describe('closing', () => {
  it('closes the others when one fails, and the run fails with it', async () => {
    const {exitCode, message, happened} = await run({
      close: async (part) => {
        if (part === 'source') throw new IoError('cannot close')
      },
    })
    expect({exitCode, message}).toEqual({exitCode: 74, message: 'cannot close'})
    expect(happened).toEqual(expect.arrayContaining(CLOSED))
  })

  it('hides no failure of the run behind one of its own', async () => {
    const {exitCode, message, happened} = await run({
      check: () => Promise.reject(new AuthError('token refused')),
      close: () => Promise.reject(new IoError('cannot close')),
    })
    expect({exitCode, message}).toEqual({exitCode: 77, message: 'token refused'})
    expect(happened).toEqual(CLOSED)
  })

  it.each<[string, Scenario]>([
    ['a run that ended', {}],
    ['a run that failed', {check: () => Promise.reject(new AuthError('token refused'))}],
    ['a run that never began', {plan: () => Promise.reject(new IoError('no file'))}],
  ])('leaves the signals to their defaults after %s', async (_, scenario) => {
    expect((await run(scenario)).signals.eventNames()).toEqual([])
  })
})

describe('a plan that fails', () => {
  it('ends the run with its error, and there is no ledger to report', async () => {
    const refusal = new IoError('no file')
    const {error, ledger, happened} = await run({plan: () => Promise.reject(refusal)})
    expect(error).toBe(refusal)
    expect(ledger).toBeUndefined()
    expect(happened).toEqual([])
  })
})

describe('what is left of a run that was cut short', () => {
  const left = '2 records left unacknowledged, they will be read again'
  const endings = [
    new UnavailableError('an answer of 500', {permanent: true, retryAfterMilliseconds: 5000, suggestion: 'Start it'}),
    new AuthError('token refused', {suggestion: 'Check INFLUX_TOKEN'}),
    new NotFoundError('no bucket swat_db'),
    new IoError('the disk is full'),
    new PartialError('t/0/2 was rejected and --dead-letter is none'),
  ]

  it.each(endings)('is told with whatever ended it, which is else as it was: $name', async (ending) => {
    const {message} = ending
    const {error} = await run({send: (rows) => (rows.includes(2) ? Promise.reject(ending) : Promise.resolve())})
    expect(error).toBe(ending)
    expect(error).toMatchObject({message: `${message}; ${left}`})
  })

  it('is not told of a run that has settled everything and was not cut short', async () => {
    const {message} = await run({transform: odd, plan: (parts) => ({...parts, leftover: () => 'continue with --skip 4'})})
    expect(message).toBe('2 of 4 records were rejected: they are in ./dead-letters/test.ndjson')
  })
})

describe('health', () => {
  const health = {host: '127.0.0.1', port: 0, stallMilliseconds: 66_000}
  const addressIn = (events: Awaited<ReturnType<typeof run>>['events']) =>
    events.find(([, event]) => event === 'health.listening')![2]['address'] as string

  it('is served while the run goes on, ready once the sink is checked, and ends with it', async () => {
    const statuses: number[] = []
    const metrics: string[] = []
    const {log, events} = rememberingLogger()
    const ask = async () => {
      const [ready, scraped] = await Promise.all(['readyz', 'metrics'].map((page) => fetch(`http://${addressIn(events)}/${page}`)))
      statuses.push(ready!.status)
      metrics.push(await scraped!.text())
    }
    const [clock, signals] = [virtualClock(), new EventEmitter()]
    await runStream(
      {log, report: {own: {}, notes: []}, isWatched: false, isQuiet: false, redact: (text) => text},
      {command: 'test', isEndless: true, health, retryForMilliseconds: undefined, shutdownMilliseconds: 20_000},
      async () => ({
        source: {
          async *read() {
            await ask()
            yield []
          },
          async ack() {},
          async complete() {},
          describe: () => '',
          async close() {},
        },
        transform: () => ({rows: []}),
        sink: {maxInFlight: 1, check: ask, async send() {}, async close() {}},
        deadLetter: {async put() {}, async close() {}},
        deadLettersAt: () => '',
        leftover: () => '',
        batch: {count: 1, bytes: 1, milliseconds: 1},
        observations: {counts: {'label.missing': {'': 3}}},
      }),
      {clock, random: () => 0.5, signals},
    )
    expect(statuses).toEqual([503, 200])
    expect(metrics[0]).toContain('ucs_observations_total{what="label.missing",name="",command="test"} 3')
    await expect(ask()).rejects.toThrow()
  })

  it('is not served by a run that has an end, which says so', async () => {
    const {exitCode, events} = await run({health})
    expect(exitCode).toBe(0)
    expect(events).toEqual([['info', 'health.off', {message: '--health-port serves a run without an end, and this one has a limit'}]])
  })

  it('that cannot be served ends the run before anything is read, and everything is closed', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void other.close())
    await once(other, 'listening')
    const {port} = other.address() as AddressInfo
    const {exitCode, message, happened} = await run({isEndless: true, health: {...health, port}})
    expect(exitCode).toBe(74)
    expect(message).toContain(`cannot serve health on 127.0.0.1:${port}`)
    expect(happened).toEqual(CLOSED)
  })
})

describe('the options of a run', () => {
  const values = {'dead-letter': './dead-letters/test.ndjson', 'retry-for': undefined, 'shutdown-timeout': 20_000}

  it.each([
    [
      true,
      {'health-port': 5000, 'health-host': '0.0.0.0', 'flush-interval': 2000},
      {host: '0.0.0.0', port: 5000, stallMilliseconds: 66_000},
    ],
    [true, {'health-port': 5000}, {host: '127.0.0.1', port: 5000, stallMilliseconds: 60_000}],
    [true, {'health-port': 0}, undefined],
    [true, {}, undefined],
  ])('serve health where there is a port: %s %j', (isEndless, own, expected) => {
    expect(streamOptions('test', {...values, ...own}, isEndless).health).toEqual(expected)
  })

  it.each([
    [true, undefined, Infinity, 30_000],
    [false, undefined, 300_000, undefined],
    [true, 5000, 5000, 30_000],
    [false, 0, 0, undefined],
  ])('are as patient as they are told, endless %s for %s', (isEndless, retryForMilliseconds, patience, pause) => {
    const policy = retryPolicy({isEndless, retryForMilliseconds})
    expect(policy.forMilliseconds).toBe(patience)
    expect(policy.pauseMilliseconds).toBe(pause)
  })

  it('limit a batch by count, bytes and age', () => {
    expect(batchLimits({'batch-size': 10, 'batch-bytes': 8e6, 'flush-interval': 2000, 'in-flight': 2})).toEqual({
      count: 10,
      bytes: 8e6,
      milliseconds: 2000,
    })
  })
})
