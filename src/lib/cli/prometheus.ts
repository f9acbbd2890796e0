import type {Clock, RetryPolicy, Runtime, Sink, Transform} from '../core/types.ts'
import type {Line} from '../format/line-protocol.ts'
import type {PrometheusQuery, Sample} from '../format/prometheus-sample.ts'
import type {Given} from '../runtime/given.ts'
import type {SourceCount} from '../runtime/vitals.ts'
import type {Work} from '../sources/prometheus.ts'
import type {PrometheusServer} from '../sources/query-job.ts'
import type {Timetable} from '../sources/query-progress.ts'
import type {Observations} from '../transforms/observations.ts'
import type {Values} from './flag.ts'
import type {deliveryFlags, dryRunFlag, generalFlags, healthFlags, influxBucketFlag, influxFlags} from './flags.ts'
import type {catchUpFlags, healthCheckFlag, prometheusFlags, queryFlags, sampleFlags} from './prometheus-flags.ts'
import type {scheduleFlags, Timing} from './schedule.ts'
import {AuthError, UsageError} from '../errors.ts'
import {ORIGINS} from '../runtime/given.ts'
import {createPrometheusSource} from '../sources/prometheus.ts'
import {openQueryJob} from '../sources/query-job.ts'
import {createObservations} from '../transforms/observations.ts'
import {sampleToPoint} from '../transforms/sample-to-point.ts'
import {cycleCounter} from './cycle-counter.ts'
import {prometheusClients} from './prometheus-connections.ts'
import {DEFAULT_QUERIES} from './prometheus-flags.ts'
import type {Past} from './prometheus-past.ts'
import {pastOf} from './prometheus-past.ts'
import {openState} from './prometheus-state.ts'
import type {ServiceChecks} from './service-checks.ts'
import {checkServices} from './service-checks.ts'
import {timingOf} from './schedule.ts'

export type PrometheusValues = Values<
  typeof prometheusFlags &
    typeof queryFlags &
    typeof sampleFlags &
    typeof catchUpFlags &
    typeof healthCheckFlag &
    typeof healthFlags &
    typeof dryRunFlag &
    typeof influxFlags &
    Pick<typeof generalFlags, 'state-dir'> &
    ReturnType<typeof influxBucketFlag> &
    ReturnType<typeof scheduleFlags> &
    ReturnType<typeof deliveryFlags>
>

/** A backfill and a single cycle come to an end. */
export const isEndlessPolling = ({once, from}: PrometheusValues) => !once && from === undefined

type Origins = ReadonlyMap<string, Given>

export interface Metrics {
  readonly source: ReturnType<typeof createPrometheusSource>
  readonly transform: Transform<Sample, Line>
  readonly observations: Observations
  readonly counts: readonly SourceCount[]
  /** What went on so far, by query. */
  sources(): readonly {name: string; ok: boolean; points: number; message: string | null}[]
  health(): Readonly<Record<string, unknown>>
  progress(): Readonly<Record<string, unknown>>
  /** Has the servers looked at between cycles as well, this one among them. */
  watched(sink: Sink<Line>): Sink<Line>
}

/** Rejects at once for what can never work: a query that a server refuses, a wrong password, a cursor that another run uses. */
export async function openPrometheus(
  values: PrometheusValues,
  given: Origins,
  {queries, policy, runtime}: {readonly queries: readonly PrometheusQuery[]; readonly policy: RetryPolicy; readonly runtime: Runtime},
): Promise<Metrics> {
  const {clock, log} = runtime
  const timing = await timingOf(values, given)
  const past = pastOf(values, given, timing, clock.now())
  const servers = await prometheusClients(values, given, {queryTimeoutMilliseconds: values['query-timeout'], clock})
  await checkQueries(servers, queries, runtime)
  const timetable = past?.timetable ?? timetableOf(values, timing)
  const state = await openState(values, servers, queries, past)
  const jobs = await Promise.all(
    state.cursors.map(({server, query, cursor}) => openQueryJob({server, query, timetable, cursor, log, begin: past?.cursor})),
  ).catch(async (error: unknown) => {
    await state.release()
    throw error
  })
  if (past) {
    for (const {progress} of jobs) progress.expect(past.to + 1)
    const isResumed = jobs.some(({isResumed}) => isResumed)
    log.info('past.range', {from: new Date(past.from).toISOString(), to: new Date(past.to).toISOString(), isResumed})
  }

  const observations = createObservations(log.warn)
  const cycles = cycleCounter(jobs, {log, isEndless: isEndlessPolling(values)})
  let checks: ServiceChecks | undefined
  const points = new Map<string, number>(jobs.map(({partition}) => [partition, 0]))
  const source = createPrometheusSource(
    {
      jobs,
      work: workOf(values, timing, policy, past),
      stepMilliseconds: timetable.stepMilliseconds,
      catchesUp: past !== undefined || (values['catch-up'] && !values['dry-run']),
      rules: {
        concurrency: values['query-concurrency'],
        maxSeries: values['max-series'],
        queryRetries: values['query-retries'],
        maxRetries: values['max-retries'] ?? Infinity,
        retryDelayMilliseconds: values['retry-delay'],
        onAdvice: (kind, advice, {label}) => observations.note(`query.${kind}`, advice, {query: label}),
      },
      onCycle: cycles.note,
    },
    runtime,
  )
  const toPoint = pointTransform(values, clock)

  return {
    source: {
      ...source,
      async complete() {
        await source.complete()
        if (past) await state.forget()
      },
      async close() {
        checks?.stop()
        await source.close()
        await state.release()
      },
    },
    transform(sample, position) {
      const outcome = toPoint(sample, position)
      if ('rows' in outcome) points.set(position.partition, points.get(position.partition)! + 1)
      return outcome
    },
    observations,
    counts: cycles.counts,
    sources: () =>
      jobs.map(({label, partition, failure, givenUp}) => {
        const message = (givenUp ?? failure)?.message ?? null
        return {name: label, ok: message === null, points: points.get(partition)!, message}
      }),
    health: () => ({...cycles.health(), services: checks?.states() ?? {}}),
    progress: () => (past ? past.progress(jobs, clock.now()) : {}),
    watched(sink) {
      if (!values['health-port'] || !isEndlessPolling(values)) return sink
      const expression = '1'
      const ask =
        ({client}: PrometheusServer) =>
        async (signal: AbortSignal) =>
          client.query({expression, at: clock.now(), limit: 1, signal})
      const services = servers.map((server) => [server.name ?? 'prometheus', ask(server)] as const)
      checks = checkServices(
        {...Object.fromEntries(services), influxdb: async (signal) => sink.check(signal)},
        values['health-check-interval'],
        runtime,
      )
      return sink
    },
  }
}

