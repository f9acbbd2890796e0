import {describe, expect, it} from 'vitest'
import {AuthError, NotFoundError, UnavailableError} from '../../src/lib/errors.ts'
import {never, setUp, settled} from './kafka-reader.ts'

describe('a broker that cannot be reached at the start', () => {
  const refused = new UnavailableError('refused')

  it('is tried until the patience ends', async () => {
    const {rest, clock, calls} = setUp({forMilliseconds: 5000, consumer: {connect: () => Promise.reject(refused)}})
    expect(await rest()).toBe(refused)
    expect(clock.now()).toBeGreaterThanOrEqual(5000)
    expect(calls).toEqual([])
  })

  it.each(['connect', 'ranges', 'run'] as const)('is tried again at each step: %s', async (step) => {
    const left = {[step]: 2}
    const failing = async <T>(name: string, result: T) => {
      if ((left[name] ?? 0) > 0 && left[name]!-- > 0) throw refused
      return result
    }

    const joined = Promise.withResolvers<undefined>()
    const {takeAny} = setUp({
      untilEnd: true,
      consumer: {
        connect: () => failing('connect', undefined),
        ranges: () => failing('ranges', []),
        async run(handlers) {
          await failing('run', undefined)
          handlers.assigned([])
          joined.resolve(undefined)
        },
      },
    })
    expect(await takeAny()).toBeUndefined()
    await joined.promise
  })

  it('ends the read at once where no wait mends it', async () => {
    const missing = new NotFoundError('there is no such topic')
    const {rest, clock} = setUp({consumer: {connect: () => Promise.reject(missing)}})
    expect(await rest()).toBe(missing)
    expect(clock.now()).toBe(0)
  })

  it.each(['connect', 'ranges', 'run'] as const)('and does not answer is not waited for once the signal fires: %s', async (step) => {
    const {takeAny, stop} = setUp({untilEnd: true, consumer: {[step]: () => new Promise<never>(() => {})}})
    const ending = takeAny()
    await settled()
    stop()
    expect(await ending).toBeUndefined()
  })
})

describe('a connection that breaks', () => {
  const gone = new UnavailableError('connection refused', {suggestion: 'Is the broker running?'})

  it('is waited for while it is being mended, and told', async () => {
    const {source, start, running, takeOf, join, warnings} = setUp()
    await start(0)
    expect(source.isConnected()).toBe(true)
    const handlers = await running
    void handlers.broken(gone, true)
    expect(source.isConnected()).toBe(false)
    expect(warnings()).toEqual([
      {event: 'kafka.reconnecting', code: 'UNAVAILABLE', message: 'connection refused', suggestion: 'Is the broker running?'},
    ])
    await join(0)
    expect(source.isConnected()).toBe(true)
    expect(await takeOf({offsets: [3]})).toHaveLength(1)
  })

  it('ends the read where it is not being mended', async () => {
    const {start, running, rest} = setUp()
    await start(0)
    const handlers = await running
    void handlers.broken(gone, false)
    expect(await rest()).toBe(gone)
  })

  it.each([
    new UnavailableError('certificate', {permanent: true}),
    new UnavailableError('LZ4 compression not implemented', {permanent: true}),
  ])('ends the read where no wait mends it: $message', async (error) => {
    const {start, running, rest} = setUp()
    await start(0)
    const handlers = await running
    void handlers.broken(error, true)
    expect(await rest()).toBe(error)
  })

  it('ends the read also while a chunk waits to be taken', async () => {
    const {start, deliver, running, rest} = setUp()
    await start(0)
    void deliver({offsets: [0]})
    const handlers = await running
    void handlers.broken(new AuthError('wrong password'), false)
    expect(await rest()).toBeInstanceOf(AuthError)
  })

  it('ends the read when it has lasted longer than the patience, counted from the first break', async () => {
    const {start, running, takeAny, clock} = setUp({forMilliseconds: 60_000})
    await start(0)
    const reading = takeAny()
    const handlers = await running
    const breakAt = async (milliseconds: number) => {
      await clock.sleep(milliseconds - clock.now(), never)
      void handlers.broken(gone, true)
      return Promise.race([reading, settled('not yet')])
    }

    for (const moment of [1000, 30_000, 55_000]) expect(await breakAt(moment)).toBe('not yet')
    await expect(breakAt(61_000)).rejects.toBe(gone)
  })

  it('is mended at once, and what does not stay mended is tried again every 5 s', async () => {
    const {start, running, join, clock} = setUp()
    await start(0)
    const handlers = await running
    const pauses: number[] = []
    for (let attempt = 0; attempt < 5; attempt++) {
      const begunAt = clock.now()
      await handlers.broken(gone, true)
      pauses.push(clock.now() - begunAt)
      if (attempt === 2) await join(0)
    }

    expect(pauses).toEqual([0, 5000, 5000, 0, 5000])
  })

  it('is not paused for once we are closed', async () => {
    const {source, start, running, clock} = setUp()
    await start(0)
    const handlers = await running
    await handlers.broken(gone, true)
    const pause = handlers.broken(gone, true)
    const begunAt = clock.now()
    await source.close()
    await pause
    expect(clock.now()).toBe(begunAt)
  })

  it('has its patience anew after each assignment', async () => {
    const {start, running, join, rest, clock} = setUp({forMilliseconds: 60_000})
    await start(0)
    const handlers = await running
    for (let outage = 0; outage < 3; outage++) {
      void handlers.broken(gone, true)
      await clock.sleep(59_000, never)
      void handlers.broken(gone, true)
      await join(0)
    }

    expect(await rest()).toBe('waits')
  })

  it('does not count as the end of the topic', async () => {
    const {start, running, rest} = setUp({untilEnd: true, ranges: [[0, 1]]})
    await start(0)
    const handlers = await running
    void handlers.broken(gone, true)
    handlers.passed(0, 1n)
    expect(await rest()).toBe('waits')
  })

  it('leaves nobody to commit to: close does not try', async () => {
    const {source, start, takeOf, running, rest, clock, calls} = setUp({consumer: {commit: () => Promise.reject(gone)}})
    await start(0)
    await source.ack(await takeOf({offsets: [0]}))
    const handlers = await running
    void handlers.broken(gone, false)
    await rest()
    const begunAt = clock.now()
    await source.close()
    expect(clock.now()).toBe(begunAt)
    expect(calls).toContain('close')
  })
})

