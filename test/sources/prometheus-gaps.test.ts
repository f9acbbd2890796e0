import {describe, expect, it} from 'vitest'
import type {Asked} from '../fakes/prometheus-server.ts'
import {AuthError, DataError, UnavailableError, UsageError} from '../../src/lib/errors.ts'
import {answerOf, answerTo, hang, momentsIn} from '../fakes/prometheus-server.ts'
import {cursorAt, INTERVAL, momentOf, onlyJob, remembering, secondsOf, setUp, textsOf} from './prometheus-reader.ts'

const away = () => new UnavailableError('503')
const isLater = ({kind}: Asked) => kind === 'range'
/** Of so many series one has values. */
const wideAnswerTo = (asked: Asked, series: number) => {
  const empty = answerOf([{labels: {}, points: []}]).series[0]!
  return {...answerOf([]), series: [...answerTo(asked).series, ...Array<typeof empty>(series - 1).fill(empty)]}
}

describe('a gap', () => {
  it('is asked for in one range, aligned, with the missing moments and no others', async () => {
    const scene = await setUp({startAt: 100, memory: await remembering({q: cursorAt(7)})})
    expect(await scene.readUntil(104)).toEqual([15, 30, 45, 60, 75, 90].map((moment) => `q@${moment}*`))
    expect(scene.asked()).toEqual(['q@15..90'])
    expect(scene.server.requests[0]!.stepMilliseconds).toBe(INTERVAL * 1000)
  })

  it('of several is filled where it is, and what lies between them is not read again', async () => {
    const cursor = cursorAt(90, [0, 30], [45, 90])
    const scene = await setUp({startAt: 100, memory: await remembering({q: cursor})})
    await scene.readUntil(104)
    expect(scene.asked()).toEqual(['q@15', 'q@60..75'])
  })

  it('of one moment is asked for as a moment', async () => {
    const scene = await setUp({startAt: 20, memory: await remembering({q: cursorAt(0)})})
    expect(await scene.readUntil(24)).toEqual(['q@15*'])
    expect(scene.server.requests.map(({kind}) => kind)).toEqual(['instant'])
  })

  it('in a schedule whose moments are not regular is asked for moment by moment', async () => {
    const moments = [100, 400, 450, 1000].map(momentOf)
    const next = (after: number) => moments.find((moment) => moment > after) ?? momentOf(1e6)
    const memory = await remembering({q: cursorAt(0)})
    const scene = await setUp({startAt: 500, timetable: {next, stepMilliseconds: undefined}, memory})
    await scene.readUntil(900)
    expect(scene.asked()).toEqual(['q@100', 'q@400', 'q@450'])
  })

  it('is settled by an empty answer', async () => {
    const scene = await setUp({startAt: 100, memory: await remembering({q: cursorAt(0)}), answer: () => answerOf([])})
    expect(await scene.readUntil(104)).toEqual([])
    expect(onlyJob(scene).missing()).toBe(0)
    await scene.source.close()
    expect(scene.memory.cursors.get('q')).toBe(cursorAt(90))
  })

  it('stays one while its answer is not acknowledged', async () => {
    const scene = await setUp({startAt: 100, memory: await remembering({q: cursorAt(0)})})
    const reader = scene.reader()
    const chunk = await reader.take()
    expect(chunk).toHaveLength(6)
    expect(JSON.parse(onlyJob(scene).progress.cursor()!)).toMatchObject({gaps: [[momentOf(0), momentOf(100) + 1]]})
    await scene.source.ack(chunk!)
    expect(onlyJob(scene).progress.cursor()).toBe(cursorAt(90))
  })

  it('stays one where nothing is caught up, and is not asked for', async () => {
    const scene = await setUp({startAt: 100, catchesUp: false, memory: await remembering({q: cursorAt(0)})})
    expect(await scene.readUntil(110)).toEqual(['q@105'])
  })

  it('of a query that has values at moments and none over a range is asked for moment by moment', async () => {
    const scene = await setUp({
      async answer(asked) {
        if (isLater(asked)) throw new UsageError('invalid expression type "range vector"')
        if (asked.from === momentOf(15)) await scene.sleep(50)
        return answerTo(asked)
      },
    })
    expect((await scene.readUntil(70)).toSorted()).toEqual(['q@15', 'q@30*', 'q@45*', 'q@5', 'q@60*'])
    expect(scene.asked()).toEqual(['q@5', 'q@15', 'q@30..60', 'q@30', 'q@45', 'q@60'])
  })

  it('that cannot be asked for because of a bug of ours ends the run', async () => {
    const bug = new TypeError('a bug')
    const scene = await setUp({
      startAt: 100,
      memory: await remembering({q: cursorAt(0)}),
      answer() {
        throw bug
      },
    })
    await expect(scene.readUntil()).rejects.toBe(bug)
    expect(secondsOf(scene.clock.now())).toBe(100)
  })
})

