import {onTestFinished} from 'vitest'
import type {Clock, Message} from '../../src/lib/core/types.ts'
import type {Sample} from '../../src/lib/format/prometheus-sample.ts'
import type {CycleReport} from '../../src/lib/sources/prometheus-cycles.ts'
import type {PrometheusSourceOptions, Work} from '../../src/lib/sources/prometheus.ts'
import type {QueryJob} from '../../src/lib/sources/query-job.ts'
import type {Timetable} from '../../src/lib/sources/query-progress.ts'
import type {Answering, Asked} from '../fakes/prometheus-server.ts'
import {createPrometheusSource} from '../../src/lib/sources/prometheus.ts'
import {openQueryJob} from '../../src/lib/sources/query-job.ts'
import {rememberingLogger} from '../fakes/logger.ts'
import {memoryCheckpoint} from '../fakes/memory-checkpoint.ts'
import {fakeServer} from '../fakes/prometheus-server.ts'
import {virtualClock} from '../fakes/virtual-clock.ts'
import {never} from './kafka-reader.ts'

export type Chunk = readonly Message<Sample>[]

/** Where the times of these tests count from, in seconds: a whole multiple of every interval. */
const ORIGIN = 1_800_000_000_000
export const INTERVAL = 15
/** By then a run that should have ended has been found out. */
const FOR_EVER = 3_600_000
export const momentOf = (seconds: number) => ORIGIN + seconds * 1000
export const secondsOf = (moment: number) => (moment - ORIGIN) / 1000

export interface Options {
  readonly queries?: readonly string[]
  /** By name; one without a name where there is no other. */
  readonly servers?: Readonly<Record<string, Answering>>
  readonly answer?: Answering
  readonly kind?: Work['kind']
  /** Seconds. */
  readonly startAt?: number
  /** Seconds; for ever in an endless run. */
  readonly patience?: number
  /** Of cron expressions, whose moments are not regular. */
  readonly timetable?: Timetable
  /** What runs before have left. */
  readonly memory?: ReturnType<typeof memoryCheckpoint>
  readonly catchesUp?: boolean
  readonly rules?: Partial<PrometheusSourceOptions['rules']>
}

const regular: Timetable = {
  next: (after) => (Math.floor(after / (INTERVAL * 1000)) + 1) * INTERVAL * 1000,
  stepMilliseconds: INTERVAL * 1000,
}
/** Of a single cycle and of the past: moments count from the last one. */
const near = () => (INTERVAL * 1000) / 2
const steps: Timetable = {next: (after) => after + INTERVAL * 1000, stepMilliseconds: INTERVAL * 1000, near}

