import type {ValueRange} from '../transforms/sample-to-point.ts'
import type {PrometheusQuery} from '../format/prometheus-sample.ts'
import {UsageError} from '../errors.ts'
import {SAMPLE_CHECKS} from '../transforms/sample-to-point.ts'
import {httpUrl, integer, listFlag, nameAndValue, oneOf, someDuration, text, toggleFlag, valueFlag} from './flag.ts'
import {measurement, tag, tagName} from './points.ts'
import {instant} from './schedule.ts'

/** What the exporter of the seeds asks for. */
export const DEFAULT_QUERIES = [
  'up',
  '{job="kafka-producer"}',
  '{job="prometheus"}',
  'go_memstats_alloc_bytes',
  'process_cpu_seconds_total',
  'prometheus_http_requests_total',
]

export const prometheusFlags = {
  'prometheus-url': listFlag(serverAddress, {
    summary: 'address of the Prometheus server; several are told apart by NAME',
    group: 'PROMETHEUS',
    variables: ['PROMETHEUS_URL'],
    fallback: 'http://localhost:9090',
    value: '[NAME=]URL',
  }),
  'prometheus-user': valueFlag(text, {summary: 'user for basic authentication', group: 'PROMETHEUS', value: 'NAME'}),
  'prometheus-password': valueFlag(text, {
    summary: 'its password; prefer the variable or --prometheus-password-file',
    group: 'PROMETHEUS',
    isSecret: true,
    value: 'PASSWORD',
  }),
  'prometheus-password-file': valueFlag(text, {
    summary: 'file that holds the password, read again on every attempt',
    group: 'PROMETHEUS',
    value: 'FILE',
  }),
  'prometheus-token': valueFlag(text, {
    summary: 'bearer token; prefer the variable or --prometheus-token-file',
    group: 'PROMETHEUS',
    isSecret: true,
    value: 'TOKEN',
  }),
  'prometheus-token-file': valueFlag(text, {
    summary: 'file that holds the bearer token, read again on every attempt',
    group: 'PROMETHEUS',
    value: 'FILE',
  }),
  'prometheus-header': listFlag(header, {
    summary: 'header for every request, such as X-Scope-OrgID=tenant',
    group: 'PROMETHEUS',
    isSecret: true,
    value: 'NAME=VALUE',
  }),
  'prometheus-ca': valueFlag(text, {
    summary: 'PEM file of the certificate authority to trust',
    group: 'PROMETHEUS',
    value: 'FILE',
  }),
  'prometheus-skip-verify': toggleFlag({summary: 'accept any certificate', group: 'PROMETHEUS'}),
} as const

export const sampleInputFlag = {
  input: valueFlag(sampleInput, {
    summary: 'prometheus, or letters:FILE for dead letters',
    fallback: 'prometheus',
    value: 'WHERE',
  }),
} as const

export const queryFlags = {
  queries: listFlag(expression, {
    summary: 'PromQL expressions, separated by spaces; six usual ones where none is given',
    group: 'QUERIES',
    isGreedy: true,
    value: 'EXPRESSION',
  }),
  query: listFlag(namedQuery, {
    summary: 'PromQL expression whose measurement is NAME',
    group: 'QUERIES',
    value: 'NAME=EXPRESSION',
  }),
  'query-timeout': valueFlag(someDuration, {
    summary: 'how long one query may take',
    group: 'QUERIES',
    fallback: '30s',
    value: 'D',
  }),
  'query-concurrency': valueFlag(integer({min: 1, max: 1000}), {
    summary: 'queries that one server works on at a time',
    group: 'QUERIES',
    fallback: '10',
    value: 'N',
  }),
  'query-retries': valueFlag(integer({min: 0}), {
    summary: 'how often a query that failed is tried again at once, with a growing wait before each attempt',
    group: 'QUERIES',
    fallback: '3',
    value: 'N',
  }),
  'max-retries': valueFlag(integer({min: 0}), {
    summary:
      'how often the --query-retries begin anew, after --retry-delay; by default until the next cycle is due, or --retry-for is over',
    group: 'QUERIES',
    variables: ['ETL_MAX_RETRIES'],
    value: 'N',
  }),
  'retry-delay': valueFlag(someDuration, {
    summary: 'wait before the retries begin anew',
    group: 'QUERIES',
    fallback: '5s',
    value: 'D',
  }),
  'max-series': valueFlag(integer({min: 1}), {
    summary: 'refuse the answer to a query that has more series',
    group: 'QUERIES',
    fallback: '100000',
    value: 'N',
  }),
} as const

