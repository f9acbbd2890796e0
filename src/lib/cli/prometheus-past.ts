import type {Given} from '../runtime/given.ts'
import type {QueryJob} from '../sources/query-job.ts'
import type {Timetable} from '../sources/query-progress.ts'
import type {PrometheusValues} from './prometheus.ts'
import type {Instant, Timing} from './schedule.ts'
import {UsageError} from '../errors.ts'

/** A stretch of the past that is asked for. */
export interface Past {
  readonly timetable: Timetable
  /** Of a query of which nothing was asked yet: all of it is a gap. */
  readonly cursor: string
  /** Tells apart what is resumed. As it was given: of a relative time, what a run before has left undone comes first. */
  readonly key: string
  /** Both are asked for; milliseconds since the epoch. */
  readonly from: number
  readonly to: number
  progress(jobs: readonly QueryJob[], now: number): Readonly<Record<string, unknown>>
}

export function pastOf(
  values: Pick<PrometheusValues, 'from' | 'to' | 'step' | 'once'>,
  given: ReadonlyMap<string, Given>,
  {stepMilliseconds: interval}: Timing,
  now: number,
): Past | undefined {
  const {from, to, step: named} = values
  if (from === undefined) {
    if (to !== undefined || named !== undefined) throw new UsageError(`--${to === undefined ? 'step' : 'to'} needs --from`)
    return undefined
  }

  if (values.once) throw new UsageError('--from and --once exclude each other')
  const step = named ?? interval
  if (step === undefined) throw new UsageError('--from needs --step where there is a --schedule')
  if (!Number.isInteger(step)) throw new UsageError('--step: expected whole milliseconds')
  const momentOf = (instant: Instant) => ('at' in instant ? instant.at : Math.floor((now - instant.ago) / step) * step)
  const [begin, end] = [momentOf(from), to === undefined ? now : momentOf(to)]
  if (Math.max(begin, end) > now) throw new UsageError(`--${begin > now ? 'from' : 'to'} is in the future`)
  if (end < begin) throw new UsageError('--to is before --from')
  const all = Math.floor((end - begin) / step) + 1
  const texts = ['from', 'to'].map((name) => given.get(name)?.texts[0] ?? 'now')
  let first: number | undefined // what was missing when we began to look
  return {
    timetable: {next: (after) => after + step, stepMilliseconds: step},
    cursor: JSON.stringify({until: end, gaps: [[begin - step, end + 1]]}),
    key: ` past=${texts.join('..')}/${step}`,
    from: begin,
    to: end,
    progress(jobs, at) {
      const missing = jobs.reduce((sum, {progress}) => sum + progress.missing(), 0)
      first ??= missing
      const [done, total] = [all * jobs.length - missing, all * jobs.length]
      const elapsed = at - now
      const left = first === missing ? undefined : (elapsed / (first - missing)) * missing
      return {
        done: `${Math.floor((Math.max(0, done) / total) * 100)} %`,
        ...(left === undefined ? {} : {left: `${Math.ceil(left / 1000)} s`}),
      }
    },
  }
}
