import type {Outcome, Transform} from '../core/types.ts'
import type {FluxTable} from '../format/annotated-csv.ts'
import type {FluxPoint} from '../format/flux-point.ts'
import type {FluxType} from '../format/flux-value.ts'
import type {Line, Moment, Series} from '../format/line-protocol.ts'
import {DataError, UnavailableError} from '../errors.ts'
import {fluxValueOf} from '../format/flux-value.ts'
import {encodeFieldKey, encodeFieldValue, encodeLineAt, encodeSeries, seriesOfField, toMoment} from '../format/line-protocol.ts'

export interface RelabelOptions {
  /** `raw` copies a point as it is; `aggregated` gives its value to one field, and tells the field's name in a tag. */
  readonly mode: 'aggregated' | 'raw'
  /** What is not a number is left out. */
  readonly skipsStrings: boolean
  /** The source's own name: the host of rows that have none. */
  readonly host: string
  readonly bucket: string
  /** By the name that a source uses. */
  readonly hostMap: ReadonlyMap<string, string>
  /** Undefined: all columns become tags. */
  readonly keptTags: ReadonlySet<string> | undefined
  /** In raw mode a tag that tells the sources apart; undefined: none. */
  readonly sourceTag: string | undefined
  /** Told of each host once a table. */
  onHost?(host: string): void
}

/** "POD-8" becomes "pod_8". */
export const normalisedHost = (host: string, hostMap: ReadonlyMap<string, string>) =>
  hostMap.get(host) ?? host.toLowerCase().replaceAll('-', '_')

const OWN_COLUMNS = new Set(['result', 'table', '_start', '_stop', '_time', '_value', '_field', '_measurement'])
/** Of a table whose tags differ from row to row. */
const MAX_SERIES = 10_000
const MAX_MOMENTS = 20_000

/** A row of an answer as a line of one field. The reason for every row that is left out is counted. */
export function relabel(options: RelabelOptions): Transform<FluxPoint, Line> {
  const momentOf = momentReader()
  const layoutFor = layoutReader(options)

  return (point): Outcome<Line> => {
    const {time, value, type, field, seriesOf} = layoutFor(point.table)
    const text = point.cell(value)
    const written = options.mode === 'raw' ? exactly(text, type) : asValue(text, type, options.skipsStrings)
    if (typeof written !== 'string') return written
    const {series, key} = seriesOf(point)
    return {rows: [encodeLineAt(series, (field ?? key) + written, momentOf(point.cell(time)))]}
  }
}

/** The field that a row goes to, as `fieldId` names it. Throws DataError where line protocol cannot carry it. */
export function fieldReader(options: RelabelOptions): (point: FluxPoint) => string {
  const layoutFor = layoutReader(options)
  return (point) => {
    const {field, seriesOf} = layoutFor(point.table)
    const {series, key} = seriesOf(point)
    return `${series.text} ${field ?? key}`
  }
}

/** A field of a series, in the words of line protocol. */
export const fieldId = (measurement: string, tags: readonly (readonly [string, string])[], field: string) =>
  `${encodeSeries(measurement, tags).text} ${encodeFieldKey(field)}`

function layoutReader(options: RelabelOptions): (table: FluxTable) => Layout {
  let table: FluxTable | undefined
  let layout: Layout // the rows of a table follow each other
  return (own) => {
    if (table !== own) {
      layout = layoutOf(own, options)
      table = own
    }

    return layout
  }
}

/** Where the parts of a line are in the rows of a table. */
interface Layout {
  readonly time: number
  readonly value: number
  readonly type: FluxType
  /** `value=`; undefined where each series has a field of its own. */
  readonly field: string | undefined
  seriesOf(point: FluxPoint): Named
}

interface Named {
  readonly series: Series
  /** Of its field: `usage_idle=`. */
  readonly key: string
}

