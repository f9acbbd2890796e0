import {describe, expect, it} from 'vitest'
import type {InfluxQuery} from '../../src/lib/clients/influx-query.ts'
import type {Letter, Sink} from '../../src/lib/core/types.ts'
import type {FluxRows} from '../../src/lib/format/annotated-csv.ts'
import type {Line} from '../../src/lib/format/line-protocol.ts'
import {createLedger, isBalanced} from '../../src/lib/core/ledger.ts'
import {createLimit} from '../../src/lib/core/limit.ts'
import {AuthError, DataError, IoError, NotFoundError, PartialError, UnavailableError} from '../../src/lib/errors.ts'
import {collectOnce, delayedSchedule} from '../../src/lib/jobs/collect.ts'
import {createCollectJob} from '../../src/lib/jobs/collect-job.ts'
import {createCollectProgress} from '../../src/lib/jobs/collect-progress.ts'
import {policy} from '../fakes/pipeline.ts'
import {rememberingLogger} from '../fakes/logger.ts'
import {virtualClock} from '../fakes/virtual-clock.ts'

const MINUTE = 60_000
const NOW = 100 * MINUTE

interface Scene {
  /** What the server answers to the range that is asked for, in minutes: one row for each text. */
  answer?(start: number, stop: number): AsyncGenerator<readonly string[]>
  send?(lines: readonly string[]): Promise<void>
  save?(): Promise<void>
  transform?(text: string): void
  maxChunk?: number
  reads?: number
}

async function* oneRow(start: number, stop: number): AsyncGenerator<readonly string[]> {
  yield [`${start}-${stop}`]
}

function newScene({answer = oneRow, send, save, transform, maxChunk = 24 * 60, reads = 0}: Scene = {}) {
  const clock = virtualClock(NOW)
  const {log, events} = rememberingLogger()
  const [ledger, letters, asked, stored]: [ReturnType<typeof createLedger>, Letter[], string[], string[]] = [createLedger(), [], [], []]
  const stopping = new AbortController()
  let saved: string | undefined
  const table = {
    result: '',
    number: '0',
    columns: [{name: '_value', type: 'string', isGroupKey: false}],
  } as const
  const client = {
    target: 'http://source',
    close() {},
    async *query({flux}: InfluxQuery): AsyncGenerator<FluxRows> {
      asked.push(flux)
      const [start, stop] = flux.split('-').map(Number) as [number, number]
      for await (const texts of answer(start, stop)) yield {table, rows: texts.map((text) => [text])}
    },
  }
  const sink: Sink<Line> = {
    maxInFlight: 1,
    async check() {},
    async close() {},
    async send(lines) {
      const texts = lines.map(({bytes}) => bytes.toString())
      await send?.(texts)
      stored.push(...texts)
    },
  }
  const progress = createCollectProgress(undefined, {unitMilliseconds: MINUTE, overlapMilliseconds: 0})
  progress.begin(NOW - 10 * MINUTE, undefined)
  const job = createCollectJob(
    {
      server: {name: 'a', client, queries: createLimit(1)},
      label: 'a/b/c',
      bucket: 'b',
      progress,
      cursor: {
        key: 'k',
        checkpoint: {
          async load() {
            return Promise.resolve(undefined)
          },
          async save(_, cursor) {
            await save?.()
            saved = cursor
          },
        },
      },
      transform(point) {
        const text = point.cell(0)
        transform?.(text)
        return {rows: [{bytes: Buffer.from(text), key: 0}]}
      },
      sink,
      unitMilliseconds: MINUTE,
      maxChunkMilliseconds: maxChunk * MINUTE,
      request: ({start, stop}) => ({flux: `${start / MINUTE}-${stop / MINUTE}`, now: stop}),
    },
    {
      batch: {count: 3, bytes: 1e6, milliseconds: 1000},
      deadLetter: {
        async put(batch) {
          letters.push(...batch)
        },
        async close() {},
      },
      answers: createLimit(1),
      readPolicy: {...policy, maxRetries: reads},
      writePolicy: {...policy, forMilliseconds: 0},
      lagMilliseconds: 0,
    },
    {clock, log, random: () => 0.5},
  )
  const run = {stop: stopping.signal, abort: new AbortController().signal, ledger, observer: {}}
  return {
    job,
    run,
    ledger,
    letters,
    asked,
    stored,
    events,
    clock,
    stop: () => stopping.abort(),
    cycle: () => job.cycle(run),
    until: () => (saved === undefined ? undefined : (JSON.parse(saved) as {until: number}).until / MINUTE),
  }
}

const away = () => new UnavailableError('away')

