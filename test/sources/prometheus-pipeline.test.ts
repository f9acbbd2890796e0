import {describe, expect, it, onTestFinished} from 'vitest'
import type {Sink} from '../../src/lib/core/types.ts'
import type {Sample} from '../../src/lib/format/prometheus-sample.ts'
import type {Options} from './prometheus-reader.ts'
import {createLedger, isBalanced} from '../../src/lib/core/ledger.ts'
import {runPipeline} from '../../src/lib/core/pipeline.ts'
import {AuthError, UnavailableError} from '../../src/lib/errors.ts'
import {policy} from '../fakes/pipeline.ts'
import {answerTo} from '../fakes/prometheus-server.ts'
import {never} from './kafka-reader.ts'
import {cursorAt, momentOf, onlyJob, remembering, secondsOf, setUp} from './prometheus-reader.ts'

interface PipelineOptions extends Options {
  send?(rows: readonly string[], signal: AbortSignal): Promise<void>
  readonly count?: number
}

/** The source under the real pipeline, with a sink that the test decides about. */
async function setUpPipeline({send = async () => {}, count = 1000, ...options}: PipelineOptions = {}) {
  const scene = await setUp(options)
  const [stopping, aborting] = [new AbortController(), new AbortController()]
  onTestFinished(() => aborting.abort())
  const stored: string[] = []
  const ledger = createLedger()
  const sink: Sink<string> = {
    maxInFlight: 2,
    async check() {},
    async close() {},
    async send(rows, {signal}) {
      await send(rows, signal)
      stored.push(...rows)
    },
  }
  const transform = ({series, seconds}: Sample) => ({rows: [`${series.query.expression}@${secondsOf(seconds * 1000)}`]})
  const running = () =>
    runPipeline(
      {
        source: scene.source,
        transform,
        batch: {count, bytes: 8e6, milliseconds: 2000},
        sink,
        retry: policy,
        deadLetter: {async put() {}, async close() {}},
      },
      {
        clock: scene.clock,
        log: {debug() {}, info() {}, warn() {}, error() {}},
        random: () => 0.5,
        stop: stopping.signal,
        abort: aborting.signal,
      },
      ledger,
    )
  return {...scene, stored, ledger, run: running, stop: () => stopping.abort(), abort: () => aborting.abort()}
}

describe('a run', () => {
  it('stores each sample of each cycle once, and a stop leaves nothing unacknowledged', async () => {
    const scene = await setUpPipeline({queries: ['a', 'b'], answer: (asked) => answerTo(asked, 3)})
    void scene.until(50).then(scene.stop)
    await scene.run()
    expect(scene.stored).toEqual(
      [5, 15, 30, 45].flatMap((moment) => ['a', 'b'].flatMap((query) => Array<string>(3).fill(`${query}@${moment}`))),
    )
    expect(scene.ledger).toMatchObject({read: 24, written: 24, unacknowledged: 0})
    await scene.source.close()
    expect(scene.jobs.map(({progress}) => progress.cursor())).toEqual([cursorAt(45), cursorAt(45)])
    expect(scene.memory.cursors.get('b')).toBe(cursorAt(45))
  })

  it('with an end completes when all is stored, and its cursors are durable then', async () => {
    const scene = await setUpPipeline({kind: 'once', startAt: 100, count: 2, memory: await remembering({q: cursorAt(0)})})
    await scene.run()
    expect(scene.stored.toSorted()).toEqual(['q@100', 'q@15', 'q@30', 'q@45', 'q@60', 'q@75', 'q@90'])
    expect(scene.memory.cursors.get('q')).toBe(cursorAt(100))
  })

  it('with an end in which nothing is found completes', async () => {
    const scene = await setUpPipeline({kind: 'once', answer: (asked) => answerTo(asked, 0)})
    expect((await scene.run()).read).toBe(0)
    expect(scene.memory.cursors.get('q')).toBe(cursorAt(5))
  })

  it('with an end in which a query failed stores what the others found, and rejects', async () => {
    const scene = await setUpPipeline({
      kind: 'once',
      queries: ['a', 'b'],
      answer: (asked) => (asked.expression === 'a' ? Promise.reject(new AuthError('403')) : answerTo(asked)),
    })
    await expect(scene.run()).rejects.toMatchObject({code: 'PARTIAL'})
    expect(scene.stored).toEqual(['b@5'])
    expect(scene.memory.cursors.get('b')).toBe(cursorAt(5))
  })

  it('that a server does not let in rejects with why, and what another had answered is stored', async () => {
    const scene = await setUpPipeline({
      servers: {north: (asked) => answerTo(asked), south: () => scene.sleep(1).then(() => Promise.reject(new AuthError('401')))},
    })
    await expect(scene.run()).rejects.toThrow('401')
    expect(scene.stored).toEqual(['q@5'])
    expect(scene.ledger.unacknowledged).toBe(0)
  })
})

