import type {Message, Runtime, Source} from '../core/types.ts'
import type {Schedule} from '../core/every.ts'
import type {PrometheusAnswer} from '../format/prometheus-answer.ts'
import type {QueriedSeries, Sample} from '../format/prometheus-sample.ts'
import type {CycleReport} from './prometheus-cycles.ts'
import type {AskingRules} from './query-asker.ts'
import type {QueryJob} from './query-job.ts'
import type {UcsError} from '../errors.ts'
import {AuthError, DataError, PartialError} from '../errors.ts'
import {CHUNK_BYTES, CHUNK_MESSAGES} from './chunks.ts'
import {createFeed, type Feed} from './prometheus-feed.ts'
import {fillGaps} from './prometheus-gaps.ts'
import {pollForEver, pollOnce} from './prometheus-polling.ts'
import {createAsker} from './query-asker.ts'
import {sampleBytes, SampleMessage} from './sample-message.ts'

export interface PrometheusSourceOptions {
  readonly jobs: readonly QueryJob[]
  readonly work: Work
  readonly rules: AskingRules
  /** Between two moments; undefined where that differs. */
  readonly stepMilliseconds: number | undefined
  /** Whether moments that were missed are asked for. */
  readonly catchesUp: boolean
  onCycle(report: CycleReport): void
}

/** What a run does: ask again and again, ask for now, or ask for the gaps that its queries have. */
export type Work =
  | {readonly kind: 'endless'; readonly patienceMilliseconds: number; readonly schedule: Schedule; readonly startsNow: boolean}
  | {readonly kind: 'once'; readonly patienceMilliseconds: number; near(moment: number): number}
  | {readonly kind: 'backfill'; readonly patienceMilliseconds: number}

export interface PrometheusSource extends Source<Sample> {
  /** Moments that were due and are not settled. */
  lag(): number
  /** The first cycle has ended, and the servers let us in. */
  isConnected(): boolean
}

/** An answer on its way into the pipeline. */
export interface Answered {
  readonly job: QueryJob
  readonly answer: PrometheusAnswer
  /** The moment that all queries of a cycle share. */
  readonly cycle: number | undefined
  /** All of it is durable. */
  settle(samples: number): void
}

/**
 * One message a sample. All queries of a cycle are asked for the same moment, side by side; a moment at which one was not answered is a gap
 * in its progress, and filled later. The cursor follows when all that a moment brought is settled.
 */
