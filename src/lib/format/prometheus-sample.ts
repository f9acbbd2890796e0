import type {AnsweredPoint, AnsweredSeries, SeriesContent} from './prometheus-answer.ts'

export interface PrometheusQuery {
  /** What the operator calls its result; undefined where the metrics' own names have to do. */
  readonly name: string | undefined
  readonly expression: string
}

/** A series as one query found it. */
export interface QueriedSeries extends Pick<SeriesContent, 'labels'>, Pick<AnsweredSeries, 'isText'> {
  readonly query: PrometheusQuery
  /** The name of the server, where several are asked. */
  readonly server: string | undefined
  /** The moment that all queries of a cycle share, in milliseconds since the epoch; undefined for what a range brought. */
  readonly cycle: number | undefined
}

/** One value of a series. */
export interface Sample {
  readonly series: QueriedSeries
  /** Since the epoch, to the millisecond. */
  readonly seconds: AnsweredPoint[0]
  readonly measured: AnsweredPoint[1]
}

/** What an operator calls a query. */
export const queryLabel = ({name, expression}: PrometheusQuery) => name ?? expression
