/** As the API has it, which is what tests compare with. Numbers are text: "NaN", "+Inf". */
export interface PrometheusAnswer<Result> {
  readonly data: {readonly resultType: string; readonly result: Result}
  readonly warnings?: readonly string[]
  readonly infos?: readonly string[]
}

/** Seconds since 1970. */
export type PrometheusTime = number

export interface PrometheusHistogram {
  readonly count: string
  readonly sum: string
  /** Kind of the borders, lower and upper border, count. */
  readonly buckets?: readonly (readonly [number, string, string, string])[]
}

export interface InstantSeries {
  readonly metric: Readonly<Record<string, string>>
  readonly value?: readonly [PrometheusTime, string]
  readonly histogram?: readonly [PrometheusTime, PrometheusHistogram]
}

export interface RangeSeries {
  readonly metric: Readonly<Record<string, string>>
  readonly values?: readonly (readonly [PrometheusTime, string])[]
  readonly histograms?: readonly (readonly [PrometheusTime, PrometheusHistogram])[]
}

/** For an expression that gives a vector. Rejects with what the server says. */
export function instantQuery(url: string, query: string, time?: PrometheusTime): Promise<PrometheusAnswer<readonly InstantSeries[]>> {
  return ask(`${url}/api/v1/query`, {query, ...(time === undefined ? {} : {time: String(time)})})
}

export interface QueryRange {
  readonly start: PrometheusTime
  /** Inclusive. */
  readonly end: PrometheusTime
  readonly stepSeconds: number
}

export function rangeQuery(
  url: string,
  query: string,
  {start, end, stepSeconds}: QueryRange,
): Promise<PrometheusAnswer<readonly RangeSeries[]>> {
  return ask(`${url}/api/v1/query_range`, {query, start: String(start), end: String(end), step: String(stepSeconds)})
}

async function ask<Result>(url: string, form: Readonly<Record<string, string>>): Promise<PrometheusAnswer<Result>> {
  const response = await fetch(url, {method: 'POST', body: new URLSearchParams(form)})
  if (!response.ok) throw new Error(`Prometheus answers ${response.status}: ${await response.text()}`)
  return (await response.json()) as PrometheusAnswer<Result>
}
