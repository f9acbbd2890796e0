import {describe, expect, it} from 'vitest'
import {AuthError, DataError, IoError, UnavailableError} from '../../src/lib/errors.ts'
import {memoryCheckpoint} from '../fakes/memory-checkpoint.ts'
import {answerOf, answerTo, hang} from '../fakes/prometheus-server.ts'
import {settled} from './kafka-reader.ts'
import {cursorAt, momentOf, onlyJob, remembering, secondsOf, setUp, textsOf} from './prometheus-reader.ts'

const away = () => new UnavailableError('503')
const untilOf = (cursor: string) => secondsOf((JSON.parse(cursor) as {until: number}).until)

describe('a message', () => {
  it('is a sample: its series, its query and server, and the moment of its cycle', async () => {
    const labels = {__name__: 'up', instance: 'a:1'}
    const answer = () =>
      answerOf([
        {
          labels,
          points: [
            [momentOf(5) / 1000, '1'],
            [momentOf(5) / 1000, null],
          ],
        },
      ])
    const scene = await setUp({queries: ['up'], servers: {north: answer}})
    const [first, second] = (await scene.reader().take())!
    expect(first!.value).toMatchObject({
      series: {labels, isText: false, query: {expression: 'up'}, server: 'north', cycle: momentOf(5)},
      seconds: momentOf(5) / 1000,
      measured: '1',
    })
    expect(second!.value.measured).toBeNull()
    expect(first!.position.partition).toBe('north: up/0')
    expect(scene.source.describe(first!.position)).toBe(`north: up/0/${first!.position.offset}`)
  })

  it('has a name that no message of a run before had', async () => {
    const nameOfFirst = async (startAt: number) => {
      const {source, reader} = await setUp({startAt})
      return source.describe((await reader().take())![0]!.position)
    }
    expect(await nameOfFirst(5)).not.toBe(await nameOfFirst(5.001))
  })

  it('of what was asked for later tells of no cycle', async () => {
    const scene = await setUp({startAt: 40, memory: await remembering({q: cursorAt(0)})})
    expect((await scene.reader().take())!.map(({value}) => value.series.cycle)).toEqual([undefined, undefined])
  })
})

describe('a flush', () => {
  it('is asked for whenever nothing more is at hand, and not before', async () => {
    const scene = await setUp({queries: ['a', 'b']})
    const {takeAny} = scene.reader()
    const chunks = [await takeAny(), await takeAny(), await takeAny(), await takeAny(), await takeAny(), await takeAny(), await takeAny()]
    expect(chunks.map((chunk) => textsOf(chunk))).toEqual([[], ['a@5'], ['b@5'], [], ['a@15'], ['b@15'], []])
  })
})

describe('a moment', () => {
  it('is settled when its last sample is acknowledged, and the cursor follows', async () => {
    const scene = await setUp({answer: (asked) => answerTo(asked, 3)})
    const chunk = (await scene.reader().take())!
    await scene.source.ack(chunk.slice(0, 2))
    await onlyJob(scene).flush()
    expect(untilOf(scene.memory.cursors.get('q')!)).toBe(4.999)
    expect(scene.reports).toEqual([])
    await scene.source.ack(chunk.slice(2))
    await onlyJob(scene).flush()
    expect(scene.memory.cursors.get('q')).toBe(cursorAt(5))
    expect(scene.reports).toMatchObject([{succeeded: 1, samples: 3}])
  })

  it('whose answer takes several chunks is settled by the last of them', async () => {
    const scene = await setUp({rules: {maxSeries: 5000}, answer: (asked) => answerTo(asked, 2000)})
    const {take} = scene.reader()
    await scene.source.ack((await take())!)
    expect(untilOf(onlyJob(scene).progress.cursor()!)).toBe(4.999)
    await scene.source.ack((await take())!)
    expect(onlyJob(scene).progress.cursor()).toBe(cursorAt(5))
  })

  it('of each query is settled by its own acknowledgement, also where one batch holds many', async () => {
    const scene = await setUp({queries: ['a', 'b', 'c']})
    const {take} = scene.reader()
    const [a, b] = [await take(), await take(), await take()]
    await scene.source.ack([...a!, ...b!])
    expect(scene.jobs.map(({progress}) => untilOf(progress.cursor()!))).toEqual([5, 5, 4.999])
  })
})

