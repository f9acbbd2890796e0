/** What a query of Prometheus found, whatever the type of its result. */
export interface PrometheusAnswer {
  readonly series: readonly AnsweredSeries[]
  /** What the server says about the query: a truncated result, a rate of what is no counter. */
  readonly warnings: readonly string[]
  readonly infos: readonly string[]
}

export interface AnsweredSeries {
  /** With `__name__` where the result has one; a scalar and a string have none at all. */
  readonly labels: Readonly<Record<string, string>>
  readonly points: readonly AnsweredPoint[]
  /** The result of a query that is a string; any other value is a number, spelt as the server does. */
  readonly isText: boolean
}

/** Seconds since the epoch, to the millisecond, and the value; null is what a compatible server may say. */
export type AnsweredPoint = readonly [seconds: number, value: string | NativeHistogram | null]

export interface NativeHistogram {
  readonly count: string
  readonly sum: string
}

/** `{status: "error"}`, which comes with a status of its own. */
export interface PrometheusFailure {
  readonly errorType: string
  readonly error: string
}

type Labels = Readonly<Record<string, string>>
interface VectorElement {
  readonly metric: Labels
  readonly value?: AnsweredPoint
  readonly histogram?: AnsweredPoint
}
interface MatrixElement {
  readonly metric: Labels
  readonly values?: readonly AnsweredPoint[]
  readonly histograms?: readonly AnsweredPoint[]
}
interface Envelope {
  readonly status?: unknown
  readonly errorType?: unknown
  readonly error?: unknown
  readonly warnings?: readonly string[]
  readonly infos?: readonly string[]
  readonly data?: {readonly resultType?: unknown; readonly result?: unknown}
}

/** The answer of `/api/v1/query` and `/api/v1/query_range`. Throws an Error for what is none. */
export function parsePrometheusAnswer(text: string): PrometheusAnswer {
  const {status, data, warnings = [], infos = []} = JSON.parse(text) as Envelope
  if (status !== 'success' || data === undefined) throw new Error('it has no data')
  return {series: toSeries(data.resultType, data.result), warnings, infos}
}

/** Undefined where the text comes from somebody else, such as a proxy. */
export function parsePrometheusFailure(text: string): PrometheusFailure | undefined {
  try {
    const {status, errorType, error} = JSON.parse(text) as Envelope
    return status === 'error' ? {errorType: String(errorType), error: String(error)} : undefined
  } catch {
    return undefined
  }
}

function toSeries(type: unknown, result: unknown): readonly AnsweredSeries[] {
  if (!Array.isArray(result)) throw new Error('its result is no list')
  switch (type) {
    case 'vector':
      return (result as VectorElement[]).map(({metric, value, histogram}) => ({
        labels: metric,
        points: [value ?? histogram].filter((point) => point !== undefined),
        isText: false,
      }))
    case 'matrix':
      return (result as MatrixElement[]).map(({metric, values = [], histograms}) => ({
        labels: metric,
        points: histograms ? [...values, ...histograms] : values,
        isText: false,
      }))
    case 'scalar':
    case 'string': // the result is the point itself, and not a list of series
      return [{labels: {}, points: [result as unknown as AnsweredPoint], isText: type === 'string'}]
    default:
      throw new Error(`a result of type ${String(type)} is not known`)
  }
}
