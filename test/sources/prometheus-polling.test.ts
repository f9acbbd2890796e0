import {describe, expect, it} from 'vitest'
import {AuthError, DataError, UnavailableError, UsageError} from '../../src/lib/errors.ts'
import {answerOf, answerTo, hang} from '../fakes/prometheus-server.ts'
import {never} from './kafka-reader.ts'
import {cursorAt, momentOf, remembering, secondsOf, setUp} from './prometheus-reader.ts'

const away = () => new UnavailableError('503')

describe('a cycle', () => {
  it('asks all queries of all servers for the same moment, side by side', async () => {
    const begun: number[] = []
    const answer = async (asked: Parameters<typeof answerTo>[0]) => {
      begun.push(secondsOf(scene.clock.now()))
      await scene.sleep(2)
      return answerTo(asked)
    }
    const scene = await setUp({queries: ['a', 'b', 'c'], servers: {north: answer, south: answer}})
    await scene.readUntil(16)
    expect(scene.asked().filter((text) => text.endsWith('@15'))).toEqual(
      ['north', 'south'].flatMap((server) => ['a', 'b', 'c'].map((query) => `${server}: ${query}@15`)),
    )
    expect(begun).toEqual([...Array<number>(6).fill(5), ...Array<number>(6).fill(15)])
  })

  it('comes at once in a first run, and then at whole multiples of the interval', async () => {
    const scene = await setUp({startAt: 7.25})
    expect(await scene.readUntil(50)).toEqual(['q@7.25', 'q@15', 'q@30', 'q@45'])
  })

  it('comes once at a moment at which the first run begins, and is not filled as well', async () => {
    const scene = await setUp({startAt: 15})
    expect(await scene.readUntil(35)).toEqual(['q@15', 'q@30'])
  })

  it('of a first run that came to nothing is a gap where it was due at that moment', async () => {
    let isAway = true
    const scene = await setUp({
      startAt: 15,
      answer(asked) {
        if (isAway) throw away()
        return answerTo(asked)
      },
    })
    void scene.until(20).then(() => (isAway = false))
    expect(await scene.readUntil(35)).toContain('q@15*')
  })

  it('that failed is a gap at once, and filled before a later one is answered', async () => {
    const scene = await setUp({
      answer(asked) {
        if (scene.clock.now() === momentOf(15)) throw away()
        return answerTo(asked)
      },
    })
    expect(await scene.readUntil(29)).toEqual(['q@5', 'q@15*'])
  })

  it('of a run with a cursor waits for the next moment, and what was due before is asked for later', async () => {
    const scene = await setUp({startAt: 37, memory: await remembering({q: cursorAt(0)})})
    expect((await scene.readUntil(50)).toSorted()).toEqual(['q@15*', 'q@30*', 'q@45'])
    expect(scene.asked()).toEqual(['q@15..30', 'q@45'])
  })

  it('comes when a cron expression is due, and not at once', async () => {
    const moments = [100, 400, 700].map(momentOf)
    const next = (after: number) => moments.find((moment) => moment > after) ?? Infinity
    const scene = await setUp({startAt: 50, timetable: {next, stepMilliseconds: undefined}})
    expect(await scene.readUntil(800)).toEqual(['q@100', 'q@400', 'q@700'])
  })

  it('that this machine slept through is a gap', async () => {
    const scene = await setUp()
    void scene.until(20).then(() => scene.leap(60))
    const reading = scene.readUntil(60)
    await reading
    expect(scene.asked()).toEqual(['q@5', 'q@15', 'q@30', 'q@105', 'q@45..90'])
  })

  it('comes once at a moment when the clock is put back', async () => {
    const scene = await setUp()
    void scene.until(35).then(() => scene.leap(-15))
    await scene.readUntil(100)
    expect(scene.asked()).toEqual(['q@5', 'q@15', 'q@30', 'q@45', 'q@60', 'q@75'])
  })

  it('that a run before has settled is no gap when the clock was put back since', async () => {
    const scene = await setUp({startAt: 20, memory: await remembering({q: cursorAt(60)})})
    const read = await scene.readUntil(100)
    expect(read.filter((text) => text.endsWith('*'))).toEqual([])
  })
})

describe('a cursor that is ahead of the clock', () => {
  it('by more than clocks are put back is told, and moments are asked for and settled from now on', async () => {
    const scene = await setUp({startAt: 20, memory: await remembering({q: cursorAt(3600, [3000, 3100])})})
    expect(await scene.readUntil(50)).toEqual(['q@30', 'q@45'])
    expect(scene.failures()).toEqual(['cursor.ahead'])
    await scene.source.close()
    expect(scene.memory.cursors.get('q')).toBe(cursorAt(45))
  })
})