export function createPrometheusSource(
  options: PrometheusSourceOptions,
  runtime: Pick<Runtime, 'clock' | 'log' | 'random'>,
): PrometheusSource {
  const {jobs, work} = options
  const {clock, log} = runtime
  const servers = [...Map.groupBy(jobs, (job) => job.server).values()]
  const deliveries = new Map<string, Delivery[]>(jobs.map((job) => [job.partition, []]))
  let sequence = clock.now() * 1000 // letters of several runs are told apart by it
  let hasCycled = false
  let change = Promise.withResolvers<'changed' | 'over'>()

  return {
    read,
    async ack(settled) {
      let last: Message<unknown> | undefined
      for (const message of settled) {
        if (last && last.position.partition !== message.position.partition) acknowledge(last)
        last = message
      }

      if (last) acknowledge(last)
    },
    async complete() {
      await Promise.all(jobs.map((job) => job.flush()))
      failWhereQueriesFailed(jobs)
    },
    describe: ({partition, offset}) => `${partition}/${offset}`,
    async close() {
      await Promise.allSettled(jobs.map((job) => job.flush()))
      for (const [{server}] of servers as [QueryJob][]) server.client.close()
    },
    lag: () => jobs.reduce((sum, job) => sum + (options.catchesUp ? job.missing() : 0) + job.onTheirWay(), 0),
    isConnected: () => (hasCycled || work.kind !== 'endless') && !jobs.every(({failure}) => failure instanceof AuthError),
  }

  async function* read(signal: AbortSignal): AsyncGenerator<readonly Message<Sample>[]> {
    const feed = createFeed<Answered>()
    const over = new AbortController()
    const asking = AbortSignal.any([signal, over.signal])
    asking.addEventListener('abort', () => feed.end(), {once: true})
    const asked = ask(feed, asking).then(
      () => feed.end(),
      (error: unknown) => feed.end(error),
    )
    try {
      yield* deliver(feed, signal)
    } finally {
      over.abort()
      change.resolve('over')
      await asked
    }
  }

  /** Resolves when there is nothing more to ask for. */
  async function ask(feed: Feed<Answered>, signal: AbortSignal): Promise<void> {
    const asker = createAsker(options.rules, runtime)
    const {maxSeries} = options.rules
    const common = {asker, maxSeries, feed, clock, log, signal}
    const onCycle = (report: CycleReport) => {
      hasCycled = true
      options.onCycle(report)
    }
    const polling = {...common, jobs, patienceMilliseconds: work.patienceMilliseconds, onCycle, onMissed: gapsMayHaveOpened}
    const now = clock.now()
    if (work.kind !== 'backfill') for (const job of jobs) account(job, now)
    const polled = work.kind === 'endless' ? pollForEver(polling, work) : work.kind === 'once' ? pollOnce(polling) : undefined
    const fillers = options.catchesUp
      ? servers.map((own) =>
          fillGaps({
            ...common,
            jobs: own,
            stepMilliseconds: options.stepMilliseconds,
            patienceMilliseconds: work.kind === 'endless' ? undefined : work.patienceMilliseconds,
            change: async () => (work.kind === 'endless' ? change.promise : 'over'),
          }),
        )
      : []
    await Promise.all([polled, ...fillers])
  }

  /** What was due before is a gap. Of a new query that is asked at once this moment is the first, and missed when it comes to nothing. */
  function account({label, progress, isNew, save}: QueryJob, now: number): void {
    const known = progress.accountedUntil() ?? now
    if (known > now + CLOCK_TOLERANCE_MILLISECONDS) {
      log.warn('cursor.ahead', {query: label, until: new Date(known).toISOString(), message: 'the clock was wrong then, or is now'})
      progress.cutAt(now)
    }

    const near = work.kind === 'once' ? work.near(now) : 0
    const step = work.kind === 'once' ? options.stepMilliseconds : undefined
    progress.begin(now - (step ?? near + 1))
    const isAskedNow = work.kind === 'once' || (work.kind === 'endless' && work.startsNow)
    if (!isNew || !isAskedNow) progress.expect(work.kind === 'once' ? now - near : now + 1)
    save()
  }

  /** What is live goes before what fills gaps; when neither is at hand, whatever is waiting for a full batch is sent. */
  async function* deliver(feed: Feed<Answered>, signal: AbortSignal): AsyncGenerator<readonly Message<Sample>[]> {
    let filling: Iterator<readonly Message<Sample>[]> | undefined
    while (!signal.aborted) {
      const live = feed.takeLive()
      if (live) {
        yield* chunksOf(live)
        continue
      }

      const fill = filling ? undefined : feed.takeFill()
      if (fill) filling = chunksOf(fill)
      const chunk = filling?.next()
      if (chunk && !chunk.done) yield chunk.value
      else if (filling) filling = undefined
      else {
        yield []
        if ((await feed.arrival()) === 'end') return
      }
    }
  }

  function* chunksOf({job, answer, cycle, settle}: Answered): Generator<readonly Message<Sample>[]> {
    const {partition, query, server} = job
    const own = deliveries.get(partition)!
    const before = cycle === undefined ? undefined : own.findLast(({isLive}) => isLive)
    const delivery: Delivery = {settle, isLive: cycle !== undefined, samples: 0, last: undefined}
    own.push(delivery)
    let chunk: Message<Sample>[] = []
    let chunkBytes = 0
    for (const {isText, read: content} of answer.series) {
      const {labels, points} = content()
      const series: QueriedSeries = {labels, isText, query, server: server.name, cycle}
      const bytes = sampleBytes(labels)
      for (const [seconds, measured] of points) {
        if (chunk.length === CHUNK_MESSAGES || (chunk.length > 0 && chunkBytes + bytes > CHUNK_BYTES)) {
          yield chunk
          chunk = []
          chunkBytes = 0
        }

        chunk.push(new SampleMessage(partition, sequence++, series, seconds, measured, bytes))
        chunkBytes += bytes
        delivery.samples++
      }
    }

    delivery.last = delivery.samples > 0 ? BigInt(sequence - 1) : before?.last // one without a sample of its own is settled in its turn
    if (delivery.last === undefined) finish(partition, delivery)
    else if (chunk.length > 0) yield chunk
  }

  /** Acknowledgements come in read order, but a live answer may have gone between two parts of a filling one. */
  function acknowledge({position: {partition, offset}}: Message<unknown>): void {
    for (const delivery of [...deliveries.get(partition)!])
      if (delivery.last !== undefined && delivery.last <= offset) finish(partition, delivery)
  }

  function finish(partition: string, delivery: Delivery): void {
    const own = deliveries.get(partition)!
    own.splice(own.indexOf(delivery), 1)
    delivery.settle(delivery.samples)
    gapsMayHaveOpened()
  }

  function gapsMayHaveOpened(): void {
    change.resolve('changed')
    change = Promise.withResolvers()
  }
}

/** Clocks are set, now and then. */
const CLOCK_TOLERANCE_MILLISECONDS = 60_000

/** An answer that was read and is not settled. */
interface Delivery {
  settle(samples: number): void
  readonly isLive: boolean
  samples: number
  /** The offset of its last sample; undefined until that was read. */
  last: bigint | undefined
}

/** Of a run with an end: one query of several that failed is a part of the work not done; if all did, why the first did tells how it ends. */
function failWhereQueriesFailed(jobs: readonly QueryJob[]): void {
  const failed = jobs.filter(({givenUp}) => givenUp !== undefined)
  const [first] = failed
  if (!first) return
  const {message, suggestion} = first.givenUp as UcsError
  if (failed.length === jobs.length && !(first.givenUp instanceof DataError)) throw first.givenUp
  throw new PartialError(`${failed.length} of ${jobs.length} queries failed, the first of them ${first.label}: ${message}`, {suggestion})
}