describe('gaps', () => {
  it('are filled oldest first across the queries of a server, one range at a time', async () => {
    const memory = await remembering({a: cursorAt(-1000), b: cursorAt(-2000), c: cursorAt(-1900)})
    const scene = await setUp({
      startAt: 1,
      queries: ['a', 'b', 'c'],
      memory,
      rules: {maxSeries: 10_000},
      answer: (asked) => scene.sleep(0.1).then(() => wideAnswerTo(asked, 5000)), // so that a portion has 20 moments
    })
    await scene.readUntil(14)
    const begins = scene.server.requests.map(({from, to, expression}) => ({expression, from: secondsOf(from), to: secondsOf(to)}))
    expect(begins[0]).toEqual({expression: 'b', from: -1995, to: -1710})
    expect(begins[1]).toEqual({expression: 'c', from: -1890, to: -1605})
    expect(begins[2]).toEqual({expression: 'b', from: -1695, to: -1410})
    expect(begins.findIndex(({expression}) => expression === 'a')).toBeGreaterThan(5)
    expect(scene.server.most).toEqual({requests: 1, ranges: 1})
    expect(onlyJob(scene).missing()).toBe(0)
  })

  it('of one server do not wait for another, which hangs', async () => {
    const scene = await setUp({
      startAt: 100,
      servers: {north: hang, south: (asked) => answerTo(asked)},
      memory: await remembering({'north: q': cursorAt(0), 'south: q': cursorAt(60)}),
    })
    expect(await scene.readUntil(104)).toEqual(['south: q@75*', 'south: q@90*'])
  })
})