describe('a cycle', () => {
  it('collects what is missing, and moves the cursor when that is stored', async () => {
    const seen: unknown[] = []
    const scene = newScene({
      async send() {
        seen.push(scene.until())
      },
    })
    await scene.cycle()
    expect(seen).toEqual([undefined])
    expect(scene.until()).toBe(100)
    expect(scene.stored).toEqual(['90-100'])
    expect(scene.job.state).toMatchObject({cycles: 1, failures: 0, rows: 1, lastRows: 1, failure: undefined})
  })

  it('ends where it was due to, also when its timer comes early', async () => {
    const scene = newScene()
    await scene.job.cycle(scene.run, NOW + MINUTE)
    expect(scene.asked).toEqual(['90-101'])
  })

  it('moves the cursor past a time that has nothing', async () => {
    const scene = newScene({async *answer() {}})
    await scene.cycle()
    expect(scene.until()).toBe(100)
  })

  it('moves it no further than what came whole; the rows before the break are not counted twice', async () => {
    let isBroken = true
    const scene = newScene({
      maxChunk: 5,
      async *answer(start) {
        yield Array.from({length: 1500}, (_, index) => `${start}:${index}`)
        if (start === 95 && isBroken) throw new UnavailableError('broken off')
      },
    })
    await scene.cycle()
    expect(scene.until()).toBe(95)
    expect(scene.job.state).toMatchObject({failures: 1, rows: 1500, failure: {message: 'broken off'}})
    expect(scene.ledger).toMatchObject({unacknowledged: 0})
    expect(isBalanced(scene.ledger)).toBe(true)
    isBroken = false
    await scene.cycle()
    expect(scene.until()).toBe(100)
    expect(new Set(scene.stored).size).toBe(3 * 1500) // 90-95, and then 95-97 and 97-100
    expect(scene.ledger.read).toBe(scene.ledger.written + scene.ledger.unacknowledged)
    expect(scene.job.state.failure).toBeUndefined()
  })

  it('asks for half as long after a failure, down to one window', async () => {
    const scene = newScene({
      async *answer() {
        throw away()
      },
    })
    for (let time = 0; time < 5; time++) await scene.cycle()
    expect(scene.asked).toEqual(['90-100', '90-95', '90-92', '90-91', '90-91'])
  })

  it('tries a server again at once, as often as it is told', async () => {
    let failures = 2
    const scene = newScene({
      reads: 2,
      async *answer() {
        if (failures-- > 0) throw away()
        yield ['x']
      },
    })
    await scene.cycle()
    expect(scene.asked).toHaveLength(3)
    expect(scene.job.state.failures).toBe(0)
  })

  it('tells once that a server is away, and that it is back', async () => {
    let isAway = true
    const scene = newScene({
      async *answer() {
        if (isAway) throw away()
      },
    })
    await scene.cycle()
    await scene.cycle()
    isAway = false
    await scene.cycle()
    const told = scene.events.filter(([level]) => level !== 'debug').map(([level, event]) => [level, event])
    expect(told).toEqual([
      ['warn', 'source.failed'],
      ['info', 'source.back'],
    ])
  })

  it.each([away(), new AuthError('no token'), new NotFoundError('no bucket')])(
    'keeps the cursor where the central server fails: %o',
    async (error) => {
      const scene = newScene({send: async () => Promise.reject(error)})
      await scene.cycle()
      expect(scene.until()).toBeUndefined()
      expect(scene.job.state.failure).toBe(error)
      expect(scene.asked).toHaveLength(1) // what was read is not asked for again at once
      await scene.cycle()
      expect(scene.asked).toEqual(['90-100', '90-100']) // nor for less: it is not the source that failed
    },
  )

  it.each([new PartialError('rejected'), new IoError('disk full'), new TypeError('a bug')])(
    'ends the run for what no schedule mends: %o',
    async (error) => {
      const scene = newScene({save: async () => Promise.reject(error)})
      await expect(scene.cycle()).rejects.toBe(error)
    },
  )

  it('goes on past a row that can never be written', async () => {
    const scene = newScene({
      transform() {
        throw new DataError('bad', 'cannot be written')
      },
    })
    await scene.cycle()
    expect(scene.letters).toHaveLength(1)
    expect(scene.until()).toBe(100)
  })

  it('that is stopped writes what it has read, and leaves the cursor', async () => {
    const scene = newScene({
      async *answer() {
        yield Array.from({length: 1001}, (_, index) => String(index))
        scene.stop()
        yield ['late']
      },
    })
    await scene.cycle()
    expect(scene.until()).toBeUndefined()
    expect(scene.ledger.unacknowledged).toBe(0)
    expect(scene.job.state.failure).toBeUndefined()
  })
})

it('a schedule that is delayed has the same moments later', () => {
  const {next} = delayedSchedule({next: (after) => (Math.floor(after / MINUTE) + 1) * MINUTE}, 15_000)
  expect([0, 14_999, 15_000, 75_000].map(next)).toEqual([15_000, 15_000, 75_000, 135_000])
})

describe('one cycle of several jobs', () => {
  const failing: Scene = {
    async *answer() {
      throw away()
    },
  }

  it('is partial when some failed', async () => {
    const [well, ill] = [newScene(), newScene(failing)]
    await expect(collectOnce([ill.job, well.job], well.run)).rejects.toThrow(
      expect.objectContaining({name: 'PartialError', message: '1 of 2 queries failed, the first of them a/b/c: away'}),
    )
    expect(well.until()).toBe(100)
  })

  it('fails as the first when all failed', async () => {
    const jobs = [newScene(failing), newScene(failing)]
    await expect(
      collectOnce(
        jobs.map(({job}) => job),
        jobs[0]!.run,
      ),
    ).rejects.toThrow(expect.objectContaining({name: 'UnavailableError', message: 'away'}))
  })
})
