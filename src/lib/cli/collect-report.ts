import type {Runtime} from '../core/types.ts'
import type {CollectJob} from '../jobs/collect-job.ts'
import type {LabelledCount, SourceCount} from '../runtime/vitals.ts'
import type {Timing} from './schedule.ts'
import type {Work} from './stream.ts'

interface Watched {
  /** Hosts that were seen, by the name of the source. */
  readonly hosts: ReadonlyMap<string, ReadonlySet<string>>
  readonly timing: Timing
  /** Why the central server takes nothing at the moment. */
  centralFailure(): string | undefined
  readonly runtime: Pick<Runtime, 'clock' | 'log'>
}

/** What a run says of itself: in its result, its log, its metrics and its health. */
export function collectReport(jobs: readonly CollectJob[], {hosts, timing, centralFailure, runtime}: Watched) {
  const {clock, log} = runtime
  const sources = [...Map.groupBy(jobs, ({server}) => server.name)]
  let [cycles, skipped] = [0, 0]
  let told = {rows: 0, failures: 0}
  const sum = (own: readonly CollectJob[], of: (job: CollectJob) => number) => own.reduce((total, job) => total + of(job), 0)
  const failureOf = (own: readonly CollectJob[]) => own.find(({state}) => state.failure)?.state.failure?.message ?? null
  const lagSeconds = (own: readonly CollectJob[]) => Math.max(0, ...own.map((job) => (clock.now() - (job.until() ?? clock.now())) / 1000))

  const counts: readonly SourceCount[] = [
    {
      key: 'cycles',
      metric: 'ucs_cycles_total',
      help: 'Cycles of all queries that were begun.',
      value: () => sum(jobs, ({state}) => state.cycles),
    },
    {
      key: 'queriesFailed',
      metric: 'ucs_queries_failed_total',
      help: 'Cycles of a query that failed.',
      value: () => sum(jobs, ({state}) => state.failures),
    },
    {
      key: 'queriesSkipped',
      metric: 'ucs_queries_skipped_total',
      help: 'Cycles of a query that were not begun, because it was not done with the one before.',
      value: () => skipped,
    },
  ]
  const bySource = (of: (own: readonly CollectJob[]) => number) => () => sources.map(([source, own]) => [{source}, of(own)] as const)
  const series: readonly LabelledCount[] = [
    {
      kind: 'counter',
      metric: 'ucs_source_rows_total',
      help: 'Rows read and settled, by source.',
      labels: ['source'],
      values: bySource((own) => sum(own, ({state}) => state.rows)),
    },
    {
      kind: 'counter',
      metric: 'ucs_source_failures_total',
      help: 'Cycles of a query that failed, by source.',
      labels: ['source'],
      values: bySource((own) => sum(own, ({state}) => state.failures)),
    },
    {
      kind: 'gauge',
      metric: 'ucs_source_up',
      help: '1 while all queries of a source are answered.',
      labels: ['source'],
      values: bySource((own) => Number(failureOf(own) === null)),
    },
    {
      kind: 'gauge',
      metric: 'ucs_source_lag_seconds',
      help: 'How far behind now the slowest query of a source is collected.',
      labels: ['source'],
      values: bySource(lagSeconds),
    },
  ]

  return {
    result: {
      points: () => sum(jobs, ({state}) => state.rows),
      sources: () =>
        sources.map(([name, own]) => ({
          name,
          ok: failureOf(own) === null,
          points: sum(own, ({state}) => state.rows),
          message: failureOf(own),
        })),
    },
    rounds: {
      onCycle() {
        cycles++
      },
      onSkipped(late: number) {
        skipped += late
      },
    },
    /** What went on since it was last told. */
    tellCycle() {
      const now = {rows: sum(jobs, ({state}) => state.rows), failures: sum(jobs, ({state}) => state.failures)}
      const failing = sources.filter(([, own]) => failureOf(own) !== null).map(([name]) => name)
      log[failing.length > 0 ? 'warn' : 'info']('cycle', {
        points: now.rows - told.rows,
        failed: now.failures - told.failures,
        sources: sources.length,
        ...(failing.length > 0 ? {failing} : {}),
        lagSeconds: Math.round(lagSeconds(jobs)),
      })
      told = now
    },
    work: {
      counts,
      series,
      isConnected: () => cycles > 0,
      metrics: () => ({
        metrics_collected_total: sum(jobs, ({state}) => state.rows),
        sources_count: sources.length,
        enabled_sources: sources.map(([name]) => name),
      }),
      health: () => ({
        status: centralFailure() !== undefined || sources.some(([, own]) => failureOf(own) !== null) ? 'degraded' : 'healthy',
        ...(centralFailure() === undefined ? {} : {central: centralFailure()}),
        collection_interval: timing.stepMilliseconds === undefined ? null : timing.stepMilliseconds / 1000,
        sources: Object.fromEntries(sources.map(([name, own]) => [name, sourceHealth(name, own)])),
      }),
    } satisfies Partial<Work>,
  }

  function sourceHealth(name: string, own: readonly CollectJob[]) {
    const buckets = [...new Set(own.map(({bucket}) => bucket))]
    const times = own.flatMap(({state}) => state.lastSuccess ?? [])
    const failed = sum(own, ({state}) => state.failures)
    return {
      enabled: true,
      buckets,
      last_success: times.length === 0 ? null : new Date(Math.max(...times)).toISOString(),
      stats: {
        success: sum(own, ({state}) => state.cycles) - failed,
        failed,
        last_points: sum(own, ({state}) => state.lastRows),
        last_hosts: [...(hosts.get(name) ?? [])].sort(),
        last_buckets: [...new Set(own.flatMap(({bucket, state}) => (state.lastRows > 0 ? [bucket] : [])))],
      },
      message: failureOf(own),
    }
  }
}