describe('lag', () => {
  it('counts what is on its way, what is a gap, and nothing that is settled', async () => {
    const scene = await setUp({startAt: 40, queries: ['old', 'new'], memory: await remembering({old: cursorAt(0)})})
    const {take} = scene.reader()
    const chunks = [await take(), await take()]
    expect(chunks.map(textsOf)).toEqual([['new@40'], ['old@15*', 'old@30*']])
    expect(scene.source.lag()).toBe(1 + 2)
    await scene.source.ack(chunks[0]!)
    expect(scene.source.lag()).toBe(2)
    await scene.source.ack(chunks[1]!)
    expect(scene.source.lag()).toBe(0)
  })

  it('counts no gaps where none is filled', async () => {
    const scene = await setUp({startAt: 40, catchesUp: false, memory: await remembering({q: cursorAt(0)})})
    const reading = scene.readUntil(44)
    await scene.until(41)
    expect(scene.source.lag()).toBe(0)
    await reading
  })
})

describe('a cursor that cannot be saved', () => {
  const full = () =>
    memoryCheckpoint(() => {
      throw new IoError('disk full')
    })

  it('is told, and does not end an endless run', async () => {
    const scene = await setUp({memory: full()})
    expect(await scene.readUntil(50)).toEqual(['q@5', 'q@15', 'q@30', 'q@45'])
    expect(new Set(scene.failures())).toEqual(new Set(['cursor.unsaved']))
    await scene.source.close()
  })

  it('ends a run that has an end with IoError', async () => {
    const scene = await setUp({kind: 'once', memory: full()})
    expect(await scene.readUntil()).toEqual(['q@5'])
    await expect(scene.source.complete()).rejects.toThrow(IoError)
    await scene.source.close()
  })

  it('for a while only has no consequence', async () => {
    let failures = 2
    const memory = memoryCheckpoint(() => {
      if (failures-- > 0) throw new IoError('disk full')
    })
    const scene = await setUp({kind: 'once', memory})
    await scene.readUntil()
    await scene.source.complete()
    expect(memory.cursors.get('q')).toBe(cursorAt(5))
  })

  it('is saved behind the acknowledgement, which a slow disk does not delay', async () => {
    const scene = await setUp({memory: memoryCheckpoint(() => new Promise(() => {}))})
    expect(await scene.readUntil(50)).toEqual(['q@5', 'q@15', 'q@30', 'q@45'])
  })
})

describe('a close', () => {
  it('waits for the cursors, and closes each server once', async () => {
    const save = Promise.withResolvers<undefined>()
    const scene = await setUp({kind: 'once', queries: ['a', 'b'], memory: memoryCheckpoint(() => save.promise)})
    await scene.readUntil()
    const closing = scene.source.close().then(() => 'closed')
    expect(await Promise.race([closing, settled('not yet')])).toBe('not yet')
    save.resolve(undefined)
    expect(await closing).toBe('closed')
    expect(scene.memory.cursors.get('b')).toBe(cursorAt(5))
    expect(scene.server.closings()).toBe(1)
  })
})

