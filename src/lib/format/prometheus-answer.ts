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
  readonly metric?: Labels
  readonly value?: AnsweredPoint
  readonly histogram?: AnsweredPoint
}
interface MatrixElement {
  readonly metric?: Labels
  readonly values?: readonly AnsweredPoint[] | null
  readonly histograms?: readonly AnsweredPoint[] | null
}
interface Envelope {
  readonly status?: unknown
  readonly errorType?: unknown
  readonly error?: unknown
  readonly warnings?: readonly string[] | null
  readonly infos?: readonly string[] | null
  readonly data?: {readonly resultType?: unknown; readonly result?: unknown} | null
}

/** The answer of `/api/v1/query` and `/api/v1/query_range`. Throws an Error for what is none. */
export function parsePrometheusAnswer(text: string): PrometheusAnswer {
  return (text.length < LONG ? undefined : sliced(text)) ?? parsedWhole(text)
}

function parsedWhole(text: string): PrometheusAnswer {
  const {status, data, warnings, infos} = (JSON.parse(text) ?? {}) as Envelope
  if (status !== 'success' || !data) throw new Error('it has no data')
  return {series: toSeries(data.resultType, data.result), warnings: warnings ?? [], infos: infos ?? []}
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
      return (result as VectorElement[]).map(vectorSeries)
    case 'matrix':
      return (result as MatrixElement[]).map(matrixSeries)
    case 'scalar':
    case 'string': // the result is the point itself, and not a list of series
      return [oneSeries({}, [result as unknown as AnsweredPoint], type === 'string')]
    default:
      throw new Error(`a result of type ${String(type)} is not known`)
  }
}

const vectorSeries = ({metric, value, histogram}: VectorElement) => oneSeries(metric, [value ?? histogram])

const matrixSeries = ({metric, values, histograms}: MatrixElement) =>
  oneSeries(metric, histograms ? [...(values ?? []), ...histograms] : (values ?? []))

/** Whoever reads it further on relies on its form, and a server that only resembles Prometheus may have another. */
function oneSeries(labels: Labels | undefined, points: readonly (AnsweredPoint | undefined)[], isText = false): AnsweredSeries {
  if (labels === null || typeof labels !== 'object') throw new Error('a series has no labels')
  for (const name in labels) if (typeof labels[name] !== 'string') throw new Error('a series has a label that is no text')
  if (!points.every(isPoint)) throw new Error('a series has a point without time and value')
  return {isText, read: () => ({labels, points})}
}

const isPoint = (point: unknown): point is AnsweredPoint => Array.isArray(point) && point.length === 2

interface Shape {
  readonly head: string
  /** Before the points of a series, and behind them. */
  readonly begin: string
  readonly end: string
  read(text: string): AnsweredSeries
}

const SHAPES: readonly Shape[] = [
  {
    head: '{"status":"success","data":{"resultType":"matrix","result":[',
    begin: '"values":[[',
    end: ']]}',
    read: (text) => matrixSeries(JSON.parse(text) as MatrixElement),
  },
  {
    head: '{"status":"success","data":{"resultType":"vector","result":[',
    begin: '"value":[',
    end: ']}',
    read: (text) => vectorSeries(JSON.parse(text) as VectorElement),
  },
]
const SERIES_BEGIN = '{"metric":{'
/** Characters. A shorter answer is read at once, and what is wrong with it is seen before any of it is used. */
const LONG = 100_000

/**
 * An answer as Prometheus itself writes it, cut into its series without reading them: a hundred thousand points that are all parsed before
 * the first is written take more memory than all else, and most of the time goes into clearing them away. None of the marks can stand within
 * a JSON string, which holds no bare quote, nor between two series. Undefined for anything else.
 */
function sliced(text: string): PrometheusAnswer | undefined {
  const shape = SHAPES.find(({head}) => text.startsWith(head + SERIES_BEGIN))
  if (!shape || text.includes('"histogram')) return undefined
  const {head, begin, end, read} = shape
  const series: AnsweredSeries[] = []
  for (let at = head.length; text.startsWith(SERIES_BEGIN, at); at++) {
    const pointsAt = text.indexOf(begin, at)
    const endAt = pointsAt === -1 ? -1 : text.indexOf(end, pointsAt)
    const nextAt = text.indexOf(SERIES_BEGIN, at + 1)
    if (endAt === -1 || (nextAt !== -1 && nextAt < endAt)) return undefined // it has no points, or more than these
    const content = text.slice(at, endAt + end.length)
    series.push({isText: false, read: () => read(content).read()})
    at = endAt + end.length
    if (text[at] === ']') return {series, ...adviceAfter(text.slice(at))}
    if (text[at] !== ',') return undefined
  }

  return undefined
}

/** What follows the last series closes the result, and may hold advice. */
function adviceAfter(rest: string): Pick<PrometheusAnswer, 'warnings' | 'infos'> {
  const {warnings, infos} = JSON.parse(`{"data":{"result":[${rest}`) as Envelope
  return {warnings: warnings ?? [], infos: infos ?? []}
}
