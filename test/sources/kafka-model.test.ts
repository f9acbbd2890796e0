import {expect, it} from 'vitest'
import type {PartitionOffset} from '../../src/lib/clients/kafka/consumer.ts'
import type {Accidents, FakeGroup, PartitionLog} from '../fakes/kafka-group.ts'
import {runPipeline} from '../../src/lib/core/pipeline.ts'
import {DataError, PartialWriteError, UnavailableError} from '../../src/lib/errors.ts'
import {createKafkaSource} from '../../src/lib/sources/kafka.ts'
import {limited} from '../../src/lib/sources/limited.ts'
import {fakeMember, noAccidents} from '../fakes/kafka-group.ts'
import {silentLogger} from '../fakes/logger.ts'
import {seededRandom} from '../fakes/random.ts'
import {virtualClock} from '../fakes/virtual-clock.ts'

/*
 * Random runs of a pipeline on a group whose partitions come and go, with heartbeats, commits and writes that fail, limits,
 * stops and aborts as the seed has it. Whatever happens: at each commit all before it is stored, rejected or filtered, and no
 * commit goes back; and a second run without accidents brings the rest.
 */

const RUNS = 200
/** By then a run that waits for something that will not come has been found out. */
const FOR_EVER_MILLISECONDS = 3_600_000

const isFiltered = (offset: number) => offset % 11 === 3
const isBad = (offset: number) => offset % 13 === 5

it(`loses nothing in ${RUNS} random runs`, async () => {
  const endings: Record<string, number> = {}
  for (let seed = 1; seed <= RUNS; seed++) {
    const ending = await randomRun(seed)
    endings[ending] = (endings[ending] ?? 0) + 1
  }

  // The runs are of use only if they end in every way.
  for (const ending of ['complete', 'limited', 'stopped', 'UnavailableError']) expect(endings[ending], ending).toBeGreaterThan(5)
})

async function randomRun(seed: number): Promise<string> {
  const random = seededRandom(seed)
  const chance = (probability: number) => random() < probability
  const below = (limit: number) => Math.floor(random() * limit)
  const logs: readonly PartitionLog[] = Array.from({length: 1 + below(4)}, () =>
    Array.from({length: below(200)}, () => (chance(0.8) ? 'message' : 'hidden')),
  )
  const accidents: Accidents = {
    rebalance: () => (chance(0.03) ? [...logs.keys()].filter(() => chance(0.7)) : undefined),
    failsHeartbeat: () => chance(0.1),
    refusesCommit: () => chance(0.1),
    commitMilliseconds: () => below(300),
    fetchSize: () => 1 + below(60),
  }
  const settled = logs.map(() => new Set<number>())
  const committed = new Map<number, number>()
  const faults: string[] = []
  const group: FakeGroup = {
    logs,
    committed,
    onCommit: (offsets, owned) => void faults.push(...faultsOf({logs, committed, settled, offsets, owned})),
  }

  const limits = {maxMessages: chance(0.3) ? 1 + below(150) : undefined, maxMilliseconds: chance(0.1) ? below(5000) : undefined}
  const ending = await run({group, settled, random, accidents, limits})
  await run({group, settled, random, accidents: noAccidents, limits: {maxMessages: undefined, maxMilliseconds: undefined}})
  expect(faults, `seed ${seed}`).toEqual([])
  expect(
    logs.map((_, partition) => committed.get(partition) ?? 0),
    `seed ${seed}: all is read`,
  ).toEqual(logs.map((log) => log.length))
  return ending
}

interface Run {
  readonly group: FakeGroup
  readonly settled: readonly Set<number>[]
  readonly accidents: Accidents
  readonly limits: {readonly maxMessages: number | undefined; readonly maxMilliseconds: number | undefined}
  random(): number
}

async function run({group, settled, accidents, limits, random}: Run): Promise<string> {
  const hasAccidents = accidents !== noAccidents
  const chance = (probability: number) => hasAccidents && random() < probability
  const below = (limit: number) => Math.floor(random() * limit)
  const clock = virtualClock()
  const [stopping, aborting] = [new AbortController(), new AbortController()]
  const after = (milliseconds: number, act: () => void) => void clock.sleep(milliseconds, aborting.signal).then(act, () => {})
  const tooLong = new Error('it waits for ever')
  after(FOR_EVER_MILLISECONDS, () => aborting.abort(tooLong))
  if (chance(0.2)) after(below(20_000), () => stopping.abort())
  if (chance(0.1)) after(below(20_000), () => aborting.abort())

  const runtime = {clock, random, log: silentLogger, stop: stopping.signal, abort: aborting.signal}
  const retry = {forMilliseconds: chance(0.3) ? 100 : 120_000, baseMilliseconds: 100, capMilliseconds: 10_000}
  const consumer = fakeMember(group, clock, accidents)
  const source = createKafkaSource({consumer, topic: 't', untilEnd: true, onOffsetGap: 'fail', retry}, runtime)
  const settle = (id: string) => settled[Number(id.split('/')[0])]!.add(Number(id.split('/')[1]))

  const running = runPipeline<unknown, string>(
    {
      source: limited(source, limits, clock),
      retry,
      batch: {count: 1 + below(60), bytes: 8e6, milliseconds: 1000},
      transform(_, {partition, offset}) {
        const id = `${/\d+(?=@)/.exec(partition)![0]}/${offset}`
        if (isBad(Number(offset))) throw new DataError('bad', id)
        if (!isFiltered(Number(offset))) return {rows: [id]}
        settle(id)
        return {filtered: 'odd'}
      },
      sink: {
        maxInFlight: 1 + below(3),
        async check() {},
        async close() {},
        async send(rows, {signal}) {
          await clock.sleep(below(2000), signal)
          if (chance(0.2)) throw new UnavailableError('503')
          if (rows.length > 1 && chance(0.05)) throw new PartialWriteError('halve it')
          for (const id of rows) settle(id)
        },
      },
      deadLetter: {
        async put(letters) {
          await clock.sleep(below(100), aborting.signal)
          for (const {error} of letters) settle(error.message)
        },
        async close() {},
      },
    },
    runtime,
  )
  const failure = await running.then(
    () => undefined,
    (error: unknown) => error,
  )
  await source.close().catch(() => {})
  expect(aborting.signal.reason, 'it has ended by itself').not.toBe(tooLong)
  const isStopped = stopping.signal.aborted || aborting.signal.aborted
  aborting.abort()
  if (failure) return (failure as Error).constructor.name
  return isStopped ? 'stopped' : limits.maxMessages === undefined ? 'complete' : 'limited'
}

interface Commit {
  readonly logs: readonly PartitionLog[]
  readonly committed: ReadonlyMap<number, number>
  readonly settled: readonly ReadonlySet<number>[]
  readonly offsets: readonly PartitionOffset[]
  readonly owned: readonly number[]
}

/** What is wrong with a commit, if something is. */
function faultsOf({logs, committed, settled, offsets, owned}: Commit): readonly string[] {
  return offsets.flatMap(({partition, offset}) => {
    const [before, after] = [committed.get(partition) ?? 0, Number(offset)]
    const unsettled = [...logs[partition]!.keys()].find(
      (each) => each >= before && each < after && logs[partition]![each] === 'message' && !settled[partition]!.has(each),
    )
    return [
      ...(owned.includes(partition) ? [] : [`${partition}:${after} is committed, and another's`]),
      ...(after < before ? [`${partition}:${after} is committed after ${before}`] : []),
      ...(unsettled === undefined ? [] : [`${partition}:${after} is committed before ${unsettled} is settled`]),
    ]
  })
}