describe('a broker that answers nothing any more', () => {
  const silent = (seconds: number) =>
    expect.objectContaining({message: expect.stringContaining(`not answered for ${seconds} s`) as string}) as Error

  it('is told after 10 s, and ends the read when the patience ends', async () => {
    const {start, silence, rest, clock, warnings} = setUp({forMilliseconds: 60_000})
    await start(0)
    silence()
    const begunAt = clock.now()
    expect(await rest()).toEqual(silent(60))
    expect(clock.now() - begunAt).toBeLessThanOrEqual(61_000)
    expect(warnings()).toEqual([{event: 'kafka.silent', message: 'the broker of topic "t" has not answered for 10 s'}])
  })

  it('is not taken for silent while nobody takes what it has sent: hardly anything is asked then', async () => {
    const {source, start, silence, deliver, take, rest, clock} = setUp({forMilliseconds: 2000})
    await start(0)
    const delivering = deliver({offsets: [0]})
    silence()
    await clock.sleep(20_000, never)
    expect(source.isConnected()).toBe(true)
    const [chunk] = await Promise.all([take(), delivering])
    expect(chunk).toHaveLength(1)
    expect(await rest()).toEqual(silent(2))
  })

  it('is one to which we are not connected, from when it is told', async () => {
    const {source, start, silence, clock} = setUp()
    await start(0)
    silence()
    await clock.sleep(9000, never)
    expect(source.isConnected()).toBe(true)
    await clock.sleep(3000, never)
    expect(source.isConnected()).toBe(false)
  })

  it('has 30 s also where nothing is tried twice', async () => {
    const {start, silence, rest} = setUp({forMilliseconds: 0})
    await start(0)
    silence()
    expect(await rest()).toEqual(silent(30))
  })

  it('ends the read with what broke, where anything is known', async () => {
    const {start, running, silence, rest} = setUp({forMilliseconds: 60_000})
    await start(0)
    const refused = new UnavailableError('connection refused')
    void (await running).broken(refused, true)
    silence()
    expect(await rest()).toBe(refused)
  })

  it('is waited for as long as a join may take, while we join', async () => {
    const {start, running, silence, rest, clock} = setUp({forMilliseconds: 5000})
    await start(0)
    await (await running).leaving()
    silence()
    const begunAt = clock.now()
    expect(await rest()).toEqual(silent(85))
    expect(clock.now() - begunAt).toBeGreaterThan(80_000)
  })

  it('ends the read also where the first join never ends', async () => {
    const {source, running, silence, takeAny, clock} = setUp({
      forMilliseconds: 5000,
      consumer: {run: () => new Promise<never>(() => {})},
    })
    void running
    silence()
    await expect(takeAny()).rejects.toEqual(silent(5))
    const begunAt = clock.now()
    await source.close()
    expect(clock.now() - begunAt).toBeLessThanOrEqual(1000)
  })

  it('is taken leave of for 1 s and no longer', async () => {
    const {source, start, silence, rest, clock} = setUp({forMilliseconds: 5000, consumer: {close: () => new Promise(() => {})}})
    await start(0)
    silence()
    await rest()
    const begunAt = clock.now()
    await source.close()
    expect(clock.now() - begunAt).toBe(1000)
  })

  it('is waited for 1 s and no longer at the end once the run is aborted', async () => {
    const {source, start, silence, abort, clock} = setUp({forMilliseconds: Infinity, consumer: {close: () => new Promise(() => {})}})
    await start(0)
    silence()
    const begunAt = clock.now()
    const closing = source.close()
    abort()
    await closing
    expect(clock.now() - begunAt).toBe(1000)
  })
})
