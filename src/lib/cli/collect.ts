import type {Limit} from '../core/limit.ts'
import type {RawMessage, RetryPolicy, Runtime, Sink} from '../core/types.ts'
import type {FluxPoint} from '../format/flux-point.ts'
import type {Line} from '../format/line-protocol.ts'
import type {CollectJob, CollectRun} from '../jobs/collect-job.ts'
import type {CollectFlags, CollectValues} from './collect-flags.ts'
import type {Session} from './base-command.ts'
import type {CollectPair} from './collect-state.ts'
import type {Instant} from './schedule.ts'
import type {Work} from './stream.ts'
import {every} from '../core/every.ts'
import {createLimit} from '../core/limit.ts'
import {AuthError, IoError, NotFoundError, UnavailableError} from '../errors.ts'
import {pointCells} from '../format/flux-point.ts'
import {fluxRequest} from '../format/flux-query.ts'
import {collectForEver, collectOnce, delayedSchedule} from '../jobs/collect.ts'
import {createCollectJob} from '../jobs/collect-job.ts'
import {createCollectProgress} from '../jobs/collect-progress.ts'
import type {RelabelOptions} from '../transforms/relabel.ts'
import {relabel} from '../transforms/relabel.ts'
import {collectReport} from './collect-report.ts'
import {openDeadLetters} from './dead-letters.ts'
import {openInfluxSinks, withoutKey} from './influx-sink.ts'
import {pairsOf} from './collect-pairs.ts'
import {openQueries} from './collect-queries.ts'
import {openSource, sourceSettings} from './collect-sources.ts'
import {cursorKey} from './collect-state.ts'
import {lockAll, openCheckpoint} from './cursors.ts'
import {timingOf} from './schedule.ts'
import {batchLimits, closeAll} from './stream.ts'

/** Answers of all servers that are read at a time. */
const ANSWERS = 8
/** In a run without an end a cycle tries so often before the next one does. */
const QUICK_RETRIES = 2

type CollectSession = Session<CollectFlags>

/** Who is asked what. To be closed. */
export async function openPairs(
  session: Pick<CollectSession, 'values' | 'given' | 'collector' | 'variables' | 'log'>,
  clock: Runtime['clock'],
): Promise<{pairs: readonly CollectPair[]; close(): void}> {
  const {values, given, collector, log} = session
  const queries = await openQueries(values, given, collector?.queries)
  const sources = await Promise.all(sourceSettings(session).map((settings) => openSource(settings, values, clock)))
  return {
    pairs: pairsOf(sources, queries, values, log),
    close() {
      for (const {client} of sources) client.close()
    },
  }
}

export async function openCollector(session: CollectSession, runtime: Runtime, policy: RetryPolicy): Promise<Work> {
  const {values, given, report} = session
  const timing = await timingOf(values, given)
  const {pairs, close} = await openPairs(session, runtime.clock)
  const checkpoint = values['dry-run'] ? undefined : openCheckpoint(values)
  const keys = pairs.map((pair) => cursorKey(pair, values))
  const release = checkpoint ? await lockAll(checkpoint, keys) : async () => {}
  const describe = ({partition, offset}: {partition: string; offset: bigint}) => `${partition}/${offset}`
  const letters = await openDeadLetters(
    values,
    given,
    {command: 'collect', source: {describe}, raw: rawPoint, isDryRun: values['dry-run']},
    runtime,
  )
  const sinkTo = await openInfluxSinks(values, given, runtime)
  const central = sharedSinks(sinkTo, createLimit(values['in-flight']), runtime)
  const shared = {
    batch: batchLimits(values),
    deadLetter: letters.deadLetter,
    answers: createLimit(ANSWERS),
    readPolicy: values.once ? policy : {...policy, maxRetries: QUICK_RETRIES},
    writePolicy: policy,
    lagMilliseconds: values.lag,
  }
  const hosts = new Map<string, Set<string>>()
  const jobs = await Promise.all(
    pairs.map(async (pair, index) => {
      const cursor = checkpoint && {checkpoint, key: keys[index]!}
      const progress = await openProgress(pair, cursor, values, runtime)
      return createCollectJob(
        {
          server: pair.source,
          label: `${pair.source.name}/${pair.bucket}/${pair.query.name}`,
          bucket: pair.bucket,
          progress,
          cursor,
          transform: transformOf(pair, values, hosts),
          sink: isDistinct(pair) ? withoutKey(central.sinkTo(pair.target)) : central.sinkTo(pair.target),
          unitMilliseconds: pair.query.everyMilliseconds,
          maxChunkMilliseconds: pair.query.maxChunkMilliseconds,
          request: (range) => fluxRequest(pair.query, pair.bucket, range),
        },
        shared,
        runtime,
      )
    }),
  )
  const shown = collectReport(jobs, {hosts, timing, centralFailure: central.failure, runtime})
  Object.assign(report.own, shown.result)
  return {
    ...shown.work,
    ...letters,
    sinks: central.sinks(),
    leftover: (count) => (count === 0 ? '' : `${count} rows were not written, they will be asked for again`),
    run: (observer, ledger) => run(jobs, {stop: runtime.stop, abort: runtime.abort, observer, ledger}),
    close: () => closeAll([...central.sinks().slice(0, 1), letters.deadLetter, {close: async () => close()}, {close: release}]),
  }

  async function run(all: readonly CollectJob[], own: CollectRun): Promise<void> {
    central.watchedBy(own.observer)
    if (values.once) return collectOnce(all, own)
    const over = new AbortController()
    const summaries = every(
      {schedule: timing.schedule, startsNow: false, cycle: async () => shown.tellCycle()},
      {...runtime, stop: AbortSignal.any([own.stop, over.signal])},
    )
    try {
      const {schedule: named, stepMilliseconds} = timing
      const schedule = stepMilliseconds === undefined ? named : delayedSchedule(named, values.lag)
      await collectForEver(all, {schedule, startsNow: stepMilliseconds !== undefined, ...shown.rounds}, own, runtime)
    } finally {
      over.abort()
      await summaries
    }
  }
}

