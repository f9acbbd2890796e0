import {describe, expect, it} from 'vitest'
import {type Bounded, withRetry} from '../../src/lib/core/retry.ts'
import {AuthError, InterruptedError, NotFoundError, PartialWriteError, UnavailableError, UsageError} from '../../src/lib/errors.ts'
import {rememberingLogger} from '../fakes/logger.ts'
import {virtualClock} from '../fakes/virtual-clock.ts'

const policy = {forMilliseconds: 60_000, baseMilliseconds: 100, capMilliseconds: 10_000}

function setUp({random = 1, own = {}}: {random?: number; own?: object} = {}) {
  const clock = virtualClock()
  const {log, events} = rememberingLogger()
  const aborting = new AbortController()
  const runtime = {clock, log, random: () => random}
  const run = (work: (bounded: Bounded) => Promise<unknown>, more: object = {}) =>
    withRetry({work, policy: {...policy, ...own}, signal: aborting.signal, ...more}, runtime)
  return {clock, events, run, abort: (reason?: Error) => aborting.abort(reason)}
}

/** Fails so often, then succeeds. */
function failing(times: number, error: () => Error) {
  let calls = 0
  return {
    calls: () => calls,
    work: async () => {
      if (calls++ < times) throw error()
      return 'done'
    },
  }
}

