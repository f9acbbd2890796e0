import {expect, it} from 'vitest'
import type {QueryJob} from '../../src/lib/sources/query-job.ts'
import type {Asked} from '../fakes/prometheus-server.ts'
import {isBalanced, createLedger} from '../../src/lib/core/ledger.ts'
import {runPipeline} from '../../src/lib/core/pipeline.ts'
import {DataError, UnavailableError} from '../../src/lib/errors.ts'
import {createPrometheusSource} from '../../src/lib/sources/prometheus.ts'
import {openQueryJob} from '../../src/lib/sources/query-job.ts'
import {silentLogger} from '../fakes/logger.ts'
import {fakeServer, hang, momentsIn} from '../fakes/prometheus-server.ts'
import {seededRandom} from '../fakes/random.ts'
import {virtualClock} from '../fakes/virtual-clock.ts'

/*
 * Random runs, one after the other as a service manager starts them: servers are away, slow, hang and refuse ranges; writes fail and come
 * late; cursors cannot be saved; and each run is stopped or killed at any moment, which loses whatever had not been saved. Whatever
 * happens: a cursor never says of a moment that it is settled before all of its samples are stored. And when all is well again for a
 * while, each moment is stored, from the first run on.
 */

const SERIES_OF_RUNS = 40
const INTERVAL = 15_000
const BEGIN = 1_800_000_000_000
const QUERIES = ['a', 'b', 'c']
const timetable = {next: (after: number) => (Math.floor(after / INTERVAL) + 1) * INTERVAL, stepMilliseconds: INTERVAL}

it(`loses no moment in ${SERIES_OF_RUNS} series of runs that fail, are stopped and are killed`, async () => {
  const endings: Record<string, number> = {}
  for (let seed = 1; seed <= SERIES_OF_RUNS; seed++)
    for (const ending of await randomRuns(seed)) endings[ending] = (endings[ending] ?? 0) + 1

  // The runs are of use only if they end in every way.
  for (const ending of ['killed', 'stopped', 'aborted', 'UnavailableError']) expect(endings[ending], ending).toBeGreaterThan(5)
})

async function randomRuns(seed: number): Promise<readonly string[]> {
  const random = seededRandom(seed)
  const world = createWorld(random)
  const endings: string[] = []
  for (let run = 1 + world.below(5); run > 0; run--) {
    endings.push(await runOnce(world, seed))
    world.now += world.below(200_000)
  }

  world.isWell = true
  await runOnce(world, seed)
  expect(world.faults, `seed ${seed}`).toEqual([])
  for (const [key, cursor] of world.cursors) {
    const {until, gaps} = JSON.parse(cursor) as Saved
    const due = dueMoments(world.beginnings.get(key)!, until)
    expect(
      due.filter((moment) => !world.isStored(key, moment)),
      `seed ${seed}: ${key}`,
    ).toEqual([])
    expect(gaps, `seed ${seed}: ${key}`).toEqual([])
    expect(until).toBeGreaterThan(world.now - 2 * INTERVAL)
  }

  return endings
}

type World = ReturnType<typeof createWorld>
interface Saved {
  readonly until: number
  readonly gaps: readonly (readonly [after: number, before: number])[]
}

/** What outlives a run: the servers, the bucket, the disk and the time. */
function createWorld(random: () => number) {
  const below = (limit: number) => Math.floor(random() * limit)
  const salt = below(1e9)
  const cursors = new Map<string, string>()
  const stored = new Set<string>()
  const beginnings = new Map<string, number>()
  const faults: string[] = []

  /** Between none and three of each moment; what a server knows does not change. */
  const seriesAt = (key: string, moment: number) => hash(`${salt}/${key}/${moment}`) % 4
  const idOf = (key: string, moment: number, series: number) => `${key}@${moment}/${series}`
  const idsAt = (key: string, moment: number) => Array.from({length: seriesAt(key, moment)}, (_, series) => idOf(key, moment, series))
  const isStored = (key: string, moment: number) => idsAt(key, moment).every((id) => stored.has(id))

  return {
    below,
    chance: (probability: number) => random() < probability,
    random,
    /** Half of the tens of seconds, in a third of the spans of 200 s. */
    isDown: (what: string, now: number) =>
      hash(`${salt}/${what}/${Math.floor(now / 200_000)}`) % 3 === 0 && hash(`${salt}/${what}/${Math.floor(now / 10_000)}`) % 2 === 0,
    now: BEGIN + below(INTERVAL),
    isWell: false,
    cursors,
    stored,
    beginnings,
    faults,
    seriesAt,
    idOf,
    isStored,
    save(key: string, cursor: string) {
      const {until, gaps} = JSON.parse(cursor) as Saved
      if (!beginnings.has(key)) beginnings.set(key, until)
      const claimed = dueMoments(beginnings.get(key)!, until).filter(
        (moment) => !gaps.some(([after, before]) => after < moment && moment < before),
      )
      const missing = claimed.find((moment) => !isStored(key, moment))
      if (missing !== undefined) faults.push(`${key} at ${missing} is said to be settled, and not stored`)
      cursors.set(key, cursor)
    },
  }
}

function dueMoments(after: number, until: number): readonly number[] {
  const moments: number[] = []
  for (let moment = timetable.next(after); moment <= until; moment = timetable.next(moment)) moments.push(moment)
  return moments
}