export function pointTransform(values: Values<typeof sampleFlags>, clock: Clock): Transform<Sample, Line> {
  return sampleToPoint({
    fallbackMeasurement: values['fallback-measurement'],
    validMetrics: new Set(values['valid-metric']),
    valueRanges: new Map(values['value-range']),
    skippedChecks: new Set(values['skip-check']),
    tagInclude: values['tag-include'].length > 0 ? new Set(values['tag-include']) : undefined,
    tagExclude: new Set(values['tag-exclude']),
    tags: Object.fromEntries(values.tag),
    serverTag: values['server-tag'],
    now: () => clock.now(),
  })
}

/** Of expressions and named queries whichever has the stronger origin counts, both where they have the same. Else what the exporter of the seeds asks for. */
export function queriesOf({queries, query}: PrometheusValues, given: Origins): readonly PrometheusQuery[] {
  const rankOf = (name: string) => {
    const kind = given.get(name)?.origin.kind
    return kind === undefined ? Infinity : ORIGINS.indexOf(kind)
  }
  const [unnamed, named] = [rankOf('queries'), rankOf('query')]
  const chosen = [...(unnamed <= named ? queries : []), ...(named <= unnamed ? query : [])]
  const names = chosen.flatMap(({name}) => (name === undefined ? [] : [name]))
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new UsageError(`--query: two queries are called ${twice}`)
  const distinct = new Map(chosen.map((each) => [JSON.stringify([each.name, each.expression]), each]))
  if (distinct.size > 0) return [...distinct.values()]
  return DEFAULT_QUERIES.map((expression) => ({name: undefined, expression}))
}

/** The run has not begun as long as it lasts: a server that is slow is asked when the queries are due. */
const CHECK_MILLISECONDS = 5000

/** Where a server can tell what is wrong with a query before it is due, nothing is begun with it. One that is away may come back. */
async function checkQueries(
  servers: readonly PrometheusServer[],
  queries: readonly PrometheusQuery[],
  {stop, log}: Pick<Runtime, 'stop' | 'log'>,
): Promise<void> {
  const inTime = AbortSignal.any([stop, AbortSignal.timeout(CHECK_MILLISECONDS)])
  const checks = servers.flatMap(({client}) => queries.map(({expression}) => client.checkSyntax(expression, inTime)))
  for (const check of await Promise.allSettled(checks)) {
    if (check.status === 'fulfilled') continue
    const error: unknown = check.reason
    if (error instanceof UsageError || error instanceof AuthError) {
      for (const {client} of servers) client.close()
      throw error
    }

    log.debug('query.unchecked', {message: (error as Error).message})
  }
}

/** A single cycle is asked for when it is begun: what was missed before lies whole steps after what was settled last, or at moments of the schedule. */
function timetableOf({once}: PrometheusValues, timing: Timing): Timetable {
  const {schedule, stepMilliseconds} = timing
  const near = once ? {near: nearOf(timing)} : {}
  if (once && stepMilliseconds !== undefined) return {next: (after) => after + stepMilliseconds, stepMilliseconds, ...near}
  return {next: (after) => schedule.next(after), stepMilliseconds, ...near}
}

/** What a single cycle stands for besides its own moment: half a step, or all since the moment of the schedule that it is begun for. */
const nearOf =
  ({schedule, stepMilliseconds}: Timing) =>
  (moment: number) =>
    stepMilliseconds === undefined ? moment - schedule.previous(moment) : Math.floor(stepMilliseconds / 2)

function workOf(values: PrometheusValues, timing: Timing, policy: RetryPolicy, past: Past | undefined): Work {
  const patienceMilliseconds = policy.forMilliseconds
  if (past) return {kind: 'backfill', patienceMilliseconds}
  const {schedule, stepMilliseconds} = timing
  if (values.once) return {kind: 'once', patienceMilliseconds, near: nearOf(timing)}
  return {kind: 'endless', patienceMilliseconds, schedule, startsNow: stepMilliseconds !== undefined}
}