describe('a portion', () => {
  const longAgo = -15 * 30_000
  const momentsAsked = (requests: readonly Asked[]) => requests.map((asked) => momentsIn(asked).length)

  it.each([
    {series: 1, moments: 11_000},
    {series: 100, moments: 1000},
    {series: 900, moments: 111},
  ])('has $moments moments of a query that finds $series series', async ({series, moments}) => {
    const scene = await setUp({
      startAt: 1,
      memory: await remembering({q: cursorAt(longAgo)}),
      answer: (asked) => wideAnswerTo({...asked, to: asked.from}, series),
    })
    const reader = scene.reader()
    for (let chunk = 0; chunk < 20 && scene.server.requests.length < 3; chunk++) await reader.take()
    expect(momentsAsked(scene.server.requests).slice(0, 2)).toEqual([20, moments])
  })

  it('has one moment of a query that finds more than is asked for at once', async () => {
    const scene = await setUp({
      startAt: 100,
      memory: await remembering({q: cursorAt(-15 * 20)}),
      rules: {maxSeries: 200_000},
      answer: (asked) => wideAnswerTo(asked, 150_000),
    })
    await scene.readUntil(104)
    expect(momentsAsked(scene.server.requests)).toEqual([20, 1, 1, 1, 1, 1, 1])
  })

  it('is half of one that failed, and grows again as they succeed', async () => {
    const scene = await setUp({
      startAt: 1,
      memory: await remembering({q: cursorAt(-15 * 200)}),
      answer(asked) {
        if (momentsIn(asked).length > 6) throw new DataError('too many', 'too many')
        return answerTo(asked)
      },
    })
    await scene.readUntil(14)
    expect(momentsAsked(scene.server.requests.filter(isLater)).slice(0, 5)).toEqual([20, 10, 5, 10, 5])
  })

  it('is half of one that failed also where the gap is short', async () => {
    const scene = await setUp({
      startAt: 100,
      memory: await remembering({q: cursorAt(40)}),
      answer(asked) {
        if (isLater(asked)) throw away()
        return answerTo(asked)
      },
    })
    await scene.readUntil(104)
    expect(scene.asked()).toEqual(['q@45..90', 'q@45..60', 'q@45', 'q@60..75'])
  })

  it('that fails for one moment waits for longer and longer, up to a minute, and settles nothing', async () => {
    const at: number[] = []
    const scene = await setUp({
      startAt: 20,
      memory: await remembering({q: cursorAt(0)}),
      answer(asked) {
        if (asked.from > momentOf(15)) return answerOf([])
        at.push(secondsOf(scene.clock.now()))
        throw away()
      },
    })
    await scene.readUntil(200)
    expect(at).toEqual([20, 21, 23, 27, 35, 51, 83, 143])
    expect(JSON.parse(onlyJob(scene).progress.cursor()!)).toMatchObject({gaps: [[momentOf(0), expect.any(Number)]]})
  })

  it('that rests has one timer, however often a gap may have opened meanwhile', async () => {
    const scene = await setUp({
      startAt: 20,
      queries: ['bad', 'good'],
      memory: await remembering({bad: cursorAt(0)}),
      answer: (asked) => (asked.from === momentOf(15) ? Promise.reject(away()) : answerOf([])),
    })
    const reading = scene.readUntil(202)
    await scene.until(201)
    expect(scene.timers()).toBe(3) // one until the next cycle, one until it has rested, and one of this test
    await reading
  })

  it('that can never be answered does not keep later ones from being filled, and has its turn again when they are', async () => {
    let isWell = false
    const scene = await setUp({
      startAt: 100,
      memory: await remembering({q: cursorAt(0)}),
      answer(asked) {
        const isBad = [30, 45].some((seconds) => momentsIn(asked).includes(momentOf(seconds)))
        if (isBad && !isWell) throw new DataError('execution', 'many-to-many matching')
        return answerTo(asked)
      },
    })
    void scene.until(160).then(() => (isWell = true))
    const fills = (await scene.readUntil(300)).filter((text) => text.endsWith('*'))
    expect(fills.slice(0, 4)).toEqual(['q@15*', 'q@60*', 'q@75*', 'q@90*'])
    expect(fills.slice(4).toSorted()).toEqual(['q@30*', 'q@45*'])
    expect(scene.source.lag()).toBe(0)
  })

  it('of another query is asked for while one rests', async () => {
    const scene = await setUp({
      startAt: 100,
      queries: ['bad', 'good'],
      memory: await remembering({bad: cursorAt(0), good: cursorAt(60)}),
      answer(asked) {
        if (asked.expression === 'bad') throw away()
        return answerTo(asked)
      },
    })
    expect(await scene.readUntil(100.5)).toEqual(['good@75*', 'good@90*'])
  })
})