describe('a single cycle', () => {
  it('asks for now, and ends', async () => {
    const scene = await setUp({kind: 'once', startAt: 7.25, queries: ['a', 'b']})
    expect(await scene.readUntil()).toEqual(['a@7.25', 'b@7.25'])
    await scene.source.complete()
    expect(scene.memory.cursors.get('a')).toBe(cursorAt(7.25))
    expect(scene.reports).toMatchObject([{queries: 2, succeeded: 2, status: 'healthy'}])
    expect(scene.timers()).toBe(0)
  })

  it.each([
    {startAt: 100, missed: [22, 37, 52, 67, 82]},
    {startAt: 104.6, missed: [22, 37, 52, 67, 82, 97]},
    {startAt: 97, missed: [22, 37, 52, 67, 82]},
    {startAt: 14, missed: []},
    {startAt: 8, missed: []},
  ])(
    'at $startAt asks also for what was missed since 7: $missed, each a whole step after it, none within half a step of now',
    async (each) => {
      const {startAt, missed} = each
      const scene = await setUp({kind: 'once', startAt, memory: await remembering({q: cursorAt(7)})})
      expect((await scene.readUntil()).toSorted()).toEqual([`q@${startAt}`, ...missed.map((moment) => `q@${moment}*`)].toSorted())
      await scene.source.complete()
      expect(scene.memory.cursors.get('q')).toBe(cursorAt(startAt))
    },
  )

  it('that came to nothing the first time is asked for by the next one', async () => {
    const first = await setUp({
      kind: 'once',
      startAt: 100,
      patience: 0,
      answer() {
        throw away()
      },
    })
    await first.readUntil()
    await first.source.close()
    const second = await setUp({kind: 'once', startAt: 130, memory: first.memory})
    expect((await second.readUntil()).toSorted()).toEqual(['q@100*', 'q@115*', 'q@130'])
  })

  it('leaves what was missed where nothing is caught up', async () => {
    const scene = await setUp({kind: 'once', startAt: 100, catchesUp: false, memory: await remembering({q: cursorAt(7)})})
    expect(await scene.readUntil()).toEqual(['q@100'])
  })

  it('does not wait for what was missed with what it has', async () => {
    const scene = await setUp({
      kind: 'once',
      startAt: 100,
      memory: await remembering({q: cursorAt(7)}),
      answer: (asked) => (asked.kind === 'range' ? scene.sleep(20).then(() => answerTo(asked)) : answerTo(asked)),
    })
    const {takeAny} = scene.reader()
    expect([await takeAny(), await takeAny(), await takeAny()].map((chunk) => textsOf(chunk))).toEqual([[], ['q@100'], []])
    expect(secondsOf(scene.clock.now())).toBe(100)
  })

  it('ends with the error of the first query when all have failed', async () => {
    const error = new AuthError('401')
    const scene = await setUp({
      kind: 'once',
      queries: ['a', 'b'],
      answer: (asked) => Promise.reject(asked.expression === 'a' ? error : away()),
    })
    expect(await scene.readUntil()).toEqual([])
    await expect(scene.source.complete()).rejects.toBe(error)
    expect(scene.reports).toMatchObject([{failed: 2, status: 'critical', errors: {AUTH: 1, UNAVAILABLE: 1}}])
  })

  it('ends with 3 when some have failed, and names the first', async () => {
    const scene = await setUp({
      kind: 'once',
      patience: 0,
      queries: ['a', 'b', 'c'],
      answer: (asked) =>
        asked.expression === 'b' ? Promise.reject(new UnavailableError('503', {suggestion: 'Start it'})) : answerTo(asked),
    })
    expect(await scene.readUntil()).toEqual(['a@5', 'c@5'])
    await expect(scene.source.complete()).rejects.toMatchObject({
      code: 'PARTIAL',
      message: '1 of 3 queries failed, the first of them b: 503',
      suggestion: 'Start it',
    })
  })

  it('ends with 3 when all have failed because of what they found', async () => {
    const scene = await setUp({kind: 'once', answer: () => Promise.reject(new DataError('execution', '422'))})
    await scene.readUntil()
    await expect(scene.source.complete()).rejects.toMatchObject({code: 'PARTIAL', message: expect.stringContaining('1 of 1') as string})
  })

  it('ends with 3 when what was missed could not be asked for', async () => {
    const scene = await setUp({
      kind: 'once',
      startAt: 100,
      patience: 60,
      queries: ['a', 'b'],
      memory: await remembering({a: cursorAt(0)}),
      answer: (asked) => (asked.from < momentOf(100) ? Promise.reject(away()) : answerTo(asked)),
    })
    expect((await scene.readUntil()).toSorted()).toEqual(['a@100', 'b@100'])
    await expect(scene.source.complete()).rejects.toMatchObject({code: 'PARTIAL'})
  })

  it('tries a server that is away for as long as its patience lasts', async () => {
    const scene = await setUp({kind: 'once', patience: 60, rules: {maxRetries: Infinity}, answer: () => Promise.reject(away())})
    await scene.readUntil()
    expect(secondsOf(scene.clock.now())).toBeGreaterThan(5 + 50)
    expect(secondsOf(scene.clock.now())).toBeLessThanOrEqual(5 + 60)
    await expect(scene.source.complete()).rejects.toThrow('503')
  })

  it('gives up a query that hangs when its patience ends, and leaves no request behind', async () => {
    const scene = await setUp({
      kind: 'once',
      patience: 60,
      queries: ['slow', 'quick'],
      answer: (asked) => (asked.expression === 'slow' ? hang(asked) : answerTo(asked)),
    })
    expect(await scene.readUntil()).toEqual(['quick@5'])
    expect(secondsOf(scene.clock.now())).toBe(65)
    await expect(scene.source.complete()).rejects.toMatchObject({code: 'PARTIAL'})
    expect(scene.server.inFlight()).toBe(0)
    expect(scene.timers()).toBe(0)
  })
})

