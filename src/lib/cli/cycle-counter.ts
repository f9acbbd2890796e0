import type {Logger} from '../core/types.ts'
import type {SourceCount} from '../runtime/vitals.ts'
import type {CycleReport} from '../sources/prometheus-cycles.ts'
import type {QueryJob} from '../sources/query-job.ts'

/** Numbers of cycles and of what went wrong in them. */
export function cycleCounter(jobs: readonly QueryJob[], {log, isEndless}: {readonly log: Logger; readonly isEndless: boolean}) {
  const totals = {cycles: 0, failed: 0, skipped: 0}
  let last: CycleReport | undefined
  return {
    note(report: CycleReport): void {
      last = report
      totals.cycles++
      totals.failed += report.failed + report.pending
      totals.skipped += report.skipped
      const {at, ...rest} = report
      const level = report.status !== 'healthy' ? 'warn' : isEndless ? 'info' : 'debug' // the summary tells of a single cycle
      log[level]('cycle', {at: new Date(at).toISOString(), ...rest})
    },
    counts: [
      {key: 'cycles', metric: 'ucs_cycles_total', help: 'Cycles that were begun.', value: () => totals.cycles},
      {
        key: 'queriesFailed',
        metric: 'ucs_queries_failed_total',
        help: 'Queries that were not answered in their cycle.',
        value: () => totals.failed,
      },
      {
        key: 'queriesSkipped',
        metric: 'ucs_queries_skipped_total',
        help: 'Queries that were not asked in a cycle, because they were not done with the one before.',
        value: () => totals.skipped,
      },
    ] satisfies readonly SourceCount[],
    health: () => ({
      status: last?.status ?? 'healthy',
      cycles: totals.cycles,
      success_rate: last === undefined ? null : last.successPercent,
      last_cycle: last && {...last, at: new Date(last.at).toISOString()},
      sources: Object.fromEntries(jobs.map(({label, failure}) => [label, {ok: failure === undefined, message: failure?.message ?? null}])),
    }),
  }
}