/** A source whose servers and whose reader are the test. */
export async function setUp(options: Options = {}) {
  const {queries = ['q'], kind = 'endless', startAt = 5, catchesUp = true, memory = memoryCheckpoint()} = options
  const {timetable = kind === 'endless' ? regular : steps} = options
  const {clock, timers, leap} = countingClock(virtualClock(momentOf(startAt)))
  const {log, events} = rememberingLogger()
  const servers = Object.entries(options.servers ?? {'': options.answer}).map(([name, answering]) => ({
    name: name || undefined,
    ...fakeServer(answering),
  }))
  const pairs = servers.flatMap((server) => queries.map((expression) => ({server, expression})))
  const jobs = await Promise.all(
    pairs.map(({server, expression}) => {
      const cursor = {checkpoint: memory.checkpoint, key: keyOf(expression, server.name)}
      return openQueryJob({server, query: {name: undefined, expression}, timetable, cursor, begin: undefined, log})
    }),
  )
  const reports: CycleReport[] = []
  const {stepMilliseconds} = timetable
  const patienceMilliseconds = (options.patience ?? (kind === 'endless' ? Infinity : 300)) * 1000
  const source = createPrometheusSource(
    {
      jobs,
      work: {
        endless: {kind: 'endless' as const, patienceMilliseconds, schedule: timetable, startsNow: stepMilliseconds !== undefined},
        once: {kind: 'once' as const, near, patienceMilliseconds},
        backfill: {kind: 'backfill' as const, patienceMilliseconds},
      }[kind],
      stepMilliseconds,
      catchesUp,
      rules: {
        concurrency: 4,
        maxSeries: 1000,
        queryRetries: 0,
        maxRetries: 0,
        retryDelayMilliseconds: 1000,
        onAdvice() {},
        ...options.rules,
      },
      onCycle: (report) => reports.push(report),
    },
    {clock, log, random: () => 0.5},
  )
  const stopping = new AbortController()
  onTestFinished(() => stopping.abort())

  const scene = {
    clock,
    timers,
    leap,
    events,
    jobs,
    reports,
    source,
    servers,
    server: servers[0]!,
    memory,
    stop: (reason?: unknown) => stopping.abort(reason),
    /** Seconds from now. */
    sleep: (seconds: number) => clock.sleep(seconds * 1000, never),
    /** Until the virtual clock shows these seconds. */
    until: (seconds: number) => clock.sleep(momentOf(seconds) - clock.now(), never),
    reader: () => readerOf(source.read(stopping.signal)),
    /** Reads and acknowledges all there is until the clock shows these seconds, or the source ends. */
    async readUntil(seconds?: number): Promise<readonly string[]> {
      const tooLong = new Error('it goes on for ever')
      const over = new AbortController()
      const timeUp = () => stopping.abort(seconds === undefined ? tooLong : undefined)
      void clock.sleep(seconds === undefined ? FOR_EVER : momentOf(seconds) - clock.now(), over.signal).then(timeUp, () => {})
      try {
        return await readAll()
      } finally {
        over.abort()
        if (stopping.signal.reason === tooLong) throw tooLong
      }
    },
    /** What servers were asked, in order. */
    asked: () => servers.flatMap(({name, requests}) => requests.map((asked) => (name ? `${name}: ` : '') + askedText(asked))),
    failures: () => events.filter(([level]) => level === 'warn' || level === 'error').map(([, event]) => event),
  }
  return scene

  async function readAll(): Promise<readonly string[]> {
    const read: Message<Sample>[] = []
    for await (const chunk of source.read(stopping.signal)) {
      read.push(...chunk)
      if (chunk.length > 0) await source.ack(chunk)
    }

    return textsOf(read)
  }
}

/** One that is read by hand. */
function readerOf(chunks: AsyncIterable<Chunk>) {
  const iterator = chunks[Symbol.asyncIterator]()
  /** The next chunk, the empty ones too; undefined at the end. */
  const takeAny = async () => {
    const next = await iterator.next()
    return next.done ? undefined : next.value
  }

  /** The next chunk that holds a message; undefined at the end. */
  async function take(): Promise<Chunk | undefined> {
    for (;;) {
      const chunk = await takeAny()
      if (chunk?.length !== 0) return chunk
    }
  }

  return {takeAny, take, leave: () => iterator.return?.()}
}

export const keyOf = (expression: string, server?: string) => (server === undefined ? expression : `${server}: ${expression}`)

/** A cursor as an earlier run has left it: settled up to this, but for the gaps. */
export const cursorAt = (until: number, ...gaps: readonly (readonly [after: number, before: number])[]) =>
  JSON.stringify({until: momentOf(until), gaps: gaps.map((gap) => gap.map(momentOf))})

export async function remembering(cursors: Readonly<Record<string, string>>) {
  const memory = memoryCheckpoint()
  for (const [key, cursor] of Object.entries(cursors)) memory.cursors.set(key, cursor)
  return memory
}

/** `q@15`, and `q@15*` of what was asked for later. */
export const textsOf = (chunk: readonly Message<unknown>[] = []) =>
  (chunk as Chunk).map(({value: {series, seconds}}) => {
    const server = series.server === undefined ? '' : `${series.server}: `
    return `${server}${series.query.expression}@${secondsOf(seconds * 1000)}${series.cycle === undefined ? '*' : ''}`
  })

/** `q@15`, and `q@15..45` of a range. */
export function askedText({kind, expression, from, to}: Asked): string {
  return `${expression}@${secondsOf(from)}${kind === 'range' ? `..${secondsOf(to)}` : ''}`
}

/** A clock that knows who is still waiting, and can be put on and back as one can that shows the time of the day. */
function countingClock(clock: Clock): {clock: Clock; timers(): number; leap(seconds: number): void} {
  let timers = 0
  let offset = 0
  return {
    timers: () => timers,
    leap: (seconds) => void (offset += seconds * 1000),
    clock: {
      now: () => clock.now() + offset,
      async sleep(milliseconds, signal) {
        timers++
        await clock.sleep(milliseconds, signal).finally(() => timers--)
      },
    },
  }
}

/** The one query of a scene that has one. */
export const onlyJob = ({jobs}: {readonly jobs: readonly QueryJob[]}) => jobs[0]!