describe('what is live', () => {
  const manySeries = (asked: Asked) => answerTo(asked, 200)

  it('goes before the rest of what fills a gap', async () => {
    const scene = await setUp({startAt: 10, memory: await remembering({q: cursorAt(-600)}), answer: manySeries})
    const reader = scene.reader()
    expect(textsOf(await reader.take())[0]).toBe('q@-585*')
    await scene.until(16)
    expect(textsOf(await reader.take())).toEqual(Array(200).fill('q@15'))
    expect(textsOf(await reader.take())[0]).toMatch(/^q@-.*\*$/)
  })

  it('is acknowledged without the gap that it came between', async () => {
    const scene = await setUp({startAt: 10, memory: await remembering({q: cursorAt(-600)}), answer: manySeries})
    const reader = scene.reader()
    const first = await reader.take()
    await scene.until(16)
    const live = await reader.take()
    await scene.source.ack([...first!, ...live!])
    const {until, gaps} = JSON.parse(onlyJob(scene).progress.cursor()!) as {until: number; gaps: [number, number][]}
    expect(until).toBe(momentOf(15))
    expect(gaps[0]![0]).toBe(momentOf(-600))
  })

  it('is not delayed by what fills gaps, however much that is, and does not delay it for ever', async () => {
    const scene = await setUp({
      startAt: 10,
      memory: await remembering({q: cursorAt(-15 * 400)}),
      rules: {concurrency: 1},
      answer: (asked) => scene.sleep(3).then(() => wideAnswerTo(asked, 1000)),
    })
    const read = await scene.readUntil(100)
    const moments = (isFill: boolean) => [...new Set(read.filter((text) => text.endsWith('*') === isFill))]
    expect(moments(false)).toEqual(['q@15', 'q@30', 'q@45', 'q@60', 'q@75', 'q@90'])
    expect(moments(true).length).toBeGreaterThan(300)
    expect(scene.server.most.requests).toBe(1)
  })
})

describe('while nobody takes anything', () => {
  it('one live answer a query waits, and of a server two that fill gaps', async () => {
    const scene = await setUp({
      queries: ['a', 'b', 'c'],
      servers: {north: (asked) => answerTo(asked), south: (asked) => answerTo(asked)},
      memory: await remembering(
        Object.fromEntries(['a', 'b', 'c'].flatMap((query) => ['north', 'south'].map((server) => [`${server}: ${query}`, cursorAt(-1e6)]))),
      ),
    })
    const reader = scene.reader()
    await reader.takeAny()
    await scene.until(1000)
    for (const {requests} of scene.servers) {
      expect(requests.filter(({from}) => from >= momentOf(0))).toHaveLength(3)
      expect(requests.filter(({from}) => from < momentOf(0)).length).toBeLessThanOrEqual(2)
    }
  })

  it('what is on its way is no gap: when it arrives, what was skipped meanwhile is, and nothing else', async () => {
    const scene = await setUp()
    const reader = scene.reader()
    const first = await reader.take() // 5
    await scene.until(16)
    const second = await reader.take() // 15
    await scene.until(61) // 30 waits, 45 and 60 are skipped
    expect(scene.asked()).toEqual(['q@5', 'q@15', 'q@30'])
    expect(scene.source.lag()).toBe(5)
    const third = await reader.take()
    await scene.source.ack([...first!, ...second!, ...third!])
    expect(textsOf(await reader.take())).toEqual(['q@45*', 'q@60*'])
    expect(scene.asked()).toEqual(['q@5', 'q@15', 'q@30', 'q@45..60'])
  })

  it('an empty answer is settled in its turn, and makes no gap of the one before', async () => {
    const scene = await setUp({answer: (asked) => (asked.from === momentOf(15) ? answerOf([]) : answerTo(asked))})
    const reader = scene.reader()
    const first = await reader.take()
    const next = reader.take()
    await scene.until(20)
    expect(onlyJob(scene).progress.accountedUntil()).toBe(momentOf(5) - 1)
    await scene.source.ack(first!)
    expect(onlyJob(scene).progress.cursor()).toBe(cursorAt(15))
    expect(textsOf(await next)).toEqual(['q@30'])
    expect(scene.asked()).toEqual(['q@5', 'q@15', 'q@30'])
  })

  it('an empty answer is settled in its turn also when it comes in the middle of a fill', async () => {
    const scene = await setUp({
      startAt: 10,
      memory: await remembering({q: cursorAt(-600)}),
      async answer(asked) {
        if (asked.kind === 'range') await scene.sleep(6)
        return asked.from === momentOf(30) ? answerOf([]) : answerTo(asked, 200)
      },
    })
    const {take} = scene.reader()
    const live = await take()
    const fill = await take()
    expect([textsOf(live)[0], textsOf(fill)[0]]).toEqual(['q@15', 'q@-585*'])
    await scene.until(31)
    await take()
    expect(onlyJob(scene).progress.accountedUntil()).toBeLessThan(momentOf(15))
    await scene.source.ack([...live!, ...fill!])
    expect(onlyJob(scene).progress.accountedUntil()).toBe(momentOf(30))
  })
})

