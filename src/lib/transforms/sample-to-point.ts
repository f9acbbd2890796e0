import type {Transform} from '../core/types.ts'
import type {Line, Moment, Series} from '../format/line-protocol.ts'
import type {NativeHistogram} from '../format/prometheus-answer.ts'
import type {QueriedSeries, Sample} from '../format/prometheus-sample.ts'
import {DataError} from '../errors.ts'
import {encodeFieldValue, encodeLineAt, encodeSeries, isReservedTag, toMoment} from '../format/line-protocol.ts'
import {inOneLine, measurementOf, writable} from './measurement-name.ts'

/** What is looked for in a sample besides what cannot be stored at all. */
export const SAMPLE_CHECKS = ['nulls', 'timestamps', 'duplicates', 'ranges'] as const
export type SampleCheck = (typeof SAMPLE_CHECKS)[number]

/** Both ends belong to it. */
export interface ValueRange {
  readonly min: number
  readonly max: number
}

export interface SampleToPointOptions {
  readonly fallbackMeasurement: string | undefined
  /** Names of metrics and of queries, and whole expressions; empty: all are valid. */
  readonly validMetrics: ReadonlySet<string>
  /** By the name of a metric or of a query. */
  readonly valueRanges: ReadonlyMap<string, ValueRange>
  readonly skippedChecks: ReadonlySet<SampleCheck>
  /** Only these labels become tags; undefined: all. */
  readonly tagInclude: ReadonlySet<string> | undefined
  readonly tagExclude: ReadonlySet<string>
  /** For every point; a label of the same name is stronger. */
  readonly tags: Readonly<Record<string, string>>
  /** The tag that tells several servers apart. */
  readonly serverTag: string
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Clocks differ; what lies further ahead than this was not measured yet. */
const FUTURE_MILLISECONDS = 60_000
const MAX_MOMENTS = 20_000
const MAX_OWNERS = 100_000
/** A late answer of an earlier cycle is compared with that cycle. */
const REMEMBERED_CYCLES = 4

/** A sample is one point with the field `value`, a native histogram one with `count` and `sum`. The reason for every drop is counted. */
export function sampleToPoint(options: SampleToPointOptions): Transform<Sample, Line> {
  const {skippedChecks, now} = options
  const checks = (check: SampleCheck) => !skippedChecks.has(check)
  const [checksNulls, checksTimes, checksDuplicates] = [checks('nulls'), checks('timestamps'), checks('duplicates')]
  const prepare = seriesPreparer(options, checks('ranges'))
  const isRepeated = duplicateFinder()
  const moments = new Map<number, Moment>() // series of one answer share them
  let series: QueriedSeries | undefined
  let prepared: PreparedSeries // the samples of a series follow each other

  return ({series: own, seconds, measured: value}) => {
    if (series !== own) {
      series = own
      prepared = prepare(own)
    }

    if (prepared.filtered !== undefined) return {filtered: prepared.filtered}
    const moment = momentAt(seconds)
    if (moment === undefined) return timeless(`"${seconds}" is no time that can be stored`, 'invalid timestamp')
    if (checksTimes && seconds * 1000 > now() + FUTURE_MILLISECONDS) return {filtered: 'future timestamp'}
    const fields = typeof value === 'string' ? valueField(value, own) : histogramFields(value)
    if ('unusable' in fields) {
      if (checksNulls) return {filtered: fields.unusable}
      throw new DataError(fields.unusable, 'InfluxDB has no form for this value')
    }

    if (prepared.range && isOutside(value, prepared.range)) return {filtered: 'out of range'}
    if (prepared.encoded instanceof DataError) throw prepared.encoded
    const line = encodeLineAt(prepared.encoded, fields.text, moment)
    if (checksDuplicates && own.cycle !== undefined && isRepeated(own.cycle, line.key)) return {filtered: 'duplicate'}
    return {rows: [line]}
  }

  function momentAt(seconds: number): Moment | undefined {
    const known = moments.get(seconds)
    if (known) return known
    const milliseconds = typeof seconds === 'number' ? Math.round(seconds * 1000) : NaN
    const moment = Number.isSafeInteger(milliseconds) ? toMoment(BigInt(milliseconds) * 1_000_000n) : undefined
    if (!moment) return undefined
    if (moments.size >= MAX_MOMENTS) moments.clear()
    moments.set(seconds, moment)
    return moment
  }

  function timeless(message: string, reason: string): {readonly filtered: string} {
    if (checksTimes) return {filtered: reason}
    throw new DataError(reason, message)
  }
}

interface PreparedSeries {
  /** Why none of its samples is wanted. */
  readonly filtered: string | undefined
  readonly encoded: Series | DataError
  readonly range: ValueRange | undefined
}

const UP: ValueRange = {min: 0, max: 1}
const NOT_NEGATIVE: ValueRange = {min: 0, max: Infinity}

function seriesPreparer(options: SampleToPointOptions, checksRanges: boolean): (series: QueriedSeries) => PreparedSeries {
  const {validMetrics, valueRanges} = options
  const isAnother = tellingApart(options)
  return (series) => {
    const {
      labels: {__name__: metric},
      query: {name, expression},
    } = series
    const names = [metric, name, expression].filter((each) => each !== undefined)
    const isValid = validMetrics.size === 0 || names.some((each) => validMetrics.has(each))
    const own = names.map((each) => valueRanges.get(each)).find((range) => range !== undefined)
    const line = encoded(series, options)
    return {
      filtered: !isValid ? 'not in valid metrics' : isAnother(series, line) ? 'same tags as another' : undefined,
      encoded: line,
      range: checksRanges ? (own ?? usualRange(metric, expression)) : undefined,
    }
  }
}

/** Series that differ only in labels that become no tags would overwrite each other: the first of them is written. */
function tellingApart({tagInclude, tagExclude}: SampleToPointOptions): (series: QueriedSeries, encoded: Series | DataError) => boolean {
  if (!tagInclude && tagExclude.size === 0) return () => false
  const owners = new Map<string, string>() // labels, by what is written of them
  return ({labels, server}, encoded) => {
    if (encoded instanceof DataError) return false
    const own = JSON.stringify([server ?? null, Object.entries(labels).sort()])
    const owner = owners.get(encoded.text)
    if (owner !== undefined) return owner !== own
    if (owners.size >= MAX_OWNERS) owners.clear()
    owners.set(encoded.text, own)
    return false
  }
}

/** `up` is 0 or 1 by its definition, and a rate is not negative. What is done to a rate afterwards may well be. */
function usualRange(metric: string | undefined, expression: string): ValueRange | undefined {
  if (metric === 'up') return UP
  return isRate(expression) ? NOT_NEGATIVE : undefined
}

/** One call of `rate`, `irate` or `increase` and nothing after it. */
function isRate(expression: string): boolean {
  const withoutQuotes = inOneLine(expression, () => '') // brackets in a quoted matcher are no brackets
  return /^(?:i?rate|increase) ?\([^()]*\)$/.test(withoutQuotes)
}

/** A native histogram has no value to compare. `up` is not just between 0 and 1. */
function isOutside(value: unknown, range: ValueRange): boolean {
  if (typeof value !== 'string') return false
  const number = Number(value)
  return number < range.min || number > range.max || (range === UP && !Number.isInteger(number))
}

function encoded(series: QueriedSeries, options: SampleToPointOptions): Series | DataError {
  try {
    const measurement = measurementOf(series, options.fallbackMeasurement)
    return encodeSeries(measurement, [...tagsOf(series, measurement, options)])
  } catch (error) {
    if (error instanceof DataError) return error
    throw error
  }
}

/** All labels, those that cannot be tags under another name. An empty label is the same as none. */
function tagsOf(series: QueriedSeries, measurement: string, options: SampleToPointOptions): ReadonlyMap<string, string> {
  const {tagInclude, tagExclude, fallbackMeasurement, serverTag} = options
  const {labels, query, server} = series
  const {__name__: metric, ...others} = labels
  const tags = new Map<string, string>() // "__proto__" is a label like any other
  for (const [label, value] of Object.entries(others)) {
    if (value === '' || tagExclude.has(label) || (tagInclude && !tagInclude.has(label))) continue
    tags.set(tagName(label, labels), value)
  }

  // What tells apart series that had different names, or come from different expressions or servers.
  if (metric && metric !== measurement) tags.set('__name__', metric)
  if (!metric && query.name === undefined && fallbackMeasurement !== undefined)
    tags.set(freeName('query', tags), writable(query.expression))
  if (server !== undefined) tags.set(freeName(serverTag, tags), server)
  for (const [name, value] of Object.entries(options.tags)) if (!tags.has(name)) tags.set(name, value)
  return tags
}

/** Of ours, where a label has it: the label stays what it is. */
function freeName(name: string, tags: ReadonlyMap<string, string>): string {
  return tags.has(name) ? freeName(`prometheus_${name}`, tags) : name
}

/** "label_time" for "time": a name that no other label has. */
function tagName(label: string, labels: Readonly<Record<string, string>>): string {
  if (!isReservedTag(label)) return label
  let name = `label_${label.replace('\0', '')}`
  while (name in labels) name = `label_${name}`
  return name
}

type Fields = {readonly text: string} | {readonly unusable: string}

const NUMBER = /^-?\d+(?:\.\d+)?(?:e[-+]?\d+)?$/i

/** The server's own digits: nothing is lost on the way. */
function valueField(value: string, {isText}: QueriedSeries): Fields {
  if (isText) return {text: `value=${encodeFieldValue(value)}`}
  if (NUMBER.test(value)) return {text: `value=${value}`}
  return {unusable: unusableReason(value)}
}

function histogramFields(histogram: NativeHistogram | null): Fields {
  if (histogram === null || typeof histogram !== 'object') return {unusable: 'null'}
  const {count, sum} = histogram
  if (!NUMBER.test(count)) return {unusable: unusableReason(count)}
  return {text: NUMBER.test(sum) ? `count=${count},sum=${sum}` : `count=${count}`}
}

const unusableReason = (value: string) => (/^[-+]?inf/i.test(value) ? 'infinite' : 'NaN')

/** Two queries of a cycle may find the same series: its first value is written. */
function duplicateFinder(): (cycle: number, key: number) => boolean {
  const cycles = new Map<number, Set<number>>()
  return (cycle, key) => {
    let keys = cycles.get(cycle)
    if (!keys) {
      cycles.set(cycle, (keys = new Set()))
      if (cycles.size > REMEMBERED_CYCLES) cycles.delete(cycles.keys().next().value!)
    }

    if (keys.has(key)) return true
    keys.add(key)
    return false
  }
}
