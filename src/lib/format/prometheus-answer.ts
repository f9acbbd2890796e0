/** What a query of Prometheus found, whatever the type of its result. */
export interface PrometheusAnswer {
  readonly series: readonly AnsweredSeries[]
  /** What the server says about the query: a truncated result, a rate of what is no counter. */
  readonly warnings: readonly string[]
  readonly infos: readonly string[]
}

export interface AnsweredSeries {
  /** The result of a query that is a string; any other value is a number, spelt as the server does. */
  readonly isText: boolean
  /** To be called once: a long answer is taken apart only then. */
  read(): SeriesContent
}

export interface SeriesContent {
  /** With `__name__` where the result has one; a scalar and a string have none at all. */
  readonly labels: Readonly<Record<string, string>>
  readonly points: readonly AnsweredPoint[]
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
  return sliceMatrix(text) ?? parseWhole(text)
}

function parseWhole(text: string): PrometheusAnswer {
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
      return (result as VectorElement[]).map(({metric, value, histogram}) =>
        toNumbers(
          metric,
          [value ?? histogram].filter((point) => point !== undefined),
        ),
      )
    case 'matrix':
      return (result as MatrixElement[]).map(({metric, values = [], histograms = []}) => toNumbers(metric, [...values, ...histograms]))
    case 'scalar':
      return [toNumbers({}, [result as unknown as AnsweredPoint])] // the result is the point itself, and not a list of series
    case 'string':
      return [{isText: true, read: () => ({labels: {}, points: [result as unknown as AnsweredPoint]})}]
    default:
      throw new Error(`a result of type ${String(type)} is not known`)
  }
}

const toNumbers = (labels: Labels, points: readonly AnsweredPoint[]): AnsweredSeries => ({isText: false, read: () => ({labels, points})})

const HEAD = '{"status":"success","data":{"resultType":"matrix","result":['
const SERIES_BEGIN = '{"metric":{'
const SERIES_END = ']]}'

/**
 * A matrix as Prometheus itself writes it, cut into its series without reading them: a hundred thousand points that are all parsed before
 * the first is written cost twice the time, most of it spent on clearing them away. None of the marks can stand within a JSON string, which
 * holds no bare quote, nor between two series. Undefined for anything else.
 */
function sliceMatrix(text: string): PrometheusAnswer | undefined {
  if (!text.startsWith(HEAD + SERIES_BEGIN) || text.includes('"histograms":[')) return undefined
  const series: AnsweredSeries[] = []
  let at = HEAD.length
  for (;;) {
    const valuesAt = text.indexOf('"values":[[', at)
    const endAt = valuesAt === -1 ? -1 : text.indexOf(SERIES_END, valuesAt)
    if (endAt === -1) return undefined
    const end = endAt + SERIES_END.length
    series.push(toSliced(text.slice(at, end)))
    if (text[end] !== ',') return {series, ...adviceAfter(text.slice(end))}
    at = end + 1
    if (!text.startsWith(SERIES_BEGIN, at)) return undefined
  }
}

function toSliced(text: string): AnsweredSeries {
  return {
    isText: false,
    read() {
      const {metric, values = []} = JSON.parse(text) as MatrixElement
      return {labels: metric, points: values}
    },
  }
}

/** What follows the last series closes the result, and may hold advice. */
function adviceAfter(rest: string): Pick<PrometheusAnswer, 'warnings' | 'infos'> {
  const {warnings = [], infos = []} = JSON.parse(`{"data":{"result":[${rest}`) as Envelope
  return {warnings, infos}
}