describe('the past', () => {
  const past = async (options: Parameters<typeof setUp>[0] = {}) =>
    setUp({kind: 'backfill', startAt: 10_000, memory: await remembering({q: cursorAt(600, [0, 601])}), ...options})
  const all = Array.from({length: 40}, (_, index) => `q@${15 * (index + 1)}*`)

  it('is asked for in order, once, and then the read ends', async () => {
    const scene = await past()
    expect(await scene.readUntil()).toEqual(all)
    await scene.source.complete()
    expect(scene.memory.cursors.get('q')).toBe(cursorAt(600))
    expect(scene.reports).toEqual([])
  })

  it('goes on where it was acknowledged when it was cut short', async () => {
    const scene = await past()
    const reader = scene.reader()
    const first = await reader.take()
    await scene.source.ack(first!)
    await reader.take()
    scene.stop()
    expect(await reader.take()).toBeUndefined()
    await scene.source.close()
    const rest = await past({memory: scene.memory})
    expect(await rest.readUntil()).toEqual(all.slice(first!.length))
    await rest.source.complete()
  })

  it('that is settled is not asked for', async () => {
    const scene = await past({memory: await remembering({q: cursorAt(600)})})
    expect(await scene.readUntil()).toEqual([])
    await scene.source.complete()
    expect(scene.asked()).toEqual([])
  })

  it('is given up when it was asked for in vain for as long as the patience lasts', async () => {
    const scene = await past({
      patience: 120,
      answer() {
        throw away()
      },
    })
    expect(await scene.readUntil()).toEqual([])
    expect(secondsOf(scene.clock.now())).toBeGreaterThan(10_060)
    expect(secondsOf(scene.clock.now())).toBeLessThanOrEqual(10_120)
    await expect(scene.source.complete()).rejects.toThrow('503')
  })

  it('has patience anew with each answer', async () => {
    let answered = 0
    let last = 0
    const scene = await past({
      patience: 20,
      answer(asked) {
        if (scene.clock.now() - last < 10_000) throw away()
        last = scene.clock.now()
        answered += momentsIn(asked).length
        return answerTo(asked)
      },
    })
    await scene.readUntil()
    await scene.source.complete()
    expect(answered).toBe(40)
  })

  it.each([new AuthError('401'), new UsageError('bad_data')])('is given up at once for what no wait mends: $name', async (error) => {
    const scene = await past({
      answer() {
        throw error
      },
    })
    await scene.readUntil()
    expect(secondsOf(scene.clock.now())).toBe(10_000)
    await expect(scene.source.complete()).rejects.toBe(error)
  })

  it('has its other moments filled when one of them has too many series, and then 3 is how it ends', async () => {
    const scene = await past({rules: {maxSeries: 2}, answer: (asked) => answerTo(asked, momentsIn(asked).includes(momentOf(75)) ? 3 : 1)})
    expect(await scene.readUntil()).toEqual(all.filter((text) => text !== 'q@75*'))
    expect(secondsOf(scene.clock.now())).toBeLessThan(10_060)
    await expect(scene.source.complete()).rejects.toMatchObject({code: 'PARTIAL', message: expect.stringContaining('1 of 1') as string})
    expect(JSON.parse(scene.memory.cursors.get('q')!)).toEqual({until: momentOf(600), gaps: [[momentOf(60), momentOf(90)]]})
  })

  it('of one query is asked for to its end when that of another was given up', async () => {
    const scene = await past({
      queries: ['bad', 'q'],
      patience: 20,
      memory: await remembering({bad: cursorAt(600, [0, 601]), q: cursorAt(600, [0, 601])}),
      answer(asked) {
        if (asked.expression === 'bad') throw away()
        return answerTo(asked)
      },
    })
    expect(await scene.readUntil()).toEqual(all)
    await expect(scene.source.complete()).rejects.toMatchObject({code: 'PARTIAL', message: expect.stringContaining('bad: 503') as string})
  })
})
