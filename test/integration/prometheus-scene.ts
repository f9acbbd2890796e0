import {join} from 'node:path'
import {type CliOptions, startUcs, ucs} from '../commands/cli.ts'
import {type InstantSeries, instantQuery} from '../services/prometheus-query.ts'
import {useInflux} from '../services/use.ts'
import {type Bucket, newBucket, type StoredValue} from './influx-bucket.ts'

/** A bucket, and runs of prom-to-influx that lead there; their state is in the folder. */
export interface PrometheusScene {
  readonly bucket: Bucket
  readonly env: Readonly<Record<string, string>>
  start(args: readonly string[], options?: CliOptions): ReturnType<typeof startUcs>
  run(args: readonly string[], options?: CliOptions): ReturnType<typeof ucs>
  /** What is stored, a text for each value: "up{instance="x"} value=1 @1795622400.5", in order of time. */
  stored(): Promise<readonly string[]>
}

export async function prometheusScene(prometheus: string, cwd: string, influx?: string): Promise<PrometheusScene> {
  const bucket = await newBucket()
  const {url, org, token} = useInflux()
  const env = {
    PROMETHEUS_URL: prometheus,
    INFLUX_URL: influx ?? url,
    INFLUX_ORG: org,
    INFLUX_TOKEN: token,
    INFLUX_BUCKET: bucket.name,
    UCS_STATE_DIR: join(cwd, 'state'),
  }
  return {
    bucket,
    env,
    start: (args, options = {}) => startUcs(['prom-to-influx', ...args], {env, cwd, ...options}),
    run: (args, options = {}) => ucs(['prom-to-influx', ...args], {env, cwd, ...options}),
    stored: async () => (await bucket.stored()).map(storedText).sort(byTime),
  }
}

/** What the API itself finds at a moment, in the same form; values that are no numbers are left out. */
export async function foundAt(prometheus: string, queries: readonly string[], seconds: number): Promise<readonly string[]> {
  const answers = await Promise.all(queries.map((query) => instantQuery(prometheus, query, seconds)))
  const texts = answers.flatMap(({data}, index) =>
    data.result.filter(({value}) => Number.isFinite(Number(value?.[1]))).map((series) => foundText(series, queries[index]!)),
  )
  return [...new Set(texts)].sort(byTime)
}

/** Seconds since the epoch, ascending, each once. */
export const momentsOf = (texts: readonly string[]) => [...new Set(texts.map(secondsOf))].sort((a, b) => a - b)

/** Those that are further apart than this, and each pair that is not. */
export const gapsOf = (moments: readonly number[], stepSeconds: number) =>
  moments.slice(1).filter((moment, index) => Math.abs(moment - moments[index]! - stepSeconds) > 1e-6)

const secondsOf = (text: string) => Number(text.slice(text.lastIndexOf('@') + 1))

const byTime = (a: string, b: string) => secondsOf(a) - secondsOf(b) || (a < b ? -1 : 1)

const COLUMNS = new Set(['', 'result', 'table', '_time', '_measurement', '_field', '_value'])

function storedText(row: StoredValue): string {
  const tags = Object.entries(row).filter(([name, value]) => !COLUMNS.has(name) && value !== '')
  return pointText(row._measurement, tags, `${row._field}=${Number(row._value)}`, Date.parse(row._time) / 1000)
}

function foundText({metric, value}: InstantSeries, query: string): string {
  const {__name__: name = query, ...labels} = metric
  const tags = Object.entries(labels).filter(([, text]) => text !== '')
  return pointText(name, tags, `value=${Number(value![1])}`, value![0])
}

function pointText(measurement: string, tags: readonly (readonly [string, string])[], field: string, seconds: number): string {
  const labels = [...tags].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, text]) => `${name}=${JSON.stringify(text)}`)
  return `${measurement}{${labels.join(',')}} ${field} @${seconds}`
}
