import {EventEmitter} from 'node:events'
import {describe, expect, it} from 'vitest'
import {type Job, runJob} from '../../src/lib/cli/job.ts'
import {AuthError, UnavailableError} from '../../src/lib/errors.ts'
import {rememberingLogger} from '../fakes/logger.ts'
import {virtualClock} from '../fakes/virtual-clock.ts'

async function run(work: (job: Job, interrupt: () => void) => Promise<unknown>, retryForMilliseconds?: number) {
  const [clock, signals] = [virtualClock(), new EventEmitter()]
  const {log, events} = rememberingLogger()
  const interrupt = () => void signals.emit('SIGTERM', 'SIGTERM')
  const end = runJob({log, retryForMilliseconds}, (job) => work(job, interrupt), {clock, random: () => 0.5, signals})
  const [result, error] = await end.then(
    (value) => [value, undefined] as const,
    (reason: unknown) => [undefined, reason] as const,
  )
  return {result, error, retries: events.filter(([, event]) => event === 'retry').length, minutes: clock.now() / 60_000, signals}
}

describe('a job', () => {
  it('ends with its result, and leaves signals to the process', async () => {
    const {result, signals} = await run(async () => 7)
    expect({result, listeners: signals.eventNames()}).toEqual({result: 7, listeners: []})
  })

  it('asks a server again that is away for a while', async () => {
    let asked = 0
    const {result, retries} = await run(async ({asking}) =>
      asking('the server')(async () => {
        if (++asked < 4) throw new UnavailableError('refused')
        return 'here'
      }),
    )
    expect({result, retries}).toEqual({result: 'here', retries: 3})
  })

  it.each<[retryFor: number | undefined, minutes: number]>([
    [undefined, 5],
    [60_000, 1],
    [0, 0],
  ])('is patient for as long as --retry-for says: %s', async (retryFor, minutes) => {
    const away = new UnavailableError('refused')
    const found = await run(async ({asking}) => asking('the server')(() => Promise.reject(away)), retryFor)
    expect(found).toMatchObject({error: away, minutes})
  })

  it('does not ask again what a server refuses', async () => {
    const refused = new AuthError('unauthorized')
    expect(await run(async ({asking}) => asking('the server')(() => Promise.reject(refused)))).toMatchObject({error: refused, retries: 0})
  })
})

describe('a signal', () => {
  it('ends a job before its next request', async () => {
    const asked: number[] = []
    const {error, signals} = await run(async ({asking}, interrupt) => {
      for (const request of [1, 2, 3]) {
        await asking('the server')(async () => asked.push(request))
        if (request === 2) interrupt()
      }
    })
    expect(error).toMatchObject({exitCode: 130, message: 'stopped by SIGTERM'})
    expect({asked, listeners: signals.eventNames()}).toEqual({asked: [1, 2], listeners: []})
  })

  it('ends a request that is on its way', async () => {
    const {error} = await run(async ({asking, signal}, interrupt) =>
      asking('the server')(
        () =>
          new Promise((_, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason as Error))
            interrupt()
          }),
      ),
    )
    expect(error).toMatchObject({exitCode: 130, message: 'stopped by SIGTERM'})
  })

  it('ends a wait, and tells what was waited for', async () => {
    let asked = 0
    const {error} = await run(async ({asking}, interrupt) =>
      asking('the server')(async () => {
        if (++asked === 2) interrupt()
        throw new UnavailableError('connection refused', {suggestion: 'Is it running?'})
      }),
    )
    expect(error).toMatchObject({exitCode: 130, message: 'stopped by SIGTERM: connection refused', suggestion: 'Is it running?'})
  })

  it('does not hide a bug', async () => {
    const bug = new TypeError('x is undefined')
    const {error} = await run(async (_, interrupt) => {
      interrupt()
      throw bug
    })
    expect(error).toBe(bug)
  })
})