describe('a sink that is away', () => {
  it('leaves a bounded number of samples waiting, and when it is back nothing is missing and nothing comes twice', async () => {
    let isAway = true
    const scene = await setUpPipeline({
      queries: ['a', 'b'],
      answer: (asked) => answerTo(asked, 10),
      async send() {
        if (isAway) throw new UnavailableError('503')
      },
    })
    const running = scene.run()
    await scene.until(1000)
    expect(scene.ledger.unacknowledged).toBeLessThanOrEqual(2 * 10 * 4)
    expect(scene.server.requests.length).toBeLessThan(12)
    expect(scene.server.inFlight()).toBe(0)
    expect(scene.source.lag()).toBeGreaterThan(2 * 60)
    isAway = false
    await scene.until(1100)
    expect(scene.source.lag()).toBe(0)
    scene.stop()
    await running
    const expected = [5, ...Array.from({length: 73}, (_, index) => 15 * (index + 1))].flatMap((moment) =>
      ['a', 'b'].flatMap((query) => Array<string>(10).fill(`${query}@${moment}`)),
    )
    expect(scene.stored.toSorted()).toEqual(expected.toSorted())
    expect(isBalanced(scene.ledger)).toBe(true)
  })

  it('that is slower than the cycles is not given twice what it has already', async () => {
    const scene = await setUpPipeline({send: async (_, signal) => scene.clock.sleep(25_000, signal)})
    const running = scene.run()
    await scene.until(1000)
    scene.stop()
    await running
    expect(new Set(scene.stored).size).toBe(scene.stored.length)
  })

  it('leaves the cursor where it was when the run is aborted', async () => {
    const scene = await setUpPipeline({
      startAt: 20,
      memory: await remembering({q: cursorAt(0)}),
      send: (_, signal) => scene.clock.sleep(1e9, signal),
    })
    void scene.until(100).then(scene.abort)
    await expect(scene.run()).rejects.toThrow()
    await scene.source.close()
    const {until, gaps} = JSON.parse(scene.memory.cursors.get('q')!) as {until: number; gaps: [number, number][]}
    expect(gaps.some(([after, before]) => after < momentOf(15) && momentOf(15) < before)).toBe(true)
    expect(until).toBeLessThan(momentOf(30))
    expect(scene.timers()).toBe(0)
  })

  it('whose writes fail for good ends the run, with the cursor behind what was stored', async () => {
    let writes = 0
    const scene = await setUpPipeline({
      async send() {
        if (++writes > 2) throw new AuthError('401')
      },
    })
    await expect(scene.run()).rejects.toThrow('401')
    await scene.source.close()
    expect(scene.stored).toEqual(['q@5', 'q@15'])
    expect(onlyJob(scene).progress.accountedUntil()).toBe(momentOf(15))
    expect(scene.timers()).toBe(0)
  })
})

describe('an abort', () => {
  it.each([3, 5, 16, 31.5, 47])('after %d s leaves no timer and no request', async (seconds) => {
    const scene = await setUpPipeline({
      queries: ['a', 'b', 'c'],
      startAt: 1,
      rules: {concurrency: 2, maxRetries: 5},
      memory: await remembering({a: cursorAt(-3000), b: cursorAt(-3000)}),
      answer: (asked) =>
        scene.clock
          .sleep(700, asked.signal)
          .then(() => (asked.from % 45_000 === 0 ? Promise.reject(new UnavailableError('503')) : answerTo(asked))),
      send: (_, signal) => scene.clock.sleep(900, signal),
    })
    void scene.clock.sleep(seconds * 1000, never).then(scene.abort)
    await scene.run().catch(() => {})
    await scene.source.close()
    expect(scene.timers()).toBe(0)
    expect(scene.server.inFlight()).toBe(0)
  })
})