function transformOf(pair: CollectPair, values: CollectValues, hosts: Map<string, Set<string>>) {
  const {name} = pair.source
  const own = hosts.get(name) ?? new Set<string>()
  hosts.set(name, own)
  const onHost = (found: string) => {
    if (own.size < MAX_HOSTS) own.add(found)
  }
  return relabel({...relabelOptions(pair, values), onHost})
}

/** What a row of the answer becomes. */
export function relabelOptions({source: {host}, query, bucket}: CollectPair, values: CollectValues): RelabelOptions {
  return {
    mode: query.mode,
    skipsStrings: query.mode === 'aggregated' && query.strings === 'skip',
    host,
    bucket,
    hostMap: new Map(values['host-map']),
    keptTags: query.keptTags && new Set(query.keptTags),
    sourceTag: values['source-tag'],
  }
}

/** That are told of one server. */
const MAX_HOSTS = 1000

async function openProgress(
  {query}: CollectPair,
  cursor: {checkpoint: ReturnType<typeof openCheckpoint>; key: string} | undefined,
  {lag, overlap, from}: CollectValues,
  {clock}: Runtime,
) {
  const options = {unitMilliseconds: query.everyMilliseconds, overlapMilliseconds: overlap}
  try {
    const progress = createCollectProgress(await cursor?.checkpoint.load(cursor.key), options)
    const now = clock.now()
    progress.begin(now - lag - query.minutes * 60_000, from && momentOf(from, now))
    return progress
  } catch (cause) {
    if (cause instanceof IoError) throw cause
    throw new IoError(`the cursor of ${cursor?.key} cannot be used: ${(cause as Error).message}`, {
      cause,
      suggestion: 'Remove its file from --state-dir to begin anew',
    })
  }
}

const momentOf = (instant: Instant, now: number) => ('at' in instant ? instant.at : now - instant.ago)

/** Sinks of one server, of which all jobs together write no more at a time than it is willing to take. It is told once that it is away. */
function sharedSinks(sinkTo: (bucket: string) => Sink<Line>, limit: Limit, {log}: Runtime) {
  const sinks = new Map<string, Sink<Line>>()
  let failure: Error | undefined
  let recovered = () => {}

  return {
    sinks: () => [...sinks.values()],
    failure: () => failure?.message,
    watchedBy(observer: {recovered?(): void}) {
      recovered = () => observer.recovered?.()
    },
    sinkTo(bucket: string): Sink<Line> {
      const known = sinks.get(bucket)
      if (known) return known
      const sink = sinkTo(bucket)
      const own: Sink<Line> = {...sink, send: (rows, context) => limit(() => watched(sink.send(rows, context)), context.signal)}
      sinks.set(bucket, own)
      return own
    },
  }

  async function watched(sending: Promise<void>): Promise<void> {
    try {
      await sending
      works()
    } catch (error) {
      if (error instanceof UnavailableError || error instanceof AuthError || error instanceof NotFoundError) fails(error)
      else works()
      throw error
    }
  }

  function fails({code, message, suggestion}: UnavailableError | AuthError | NotFoundError): void {
    if (failure?.message !== message) log.warn('central.away', {code, message, suggestion})
    failure = new Error(message)
  }

  function works(): void {
    if (failure) {
      log.info('central.back')
      recovered()
    }

    failure = undefined
  }
}

/** A point that is copied comes once, and is the same when it comes again: nothing has to be kept in order. */
const isDistinct = ({query}: CollectPair) => query.mode === 'raw' && query.template === undefined

/** A row as a dead letter keeps it. */
function rawPoint(point: unknown): RawMessage {
  return {value: Buffer.from(JSON.stringify(pointCells(point as FluxPoint))), key: null, headers: undefined, timestamp: undefined}
}