describe('withRetry', () => {
  it('doubles the wait up to the cap, and draws it between nothing and all of it', async () => {
    const waits: number[] = []
    const {run, events} = setUp()
    await run(failing(9, () => new UnavailableError('503')).work, {policy: {...policy, forMilliseconds: Infinity}})
    for (const [, event, fields] of events) if (event === 'retry') waits.push(fields['inMilliseconds'] as number)
    expect(waits).toEqual([200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000])
    const eager = setUp({random: 0})
    await eager.run(failing(5, () => new UnavailableError('503')).work)
    expect(eager.clock.now()).toBe(0)
  })

  it('waits as long as the server says, up to the cap', async () => {
    const {run, clock} = setUp()
    await run(failing(1, () => new UnavailableError('429', {retryAfterMilliseconds: 7000})).work)
    expect(clock.now()).toBe(7000)
    await run(failing(1, () => new UnavailableError('429', {retryAfterMilliseconds: 3_600_000})).work)
    expect(clock.now()).toBe(17_000)
  })

  it('gives up with the failure when its patience ends, counted from the first failure', async () => {
    const {run, clock} = setUp()
    const {work} = failing(Infinity, () => new UnavailableError('503', {retryAfterMilliseconds: 9000}))
    await expect(run(work)).rejects.toThrow('503')
    expect(clock.now()).toBe(54_000)
  })

  it.each([
    ['success', async () => 'done'],
    ['judgement', () => Promise.reject(new PartialWriteError('not these'))],
  ])('counts its patience from the first failure after the last %s of the server', async (_, answer) => {
    const {run, clock} = setUp()
    const slow = async (request: () => Promise<string>) => {
      await clock.sleep(50_000, new AbortController().signal)
      return request()
    }
    let attempts = 0
    const refusal = async () => {
      if (attempts++ === 0) throw new UnavailableError('503')
      return 'done'
    }
    const work = async (bounded: Bounded) => {
      for (let part = 0; part < 3; part++) await bounded('the server', () => slow(answer)).catch(() => {})
      return bounded('the server', refusal)
    }
    expect(await run(work)).toBe('done')
    expect(attempts).toBe(2)
  })

  it('gives up on a server that answers no more, however long it did before', async () => {
    const {run, clock} = setUp()
    let requests = 0
    const request = async () => {
      await clock.sleep(50_000, new AbortController().signal)
      if (requests++ > 0) throw new UnavailableError('503')
    }
    const work = async (bounded: Bounded) => {
      if (requests === 0) await bounded('the server', request)
      await bounded('the server', request)
    }
    await expect(run(work)).rejects.toThrow('did not answer within 9.8 s')
    expect(clock.now()).toBe(110_000)
  })

  it('makes its last attempt when its patience ends', async () => {
    const {run, clock} = setUp({own: {forMilliseconds: 1000}})
    const {work, calls} = failing(Infinity, () => new UnavailableError('503'))
    await expect(run(work)).rejects.toThrow('503')
    expect({at: clock.now(), calls: calls()}).toEqual({at: 1000, calls: 4}) // at 0, 200, 600 and 1000
  })

  it('does not retry at all without patience', async () => {
    const {work, calls} = failing(Infinity, () => new UnavailableError('503'))
    await expect(setUp({own: {forMilliseconds: 0}}).run(work)).rejects.toThrow('503')
    expect(calls()).toBe(1)
  })

  it.each([0, 1, 3])('retries no more than %i times where that is the most, however much patience is left', async (maxRetries) => {
    const {work, calls} = failing(Infinity, () => new UnavailableError('503'))
    await expect(setUp({own: {forMilliseconds: Infinity, maxRetries}}).run(work)).rejects.toThrow('503')
    expect(calls()).toBe(1 + maxRetries)
  })

  it('succeeds at the last retry that is left', async () => {
    expect(await setUp({own: {maxRetries: 3}}).run(failing(3, () => new UnavailableError('503')).work)).toBe('done')
  })

  it('counts the retries that a pause has come before as well', async () => {
    const {work, calls} = failing(Infinity, () => new AuthError('401'))
    const own = {forMilliseconds: Infinity, pauseMilliseconds: 30_000, maxRetries: 2}
    await expect(setUp({own}).run(work, {proven: () => true})).rejects.toThrow('401')
    expect(calls()).toBe(3)
  })

  it('ends before its retries are used up where its patience does', async () => {
    const {run, clock} = setUp({own: {forMilliseconds: 1000, maxRetries: 100}})
    await expect(run(failing(Infinity, () => new UnavailableError('503')).work)).rejects.toThrow('503')
    expect(clock.now()).toBe(1000)
  })

  it('does not retry what cannot pass', async () => {
    for (const error of [new UsageError('x'), new UnavailableError('certificate', {permanent: true}), new TypeError('a bug')]) {
      const {work, calls} = failing(3, () => error)
      await expect(setUp().run(work)).rejects.toBe(error)
      expect(calls()).toBe(1)
    }
  })

  it.each([new AuthError('401'), new NotFoundError('404')])('ends at once on $name before the first success', async (error) => {
    const {work, calls} = failing(3, () => error)
    await expect(setUp({own: {pauseMilliseconds: 30_000}}).run(work)).rejects.toBe(error)
    expect(calls()).toBe(1)
  })

  it.each([new AuthError('401'), new NotFoundError('404')])(
    'pauses on $name after the first success, and goes on when it works',
    async (error) => {
      const {run, clock} = setUp({own: {pauseMilliseconds: 30_000, forMilliseconds: Infinity}})
      expect(await run(failing(3, () => error).work, {proven: () => true})).toBe('done')
      expect(clock.now()).toBe(90_000)
    },
  )

  it('ends a one-shot run on 401 also after the first success', async () => {
    await expect(setUp().run(failing(1, () => new AuthError('401')).work, {proven: () => true})).rejects.toThrow('401')
  })

  const deadline = new InterruptedError('not drained within 20 s of SIGTERM')

  it.each([undefined, deadline])('ends an aborted wait with the failure that was waited out, aborted by %s', async (reason) => {
    const {run, abort} = setUp()
    const work = async () => {
      setImmediate(() => abort(reason))
      throw new UnavailableError('503', {retryAfterMilliseconds: 10_000})
    }

    await expect(run(work)).rejects.toThrow('503')
  })

  it('ends an aborted attempt with the failure before it, or with its own', async () => {
    for (const [own, expected] of [
      [deadline, 'the first: 503'],
      [new UnavailableError('the second: 429'), 'the second: 429'],
    ] as const) {
      const {run, abort} = setUp()
      let attempts = 0
      const work = async () => {
        if (attempts++ === 0) throw new UnavailableError('the first: 503')
        abort(deadline)
        throw own
      }
      await expect(run(work)).rejects.toThrow(expected)
    }
  })

  it('blames no failure that was over before the abort', async () => {
    const {run, abort} = setUp()
    let requests = 0
    const work = async (bounded: Bounded) => {
      await bounded('the server', async () => {
        if (requests++ === 0) throw new UnavailableError('503')
      })
      abort(deadline)
      throw deadline
    }
    await expect(run(work)).rejects.toBe(deadline)
  })

  it('turns an abort in the middle of the work into InterruptedError', async () => {
    const {run, abort} = setUp()
    const work = async () => {
      abort()
      throw new DOMException('aborted', 'AbortError')
    }

    await expect(run(work)).rejects.toBeInstanceOf(InterruptedError)
  })

  it('does not begin when it is aborted already', async () => {
    const {run, abort} = setUp()
    abort()
    const {work, calls} = failing(0, () => new Error())
    await expect(run(work)).rejects.toBeInstanceOf(InterruptedError)
    expect(calls()).toBe(0)
  })

  it('tells its observer of each retry, and once when it works again', async () => {
    const seen: string[] = []
    const observer = {retrying: ({code}: {code: string}) => seen.push(code), recovered: () => seen.push('recovered')}
    await setUp().run(failing(2, () => new UnavailableError('503')).work, {observer})
    await setUp().run(failing(0, () => new Error()).work, {observer})
    expect(seen).toEqual(['UNAVAILABLE', 'UNAVAILABLE', 'recovered'])
  })

  it('tells its observer that it works again with the first answer, although there is more to do', async () => {
    const seen: string[] = []
    const observer = {retrying: () => seen.push('retrying'), recovered: () => seen.push('recovered')}
    const {work} = failing(1, () => new UnavailableError('503'))
    const request = async (bounded: Bounded) => {
      await bounded('the server', work)
      seen.push('one part is done')
    }
    await setUp().run(request, {observer})
    expect(seen).toEqual(['retrying', 'recovered', 'one part is done'])
  })

  it('logs what failed and what to do', async () => {
    const {run, events} = setUp()
    await run(failing(1, () => new UnavailableError('refused', {suggestion: 'start it'})).work)
    expect(events[0]).toMatchObject(['warn', 'retry', {attempt: 1, message: 'refused', suggestion: 'start it'}])
  })

  it('waits for an answer until its patience ends, and tells after 10 s that it waits', async () => {
    const {run, clock, events} = setUp()
    const ask = (bounded: Bounded) => bounded('the server', () => new Promise<never>(() => {}))
    await expect(run(ask)).rejects.toThrow('the server did not answer within 60 s')
    expect(clock.now()).toBe(60_000)
    expect(events).toEqual([['warn', 'waiting', {message: 'the server has not answered for 10 s'}]])
  })

  it('waits for the answer to a later attempt only as long as its patience is not over', async () => {
    const {run, clock} = setUp()
    let attempts = 0
    const ask = (bounded: Bounded) =>
      bounded('the server', async () => {
        if (attempts++ > 0) return new Promise<never>(() => {})
        await clock.sleep(40_000, new AbortController().signal)
        throw new UnavailableError('reset')
      })
    await expect(run(ask)).rejects.toThrow('did not answer within 19.8 s')
    expect(clock.now()).toBe(60_000)
  })

  it('gives a last attempt, made when the patience ends, 5 s', async () => {
    const {run, clock} = setUp()
    let attempts = 0
    const ask = (bounded: Bounded) =>
      bounded('the server', async () => {
        if (attempts++ > 0) return new Promise<never>(() => {})
        await clock.sleep(59_900, new AbortController().signal)
        throw new UnavailableError('reset')
      })
    await expect(run(ask)).rejects.toThrow('did not answer within 5 s')
    expect(clock.now()).toBe(65_000)
  })

  it('waits 30 s for the answer to its one attempt where there is no patience', async () => {
    const {run, clock} = setUp({own: {forMilliseconds: 0}})
    const ask = (bounded: Bounded) => bounded('the server', () => new Promise<never>(() => {}))
    await expect(run(ask)).rejects.toThrow('the server did not answer within 30 s')
    expect(clock.now()).toBe(30_000)
  })

  it('leaves it to the request how long to wait where the patience has no end, and tells every minute that it waits', async () => {
    const {run, clock, events} = setUp({own: {forMilliseconds: Infinity}})
    const ask = (bounded: Bounded) => bounded('the server', () => clock.sleep(140_000, new AbortController().signal))
    await run(ask)
    expect(clock.now()).toBe(140_000)
    expect(events.map(([, event, {message}]) => [event, message])).toEqual(
      [10, 70, 130].map((seconds) => ['waiting', `the server has not answered for ${seconds} s`]),
    )
  })

  it('tells of no waiting once it is aborted', async () => {
    const {run, clock, events, abort} = setUp({own: {forMilliseconds: Infinity}})
    void run((bounded) => bounded('the server', () => new Promise<never>(() => {})))
    await clock.sleep(30_000, new AbortController().signal)
    abort()
    await clock.sleep(300_000, new AbortController().signal)
    expect(events).toHaveLength(1)
  })

  it('leaves no timer behind', async () => {
    const {run, clock} = setUp()
    await run((bounded) => bounded('the server', async () => 'done'))
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate)
    expect(clock.now()).toBe(0)
  })
})