describe.each(['endless', 'once', 'backfill'] as const)('a stop of a run of kind %s', (kind) => {
  const open = async (answer?: Parameters<typeof setUp>[0] & object) =>
    setUp({
      kind,
      startAt: 1000,
      queries: ['a', 'b', 'c'],
      servers: {north: (asked) => answerTo(asked, 500), south: (asked) => answerTo(asked, 500)},
      memory: await remembering(
        Object.fromEntries(
          ['a', 'b'].flatMap((query) => ['north', 'south'].map((server) => [`${server}: ${query}`, cursorAt(900, [0, 900])])),
        ),
      ),
      ...answer,
    })

  async function endsSoon(scene: Awaited<ReturnType<typeof open>>, ending: Promise<unknown>): Promise<void> {
    const stoppedAt = scene.clock.now()
    await ending
    expect(scene.clock.now()).toBe(stoppedAt)
    await settled()
    expect(scene.timers()).toBe(0)
    expect(scene.servers.map(({inFlight}) => inFlight())).toEqual([0, 0])
    expect(scene.jobs.map(({givenUp}) => givenUp)).toEqual(scene.jobs.map(() => undefined))
    await scene.source.close()
  }

  it('with answers that nobody took ends the read', async () => {
    const scene = await open()
    const {take} = scene.reader()
    await take()
    await scene.sleep(20)
    scene.stop()
    await endsSoon(scene, take())
  })

  it('whose reader has gone away ends it, with answers that nobody took', async () => {
    const scene = await open()
    const {take, leave} = scene.reader()
    await take()
    await scene.sleep(20)
    await endsSoon(scene, leave()!)
  })

  it('in mid-request ends the read', async () => {
    const scene = await open({servers: {north: hang, south: hang}, patience: 0})
    const {take} = scene.reader()
    const next = take()
    await scene.sleep(5)
    scene.stop()
    await endsSoon(scene, next)
    expect(scene.failures()).toEqual([])
  })

  it('in the wait before a retry ends the read', async () => {
    const fails = () => Promise.reject(away())
    const scene = await open({servers: {north: fails, south: fails}, rules: {maxRetries: 10, retryDelayMilliseconds: 5000}})
    const {take} = scene.reader()
    const next = take()
    await scene.sleep(2.5)
    scene.stop()
    await endsSoon(scene, next)
  })

  it('before anything was asked asks nothing', async () => {
    const scene = await open()
    scene.stop()
    expect(await scene.readUntil(2000)).toEqual([])
    expect(scene.asked()).toEqual([])
    expect(onlyJob(scene).failure).toBeUndefined()
  })
})