describe('a query that hangs', () => {
  it('delays no other, and is skipped and counted until it is done', async () => {
    const scene = await setUp({
      queries: ['quick', 'slow'],
      async answer(asked) {
        if (asked.expression === 'slow' && asked.from === momentOf(15)) await scene.sleep(40)
        return answerTo(asked)
      },
    })
    const read = await scene.readUntil(70)
    expect(read.filter((text) => text.startsWith('quick'))).toEqual(['quick@5', 'quick@15', 'quick@30', 'quick@45', 'quick@60'])
    expect(read.filter((text) => /^slow.*\d$/.test(text))).toEqual(['slow@5', 'slow@15', 'slow@60'])
    expect(scene.reports.map(({at, succeeded, skipped, pending}) => [secondsOf(at), succeeded, skipped, pending])).toEqual([
      [5, 2, 0, 0],
      [15, 1, 0, 1],
      [30, 1, 1, 0],
      [45, 1, 1, 0],
      [60, 2, 0, 0],
    ])
  })

  it('has its missed moments asked for later, and no others', async () => {
    const scene = await setUp({
      async answer(asked) {
        if (asked.from === momentOf(15)) await scene.sleep(40)
        else if (scene.clock.now() < momentOf(55) && asked.from > momentOf(15)) throw away()
        return answerTo(asked)
      },
    })
    expect((await scene.readUntil(100)).toSorted()).toEqual(['q@15', 'q@30*', 'q@45*', 'q@5', 'q@60', 'q@75', 'q@90'])
  })
})

describe('the answer of a cycle', () => {
  it('that is empty settles its moment', async () => {
    const scene = await setUp({answer: () => answerOf([])})
    expect(await scene.readUntil(50)).toEqual([])
    await scene.source.close()
    expect(scene.memory.cursors.get('q')).toBe(cursorAt(45))
    expect(scene.reports.map(({status, samples}) => [status, samples])).toEqual(Array(4).fill(['healthy', 0]))
  })

  it('that is refused for too many series settles nothing', async () => {
    const scene = await setUp({rules: {maxSeries: 3}, answer: (asked) => answerTo(asked, 4)})
    expect(await scene.readUntil(50)).toEqual([])
    expect(scene.source.lag()).toBeGreaterThan(0)
    await scene.source.close()
    expect(JSON.parse(scene.memory.cursors.get('q')!)).toMatchObject({gaps: [[momentOf(5) - 1, momentOf(45) + 1]]})
    expect(scene.reports).toMatchObject(Array(4).fill({failed: 1, status: 'critical', errors: {DATA: 1}}))
  })
})

describe('before the first answer of a server', () => {
  it.each([
    new AuthError('401', {suggestion: 'Check --prometheus-token'}),
    new UsageError('bad_data'),
    new UnavailableError('404', {permanent: true}),
    new TypeError('a bug'),
  ])('$name that no wait mends ends an endless run', async (error) => {
    const scene = await setUp({
      answer() {
        throw error
      },
    })
    await expect(scene.readUntil()).rejects.toBe(error)
    expect(secondsOf(scene.clock.now())).toBe(5)
    expect(scene.timers()).toBe(0)
  })

  it.each([away(), new DataError('execution', '422')])('$name does not end an endless run', async (error) => {
    let isWell = false
    const scene = await setUp({
      answer(asked) {
        if (!isWell) throw error
        return answerTo(asked)
      },
    })
    void scene.until(40).then(() => (isWell = true))
    expect(await scene.readUntil(50)).toContain('q@45')
  })

  it('AuthError ends an endless run, though another server has answered and has a long past to tell', async () => {
    const scene = await setUp({
      startAt: 16,
      servers: {
        north: (asked) => answerTo(asked),
        south() {
          throw new AuthError('401')
        },
      },
      memory: await remembering({'north: q': cursorAt(-1_000_000), 'south: q': cursorAt(15)}),
    })
    const read = async () => {
      for await (const chunk of scene.source.read(never)) {
        await scene.sleep(1) // the next one is always there before
        await scene.source.ack(chunk)
      }
    }
    await expect(read()).rejects.toThrow('401')
    expect(secondsOf(scene.clock.now())).toBeLessThan(50)
    expect(scene.timers()).toBe(0)
  })

  it('UsageError of a query ends an endless run, though other queries were answered by that server', async () => {
    const scene = await setUp({
      queries: ['good', 'bad'],
      answer: (asked) =>
        asked.expression === 'good' ? answerTo(asked) : scene.sleep(1).then(() => Promise.reject(new UsageError('bad_data'))),
    })
    await expect(scene.readUntil()).rejects.toThrow('bad_data')
  })

  it('AuthError of a query ends no run when another query was answered by that server', async () => {
    const scene = await setUp({
      queries: ['open', 'secret'],
      answer(asked) {
        if (asked.expression === 'secret') return scene.sleep(1).then(() => Promise.reject(new AuthError('403')))
        return answerTo(asked)
      },
    })
    expect(await scene.readUntil(50)).toEqual(['open@5', 'open@15', 'open@30', 'open@45'])
  })
})

