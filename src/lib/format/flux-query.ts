import {UsageError} from '../errors.ts'

/* What is asked of a server for a stretch of time: a query's own Flux with its placeholders filled in, or one that is made of what it selects. */

/** Milliseconds since the epoch; `stop` does not belong to it. */
export interface TimeRange {
  readonly start: number
  readonly stop: number
}

/** What becomes of texts and booleans, of which there is no mean: the last of each window, none, or all with their own times. */
export type StringsKept = 'last' | 'skip' | 'keep'

export interface FluxQuery {
  /** With placeholders; undefined where the query is made of what follows. */
  readonly template: string | undefined
  /** Empty: all of them. */
  readonly measurements: readonly string[]
  readonly excludedFields: readonly string[]
  /** `raw` copies points, `aggregated` has one for each window. */
  readonly mode: 'aggregated' | 'raw'
  /** Length of a window. */
  readonly everyMilliseconds: number
  /** "mean". */
  readonly fn: string
  readonly strings: StringsKept
  readonly timeLabel: 'start' | 'stop'
  /** Tags by which is grouped, besides `host`; undefined: series stay as they are. */
  readonly keptTags: readonly string[] | undefined
}

/** A request of the client: relative times in it end with the range. */
export interface FluxRequest {
  readonly flux: string
  readonly now: number
}

const PLACEHOLDER = /\{\{\s*([^{}]*?)\s*\}\}/g
const PLACEHOLDERS = ['bucket', 'minutes', 'start', 'stop', 'every', 'fn'] as const
const MINUTE_MILLISECONDS = 60_000

/** How a template says which time it is about: by its ends, by its length before now, or not at all. */
export type TimeOfTemplate = 'range' | 'minutes' | 'fixed'

/** Throws UsageError for a placeholder that has no meaning. */
export function timeOfTemplate(template: string): TimeOfTemplate {
  const names = [...template.matchAll(PLACEHOLDER)].map(([, name]) => name!)
  const stranger = names.find((name) => !PLACEHOLDERS.some((known) => known === name))
  if (stranger !== undefined) {
    throw new UsageError(`"{{ ${stranger} }}" stands for nothing`, {
      suggestion: `The placeholders are ${PLACEHOLDERS.map((name) => `{{ ${name} }}`).join(', ')}`,
    })
  }

  return names.includes('start') ? 'range' : names.includes('minutes') ? 'minutes' : 'fixed'
}

export function fluxRequest(query: FluxQuery, bucket: string, range: TimeRange): FluxRequest {
  const flux = query.template === undefined ? madeFlux(query, bucket, range) : filledTemplate(query.template, query, bucket, range)
  return {flux, now: range.stop}
}

function filledTemplate(template: string, {everyMilliseconds, fn}: FluxQuery, bucket: string, {start, stop}: TimeRange): string {
  const texts: Readonly<Record<(typeof PLACEHOLDERS)[number], string>> = {
    bucket: inQuotes(bucket), // the quotes are the template's
    minutes: String(Math.ceil((stop - start) / MINUTE_MILLISECONDS)),
    start: fluxTime(start),
    stop: fluxTime(stop),
    every: durationText(everyMilliseconds),
    fn,
  }
  return template.replace(PLACEHOLDER, (_, name: string) => texts[name as keyof typeof texts])
}

/** Series stay apart by all of their tags, and a value that has no mean is never asked for one. */
function madeFlux(query: FluxQuery, bucket: string, range: TimeRange): string {
  const {measurements, excludedFields, mode} = query
  const points = [
    `from(bucket: ${fluxString(bucket)})`,
    `range(start: ${fluxTime(range.start)}, stop: ${fluxTime(range.stop)})`,
    ...filterBy(measurements.map((name) => `r._measurement == ${fluxString(name)}`).join(' or ')),
    ...filterBy(excludedFields.map((name) => `r._field != ${fluxString(name)}`).join(' and ')),
  ].join(PIPE)
  if (mode === 'raw') return [points, WITHOUT_RANGE].join(PIPE)
  const streams = [numbersOf(query), ...textsOf(query)].map((steps, index) =>
    ['points', ...steps, WITHOUT_RANGE, `yield(name: "${index}")`].join(PIPE),
  )
  return ['import "types"', `points = ${points}`, ...streams].join('\n\n')
}

const PIPE = '\n  |> '
/** They cost half of the time that an answer takes. */
const WITHOUT_RANGE = 'drop(columns: ["_start", "_stop"])'
const [IS_STRING, IS_BOOLEAN] = ['string', 'bool'].map((type) => `types.isType(v: r._value, type: "${type}")`) as [string, string]

const filterBy = (condition: string) => (condition === '' ? [] : [`filter(fn: (r) => ${condition})`])

function numbersOf({fn, keptTags, ...query}: FluxQuery): readonly string[] {
  const grouped = keptTags ? ['toFloat()', groupBy(keptTags)] : [] // integers and floats cannot be in one group
  return [...filterBy('types.isNumeric(v: r._value)'), ...grouped, windows(fn, query)]
}

function textsOf({strings, keptTags, ...query}: FluxQuery): readonly (readonly string[])[] {
  if (strings === 'skip') return []
  const each = strings === 'keep' ? [] : [windows('last', query)]
  if (!keptTags) return [[...filterBy(`${IS_STRING} or ${IS_BOOLEAN}`), ...each]]
  return [IS_STRING, IS_BOOLEAN].map((is) => [...filterBy(is), groupBy(keptTags), 'sort(columns: ["_time"])', ...each])
}

function windows(fn: string, {everyMilliseconds, timeLabel}: Pick<FluxQuery, 'everyMilliseconds' | 'timeLabel'>): string {
  const label = timeLabel === 'start' ? ', timeSrc: "_start"' : ''
  return `aggregateWindow(every: ${durationText(everyMilliseconds)}, fn: ${fn}, createEmpty: false${label})`
}

const groupBy = (tags: readonly string[]) =>
  `group(columns: [${[...new Set(['_measurement', '_field', 'host', ...tags])].map(fluxString).join(', ')}])`

/** With its quotes. */
export const fluxString = (text: string) => `"${inQuotes(text)}"`

/** Between the quotes of a Flux string. */
const inQuotes = (text: string) => text.replace(/["\\]|\$\{/g, String.raw`\$&`).replaceAll('\n', String.raw`\n`)

/** RFC 3339, with milliseconds. */
export const fluxTime = (milliseconds: number) => new Date(milliseconds).toISOString()

function durationText(milliseconds: number): string {
  if (milliseconds % MINUTE_MILLISECONDS === 0) return `${milliseconds / MINUTE_MILLISECONDS}m`
  return milliseconds % 1000 === 0 ? `${milliseconds / 1000}s` : `${milliseconds}ms`
}