function layoutOf({columns}: FluxTable, options: RelabelOptions): Layout {
  const [time, value, measurement, field] = ['_time', '_value', '_measurement', '_field'].map((name) =>
    columns.findIndex((column) => column.name === name),
  ) as [number, number, number, number]
  const missing = [...(time < 0 ? ['_time'] : []), ...(value < 0 ? ['_value'] : []), ...(measurement < 0 ? ['_measurement'] : [])]
  if (options.mode === 'raw' && field < 0) missing.push('_field')
  if (missing.length > 0) {
    throw new UnavailableError(`the answer to the query for ${options.bucket} has no column ${missing.join(', ')}`, {
      permanent: true, // it is the query that cannot be used, and not its rows
      suggestion: 'A query has to keep _time, _value, _measurement and _field: without pivot',
    })
  }

  const {type} = columns[value]!
  const tags = columns.flatMap(({name}, column) => (isTag(name, options) ? [{name, column}] : []))
  const parts = [measurement, ...(field < 0 ? [] : [field]), ...tags.map(({column}) => column)]
  const isOneSeries = parts.every((column) => columns[column]!.isGroupKey)
  const known = new Map<string, Named | DataError>()
  const fieldOfType = options.mode === 'raw' ? undefined : FIELDS[type]

  return {
    time,
    value,
    type,
    field: fieldOfType && `${fieldOfType}=`,
    seriesOf(point) {
      const id = isOneSeries ? '' : parts.map((column) => point.cell(column)).join('\0')
      let named = known.get(id)
      if (!named) {
        if (known.size >= MAX_SERIES) known.clear()
        known.set(id, (named = nameOf(point)))
      }

      if (named instanceof DataError) throw named
      return named
    },
  }

  function nameOf(point: FluxPoint): Named | DataError {
    const own = Object.fromEntries(tags.map(({name, column}) => [name, point.cell(column)]))
    const fieldName = field < 0 ? '' : point.cell(field)
    try {
      const all = options.mode === 'raw' ? rawTags(own, options) : aggregatedTags(own, fieldName, options)
      const series = encodeSeries(point.cell(measurement), Object.entries(all))
      if (fieldOfType !== undefined) return {series: seriesOfField(series, fieldOfType), key: ''}
      return {series: seriesOfField(series, fieldName), key: encodeFieldKey(fieldName)}
    } catch (error) {
      if (error instanceof DataError) return error
      throw error
    }
  }
}

/** A measurement cannot have one field of two types, so what is no number has a field of its own. */
const FIELDS: Readonly<Partial<Record<FluxType, string>>> = {
  double: 'value',
  long: 'value',
  unsignedLong: 'value',
  string: 'value_string',
  boolean: 'value_boolean',
}

function isTag(name: string, {mode, keptTags}: RelabelOptions): boolean {
  return !OWN_COLUMNS.has(name) && (mode === 'raw' || !keptTags || name === 'host' || keptTags.has(name))
}

function rawTags(own: Readonly<Record<string, string>>, {sourceTag, host, onHost}: RelabelOptions) {
  onHost?.(own['host'] || host)
  return sourceTag === undefined ? own : {...own, [sourceTag]: host}
}

function aggregatedTags(own: Readonly<Record<string, string>>, field: string, {host, hostMap, bucket, onHost}: RelabelOptions) {
  const name = own['host'] ? normalisedHost(own['host'], hostMap) : host
  onHost?.(name)
  return {...own, host: name, source_bucket: bucket, field}
}

const NUMBER = /^[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?$/i
const NULL = {filtered: 'null'}

/** With its type and every digit. */
function exactly(text: string, type: FluxType): string | {readonly filtered: string} {
  if (type === 'string') return encodeFieldValue(text)!
  if (text === '') return NULL
  switch (type) {
    case 'double':
      return finite(text)
    case 'long':
      return `${text}i`
    case 'unsignedLong':
      return `${text}u`
    case 'boolean':
      return text
    default:
      throw unwritable(type)
  }
}

/** A number as a float, whatever it was. */
function asValue(text: string, type: FluxType, skipsStrings: boolean): string | {readonly filtered: string} {
  if (FIELDS[type] === undefined) throw unwritable(type)
  if (type === 'string') return skipsStrings ? {filtered: 'string'} : encodeFieldValue(text)!
  if (type === 'boolean' && skipsStrings) return {filtered: 'boolean'}
  if (text === '') return NULL
  return type === 'boolean' ? text : finite(text)
}

/** Line protocol has no form for the others. */
const finite = (text: string) => (NUMBER.test(text) ? text : {filtered: /inf/i.test(text) ? 'infinite' : 'NaN'})

const unwritable = (type: FluxType) => new DataError('unwritable field', `InfluxDB has no field of the type ${type}`)

/** Series of one answer share their times. */
function momentReader(): (text: string) => Moment {
  const known = new Map<string, Moment>()
  return (text) => {
    let moment = known.get(text)
    if (moment) return moment
    const time = fluxValueOf(text, 'dateTime')
    moment = typeof time === 'bigint' ? toMoment(time) : undefined
    if (!moment) throw new DataError('bad timestamp', `"${text.slice(0, 60)}" is no time that can be stored`)
    if (known.size >= MAX_MOMENTS) known.clear()
    known.set(text, moment)
    return moment
  }
}