describe('after the first answer of a server', () => {
  it.each([new AuthError('401'), new UsageError('bad_data'), new UnavailableError('404', {permanent: true}), away()])(
    '$name ends no endless run, and what was missed is filled',
    async (error) => {
      let fails = false
      const scene = await setUp({
        answer(asked) {
          if (fails) throw error
          return answerTo(asked)
        },
      })
      void scene.until(20).then(() => (fails = true))
      void scene.until(50).then(() => (fails = false))
      const read = await scene.readUntil(130)
      expect(new Set(read.map((text) => text.replace('*', '')))).toEqual(
        new Set(['q@5', 'q@15', 'q@30', 'q@45', 'q@60', 'q@75', 'q@90', 'q@105', 'q@120']),
      )
    },
  )

  it('a bug ends it', async () => {
    const bug = new TypeError('a bug')
    const scene = await setUp({
      answer(asked) {
        if (asked.from === momentOf(15)) throw bug
        return answerTo(asked)
      },
    })
    await expect(scene.readUntil()).rejects.toBe(bug)
  })
})

describe('a server that is away', () => {
  it('is told once and not at each cycle, and again when it has come back', async () => {
    let isAway = true
    const scene = await setUp({
      answer(asked) {
        if (isAway) throw away()
        return answerTo(asked)
      },
    })
    void scene.until(200).then(() => (isAway = false))
    await scene.readUntil(300)
    expect(scene.events.filter(([level]) => level !== 'debug').map(([level, event]) => [level, event])).toEqual([
      ['warn', 'query.failed'],
      ['info', 'query.answered'],
    ])
  })

  it('is not asked again past nine tenths of the time to the next moment', async () => {
    const at: number[] = []
    const scene = await setUp({
      catchesUp: false,
      rules: {maxRetries: Infinity, retryDelayMilliseconds: 1000},
      answer(asked) {
        if (asked.from === momentOf(15)) at.push(secondsOf(scene.clock.now()))
        throw away()
      },
    })
    await scene.readUntil(35)
    expect(at).toEqual(Array.from({length: 14}, (_, index) => 15 + index))
  })
})

describe('the patience of an endless run', () => {
  it('ends it when a server has answered nothing for as long', async () => {
    const scene = await setUp({
      queries: ['a', 'b'],
      servers: {
        north: (asked) => answerTo(asked),
        south: (asked) => (asked.from <= momentOf(15) ? answerTo(asked) : Promise.reject(away())),
      },
      patience: 60,
    })
    await expect(scene.readUntil()).rejects.toThrow('503')
    expect(secondsOf(scene.clock.now())).toBe(30 + 60)
  })

  it('is not lost by a query that fails when the server answers another', async () => {
    const scene = await setUp({
      queries: ['good', 'bad'],
      answer: (asked) => (asked.expression === 'bad' ? Promise.reject(away()) : answerTo(asked)),
      patience: 60,
    })
    expect(await scene.readUntil(200)).toContain('good@195')
  })

  it('begins anew with each answer', async () => {
    const scene = await setUp({
      answer: (asked) => (asked.from % 45_000 === 0 ? answerTo(asked) : Promise.reject(away())),
      patience: 40,
    })
    expect(await scene.readUntil(300)).toContain('q@270')
  })

  it('is not lost by what a query finds: its server has answered', async () => {
    const scene = await setUp({answer: () => Promise.reject(new DataError('not executable', '422')), patience: 60})
    expect(await scene.readUntil(300)).toEqual([])
  })
})

describe('connected', () => {
  it('is a run whose first cycle has ended, however it did, while a server lets it in', async () => {
    let answer: () => ReturnType<typeof answerOf> = () => {
      throw away()
    }
    const scene = await setUp({answer: () => answer()})
    expect(scene.source.isConnected()).toBe(false)
    const reading = scene.readUntil(100)
    await scene.until(6)
    expect(scene.source.isConnected()).toBe(true)
    answer = () => answerOf([])
    await scene.until(31)
    answer = () => {
      throw new AuthError('401')
    }
    await scene.until(46)
    expect(scene.source.isConnected()).toBe(false)
    answer = () => answerOf([])
    await scene.until(61)
    expect(scene.source.isConnected()).toBe(true)
    await reading
  })
})

describe('a stop', () => {
  it.each([
    {when: 'while nothing is due', at: 10, answer: undefined},
    {when: 'in mid-request', at: 20, answer: hang},
    {
      when: 'in the wait before a retry',
      at: 16.5,
      answer() {
        throw away()
      },
    },
  ])('$when ends the read at once, and leaves nothing behind', async ({at, answer}) => {
    const scene = await setUp({
      queries: ['a', 'b', 'c'],
      rules: {concurrency: 2, maxRetries: Infinity},
      memory: await remembering({a: cursorAt(-100)}),
      answer: (asked) => (asked.from >= momentOf(15) && answer ? answer(asked) : answerTo(asked)),
    })
    await scene.readUntil(at)
    expect(secondsOf(scene.clock.now())).toBe(at)
    expect(scene.timers()).toBe(0)
    expect(scene.server.inFlight()).toBe(0)
    expect(scene.failures()).toEqual([])
    expect(scene.reports.map(({failed}) => failed)).toEqual(scene.reports.map(() => 0))
  })
})
