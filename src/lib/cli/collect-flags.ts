import {UsageError} from '../errors.ts'
import {batchFlags, deliveryFlags, dryRunFlag, generalFlags, healthFlags, influxFlags, kafkaFlags, typeConflictFlag} from './flags.ts'
import {
  duration,
  type Flag,
  type Values,
  integer,
  listFlag,
  nameAndValue,
  oneOf,
  someDuration,
  text,
  valueFlag,
  withVariables,
} from './flag.ts'
import {tagName} from './points.ts'
import {instant, scheduleFlags} from './schedule.ts'

const QUERIES = 'QUERIES'

const queryFlags = {
  'queries-file': valueFlag(text, {
    summary: 'queries to ask; those that come with the program where there is no such file',
    group: QUERIES,
    fallback: 'config/queries.yaml',
    value: 'FILE',
  }),
  mode: valueFlag(oneOf(['aggregated', 'raw']), {
    summary: 'aggregated: a point for each window, with tags host, source_bucket and field; raw: points as they are',
    group: QUERIES,
    fallback: 'aggregated',
    value: 'HOW',
  }),
  every: valueFlag(someDuration, {summary: 'length of a window', group: QUERIES, fallback: '1m', value: 'D'}),
  fn: valueFlag(functionName, {summary: 'what becomes of the numbers of a window', group: QUERIES, fallback: 'mean', value: 'NAME'}),
  strings: valueFlag(oneOf(['last', 'skip', 'keep']), {
    summary: 'texts and booleans, which have no mean: the last of each window, none, or all',
    group: QUERIES,
    fallback: 'last',
    value: 'HOW',
  }),
  'time-label': valueFlag(oneOf(['start', 'stop']), {
    summary: 'time of a window: its start or its stop',
    group: QUERIES,
    fallback: 'stop',
    value: 'WHICH',
  }),
  'keep-tags': listFlag(text, {summary: 'only this tag besides host, may be repeated; else all', group: QUERIES, value: 'NAME'}),
  'query-timeout': valueFlag(someDuration, {
    summary: 'how long a server may send nothing while an answer is awaited',
    group: QUERIES,
    fallback: '30s',
    value: 'D',
  }),
  'query-concurrency': valueFlag(integer({min: 1, max: 64}), {
    summary: 'queries that one server works on at once',
    group: QUERIES,
    fallback: '2',
    value: 'N',
  }),
} as const

const mapFlags = {
  'bucket-map': listFlag(mapping, {
    summary: 'bucket in the central server for a bucket, may be repeated; the same name where none is given',
    group: 'NAMES',
    value: 'FROM=TO',
  }),
  'host-map': listFlag(nameAndValue, {
    summary: 'name for a host, may be repeated; else in lower case with _ for -',
    group: 'NAMES',
    value: 'FROM=TO',
  }),
  'source-tag': valueFlag(tagName, {
    summary: 'in raw mode, a tag with the name of the source for every point',
    group: 'NAMES',
    value: 'NAME',
  }),
} as const

const timeFlags = {
  lag: valueFlag(duration, {
    summary: 'how long to wait for late points before their window is asked for',
    group: 'SCHEDULE',
    fallback: '15s',
    value: 'D',
  }),
  overlap: valueFlag(duration, {
    summary: 'how much of what was collected before is asked for again, for points that came later still',
    group: 'SCHEDULE',
    fallback: '2m',
    value: 'D',
  }),
  from: valueFlag(instant, {
    summary: 'collect the past from here on first: 2026-01-31T08:00:00Z, or -24h',
    group: 'SCHEDULE',
    value: 'TIME',
  }),
} as const

const {interval, ...otherSchedule} = scheduleFlags({interval: '60'})

export const collectFlags = {
  ...queryFlags,
  ...mapFlags,
  interval: withVariables(interval, ['COLLECTOR_INTERVAL']),
  ...otherSchedule,
  ...timeFlags,
  ...influxFlags,
  'influx-url': first('INFLUXDB_CENTRAL_URL', influxFlags['influx-url']),
  'influx-org': first('INFLUXDB_CENTRAL_ORG', influxFlags['influx-org']),
  'influx-bucket': valueFlag(text, {
    summary: 'bucket for what --bucket-map maps to nothing',
    group: 'INFLUXDB',
    variables: ['INFLUXDB_CENTRAL_BUCKET', 'INFLUX_BUCKET'],
    value: 'NAME',
  }),
  token: first('INFLUXDB_CENTRAL_TOKEN', influxFlags.token),
  ...batchFlags({size: 10_000}),
  ...deliveryFlags('collect'),
  ...typeConflictFlag,
  ...dryRunFlag,
  ...healthFlags,
  'health-port': valueFlag(integer({min: 0, max: 65_535}), {
    summary: healthFlags['health-port'].summary!,
    group: 'HEALTH',
    variables: healthFlags['health-port'].rules.variables,
    fallback: '5000',
    value: 'PORT',
  }),
  ...kafkaFlags,
  'log-file': valueFlag(text, {
    summary: generalFlags['log-file'].summary!,
    group: 'GENERAL',
    fallback: 'logs/collector.log',
    value: 'FILE',
  }),
} as const

/** The same flag, for a command whose users know it by another variable before all others. */
function first<T>(variable: string, flag: Flag<T>): Flag<T> {
  const variables = [variable, ...flag.rules.variables]
  return Object.assign({...flag}, {env: variables.join(', '), rules: {...flag.rules, variables}})
}

export function functionName(given: string): string {
  if (/^[A-Za-z_]\w*$/.test(given)) return given
  throw new UsageError('expected the name of a Flux function, such as mean or max')
}

function mapping(given: string): readonly [string, string] {
  const at = given.indexOf('=')
  if (at < 1) throw new UsageError('expected FROM=TO')
  return [given.slice(0, at), given.slice(at + 1)]
}

export type CollectFlags = typeof collectFlags
export type CollectValues = Values<CollectFlags & typeof generalFlags>