export const sampleFlags = {
  'valid-metric': listFlag(text, {
    summary: 'name of a metric or query, or whole expression; everything else is dropped',
    group: 'POINTS',
    value: 'NAME',
  }),
  'fallback-measurement': valueFlag(measurement, {
    summary: 'measurement for results without a name; their own expressions where there is none',
    group: 'POINTS',
    value: 'NAME',
  }),
  tag: listFlag(tag, {
    summary: 'tag for every point; a label of the same name is stronger',
    group: 'POINTS',
    value: 'NAME=VALUE',
  }),
  'tag-include': listFlag(text, {summary: 'label that becomes a tag; all do where none is named', group: 'POINTS', value: 'LABEL'}),
  'tag-exclude': listFlag(text, {summary: 'label that becomes no tag', group: 'POINTS', value: 'LABEL'}),
  'server-tag': valueFlag(tagName, {
    summary: 'tag that names the server, where several are asked',
    group: 'POINTS',
    fallback: 'server',
    value: 'NAME',
  }),
  'value-range': listFlag(valueRange, {
    summary: 'drop values of this metric or query outside of the range; either end may be left out',
    group: 'POINTS',
    value: 'NAME=MIN..MAX',
  }),
  'skip-check': listFlag(oneOf(SAMPLE_CHECKS), {
    summary: 'leave out one of the checks: nulls, timestamps, duplicates or ranges',
    group: 'POINTS',
    value: 'CHECK',
  }),
} as const

export const catchUpFlags = {
  'catch-up': toggleFlag({
    summary: 'remember what was asked for, and ask later for what was missed; --no-catch-up does neither',
    group: 'PAST',
    isOnByDefault: true,
  }),
  from: valueFlag(instant, {summary: 'ask for the past, from this time on, then end', group: 'PAST', value: 'TIME'}),
  to: valueFlag(instant, {summary: 'up to this time; by default now', group: 'PAST', value: 'TIME'}),
  step: valueFlag(someDuration, {summary: 'time between two values of the past; by default --interval', group: 'PAST', value: 'D'}),
} as const

export const healthCheckFlag = {
  'health-check-interval': valueFlag(someDuration, {
    summary: 'how often to look whether the servers answer, for /health',
    group: 'HEALTH',
    fallback: '60s',
    value: 'D',
  }),
} as const

export interface ServerAddress {
  readonly name: string | undefined
  readonly url: URL
}

function sampleInput(given: string): string {
  if (given === 'prometheus' || /^letters:./.test(given)) return given
  throw new UsageError('expected prometheus or letters:FILE')
}

function serverAddress(given: string): ServerAddress {
  const [, name, address = ''] = /^(?:([A-Za-z][\w.-]*)=)?(.*)$/s.exec(given)!
  const url = httpUrl(address)
  try {
    decodeURIComponent(url.username + url.password)
  } catch (cause) {
    throw new UsageError('the user or the password in it is not percent-encoded', {cause})
  }

  if (url.search !== '') throw new UsageError('takes no parameters', {suggestion: 'Use --prometheus-header and the other flags'})
  return {name, url}
}

function expression(given: string): PrometheusQuery {
  if (given.trim() === '') throw new UsageError('expected a PromQL expression')
  return {name: undefined, expression: given.trim()}
}

function namedQuery(given: string): PrometheusQuery {
  const [name, promql] = nameAndValue(given)
  if (/[{}()[\]"'!~<>]/.test(name) || promql.startsWith('=')) {
    throw new UsageError('expected NAME=EXPRESSION', {suggestion: 'Use --queries for expressions without a name'})
  }

  return {...expression(promql), name: measurement(name.trim())}
}

function header(given: string): readonly [string, string] {
  const [name, value] = nameAndValue(given)
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name) || !/^[\t\x20-\x7e]*$/.test(value)) throw new UsageError('expected NAME=VALUE of a header')
  return [name, value]
}

function valueRange(given: string): readonly [string, ValueRange] {
  const [, name = '', min = '', max = ''] = /^(.+)=(.*)\.\.(.*)$/s.exec(given) ?? []
  const range = {min: min.trim() === '' ? -Infinity : Number(min), max: max.trim() === '' ? Infinity : Number(max)}
  if (name === '' || Number.isNaN(range.min) || Number.isNaN(range.max) || range.min > range.max)
    throw new UsageError('expected NAME=MIN..MAX such as temperature=-40..85')
  return [name, range]
}