/** How a run ended. It begins and ends on the clock of the world. */
async function runOnce(world: World, seed: number): Promise<string> {
  const {below, isWell, random} = world
  const chance = (probability: number) => !isWell && world.chance(probability)
  const clock = virtualClock(world.now)
  const [stopping, aborting] = [new AbortController(), new AbortController()]
  let isDead = false
  const after = (milliseconds: number, act: () => void) => void clock.sleep(milliseconds, aborting.signal).then(act, () => {})

  const newServer = (name: string, refusesRanges: boolean, isDeaf: boolean) => {
    const {client} = fakeServer(async (asked) => {
      await clock.sleep(below(isWell ? 50 : 6000), asked.signal)
      if (chance(0.03))
        return Promise.race([hang(asked), clock.sleep(30_000, asked.signal).then(() => Promise.reject(new UnavailableError('timeout')))])
      if (chance(0.05) || (!isWell && (isDeaf || world.isDown(name, clock.now())))) throw new UnavailableError('503')
      if (!isWell && refusesRanges && momentsIn(asked).length > 3) throw new DataError('too many series', 'too many series')
      return answerFrom(world, `${name}: ${asked.expression}`, asked)
    })
    return {name, client}
  }
  const servers = ['north', 'south'].slice(0, 1 + (hash(`${seed}`) % 2)).map((name) => newServer(name, chance(0.3), chance(0.1)))
  const checkpoint = {
    load: async (key: string) => world.cursors.get(key),
    async save(key: string, cursor: string) {
      await clock.sleep(below(isWell ? 10 : 1000), aborting.signal)
      if (isDead) throw new Error('killed')
      if (chance(0.1)) throw new UnavailableError('disk full')
      world.save(key, cursor)
    },
  }
  const jobs = await Promise.all(
    servers.flatMap((server) =>
      QUERIES.map(async (expression): Promise<QueryJob> =>
        openQueryJob({
          server,
          query: {name: undefined, expression},
          timetable,
          cursor: {checkpoint, key: `${server.name}: ${expression}`},
          begin: undefined,
          log: silentLogger,
        }),
      ),
    ),
  )
  const runtime = {clock, random, log: silentLogger, stop: stopping.signal, abort: aborting.signal}
  const source = createPrometheusSource(
    {
      jobs,
      work: {kind: 'endless', patienceMilliseconds: Infinity, schedule: timetable, startsNow: true},
      stepMilliseconds: INTERVAL,
      catchesUp: true,
      rules: {
        concurrency: 1 + below(4),
        maxSeries: 100,
        queryRetries: below(2),
        maxRetries: below(3),
        retryDelayMilliseconds: 2000,
        onAdvice() {},
      },
      onCycle() {},
    },
    runtime,
  )
  const ledger = createLedger()
  const isSinkLost = chance(0.1)
  const running = runPipeline<Parameters<typeof idOf>[0], string>(
    {
      source,
      retry: {forMilliseconds: isWell || !isSinkLost ? Infinity : 20_000, baseMilliseconds: 500, capMilliseconds: 10_000},
      batch: {count: 1 + below(20), bytes: 8e6, milliseconds: 2000},
      transform: (sample) => ({rows: [idOf(sample)]}),
      sink: {
        maxInFlight: 1 + below(3),
        async check() {},
        async close() {},
        async send(rows, {signal}) {
          await clock.sleep(below(isWell ? 20 : 8000), signal)
          if (isDead) throw new Error('killed')
          if (!isWell && (isSinkLost || world.isDown('influx', clock.now()))) throw new UnavailableError('503')
          const lost = chance(0.1) ? below(rows.length) : Infinity
          for (const row of rows.slice(0, lost)) world.stored.add(row)
          if (lost < rows.length) throw new UnavailableError('torn')
        },
      },
      deadLetter: {async put() {}, async close() {}},
    },
    runtime,
    ledger,
  )
  let ending = 'stopped'
  const between = timetable.next(world.now + 900_000) + 7000 // two cycles
  after(isWell ? between - world.now : 20_000 + below(600_000), () => {
    if (chance(0.6)) {
      ending = 'killed'
      isDead = true
      aborting.abort()
    } else stopping.abort()
  })
  if (chance(0.1))
    after(below(300_000), () => {
      ending = 'aborted'
      aborting.abort()
    })
  const failure = await running.then(
    () => undefined,
    (error: unknown) => error,
  )
  world.now = Math.ceil(clock.now())
  expect(isBalanced(ledger), `seed ${seed}`).toBe(true)
  if (isWell) expect({failure, lag: source.lag()}, `seed ${seed}`).toEqual({failure: undefined, lag: 0})
  await source.close()
  aborting.abort()
  return ending === 'stopped' && failure ? (failure as Error).constructor.name : ending
}

function idOf({
  series,
  seconds,
}: {
  series: {server: string | undefined; query: {expression: string}; labels: Readonly<Record<string, string>>}
  seconds: number
}) {
  return `${series.server}: ${series.query.expression}@${Math.round(seconds * 1000)}/${series.labels['series']}`
}

/** What a server found at each moment: series come and go. */
function answerFrom(world: World, key: string, asked: Asked) {
  const moments = momentsIn(asked)
  const series = [0, 1, 2].map((index) => ({
    labels: {series: `${index}`},
    points: moments.filter((moment) => world.seriesAt(key, moment) > index).map((moment) => [moment / 1000, '1'] as const),
  }))
  const found = series.filter(({points}) => points.length > 0)
  return {series: found.map((content) => ({isText: false, read: () => content})), warnings: [], infos: []}
}

function hash(text: string): number {
  let value = 2_166_136_261
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 16_777_619)
  value = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d)
  return (value ^ (value >>> 12)) >>> 0
}
