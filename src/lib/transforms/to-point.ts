import type {RawMessage, Transform} from '../core/types.ts'
import type {EventTimeOptions} from './event-time.ts'
import type {JsonObject} from './decode-json.ts'
import type {FlatMessage} from './flat-reader.ts'
import type {Line, Series} from '../format/line-protocol.ts'
import type {Observations} from './observations.ts'
import {DataError} from '../errors.ts'
import {encodeFieldKey, encodeLine, encodeSeries} from '../format/line-protocol.ts'
import {numericText} from '../format/numeric.ts'
import {decodeText, parseRows} from './decode-json.ts'
import {eventTime} from './event-time.ts'
import {exampleOf} from './example.ts'
import {createFlatReader} from './flat-reader.ts'
import {LABEL_FIELDS, normaliseLabel} from './label.ts'
import {mapRows, readable} from './map-rows.ts'

export interface PointOptions extends EventTimeOptions {
  readonly measurement: string
  /** Tags that every point gets. */
  readonly tags: Readonly<Record<string, string>>
  /** Keys of the message that become tags. */
  readonly tagFields: readonly string[]
  readonly excludeFields: readonly string[]
  /** Absent: the first of the usual names that a message has. */
  readonly timestampField: string | undefined
  /** `auto`: the first of the usual names that a message has. Absent: messages have no label. */
  readonly labelField: string | undefined
  readonly observations: Observations
}

/** In any case. */
const TIMESTAMP_FIELDS = ['timestamp', 'time', 'datetime', 'date_time', 't_stamp', 'ts', 'date']
/** Objects that some producers wrap the values in, one in another at most so often. */
const WRAPPERS = new Set(['sensors', 'data'])
const MAX_WRAPPERS = 3

/**
 * Flat messages of numbers to points: each numeric value, also as text, is a float field; a label becomes the tag `status`.
 * A value that is no number is left out, counted, and warned of once a field.
 */
export function toPoint(options: PointOptions): Transform<RawMessage, Line> {
  const {observations} = options
  const roles = new Map<string, Role>()
  const knownSeries = new Map<string, Series>()
  const flat = createFlatReader(flatRoles)

  return (message) => {
    if (message.value === null) return {filtered: 'tombstone'}
    const text = decodeText(message.value)
    const read = flat.read(text)
    if (read) return {rows: [pointOfFlat(read, message)]}
    const rows = parseRows(text)
    if (rows.length === 1) flat.learn(text, Object.keys(readable(rows[0]!)))
    return {rows: mapRows(rows, (row) => pointOf(row, message))}
  }

  function pointOf(row: JsonObject, message: RawMessage): Line {
    const parts: Parts = {fields: '', tags: [], label: undefined, time: undefined, isWrapped: false}
    addValues(row, parts, 0)
    if (parts.isWrapped) refuseContradictions(row, new Map(), 0)
    return lineOf(parts, message)
  }

  function pointOfFlat({columns, values}: FlatMessage<Role>, message: RawMessage): Line {
    const parts: Parts = {fields: '', tags: [], label: undefined, time: undefined, isWrapped: false}
    for (const [index, role] of columns.entries()) {
      const text = values[index]!
      const isString = text.startsWith('"')
      if (role.kind === 'field' && !isString) addFieldText(role, text, parts)
      else addValue(role, isString ? text.slice(1, -1) : Number(text), parts)
    }

    return lineOf(parts, message)
  }

  function flatRoles(keys: readonly string[]): readonly Role[] | undefined {
    const found = keys.map((key) => roleOf(key))
    return found.some(({isTrimmed}) => isTrimmed) ? undefined : found // two names could become one
  }

  function lineOf(parts: Parts, message: RawMessage): Line {
    if (parts.fields === '') throw new DataError('no fields', 'the record has no numeric value')
    const time = eventTime(parts.time?.value, parts.time?.role.name, message, options)
    addLabel(parts) // last: it notes what is stored without a label, not what is rejected
    return encodeLine(seriesOf(parts.tags), parts.fields, time)
  }

  function addValues(row: JsonObject, parts: Parts, depth: number): void {
    let trimmedNames: Set<string> | undefined
    for (const key in row) {
      const role = roleOf(key)
      if (role.isTrimmed && role.kind !== 'excluded') trimmedNames = refuseTwice(role.name, trimmedNames, row)
      const value = row[key]
      if (role.kind === 'wrapper' && isPlainObject(value) && depth < MAX_WRAPPERS) {
        parts.isWrapped = true
        addValues(value, parts, depth + 1)
      } else addValue(role, value, parts)
    }
  }

  function addValue(role: Role, value: unknown, parts: Parts): void {
    if (role.kind === 'field' || role.kind === 'wrapper') addField(role, value, parts)
    else if (role.kind === 'tag') addTag(role.name, value, parts)
    else if (role.kind === 'time' || role.kind === 'label') parts[role.kind] = better({role, value}, parts[role.kind], parts)
    else if (role.kind === 'nameless') observations.note('field.skipped', '', {reason: 'its name is empty', example: exampleOf(value)})
  }

  function addField(role: Role, value: unknown, parts: Parts): void {
    const text = numericText(value)
    if (text === undefined) observations.note('field.skipped', role.name, {reason: 'not a number', example: exampleOf(value)})
    else addFieldText(role, text, parts)
  }

  /** Only a number needs a name that can be written. */
  function addFieldText(role: Role, text: string, parts: Parts): void {
    role.encodedKey ??= encodeFieldKey(role.name)
    parts.fields += parts.fields === '' ? role.encodedKey + text : `,${role.encodedKey}${text}`
  }

  /** Of several usual names the first in the list counts; the others are values like any other. */
  function better(found: Found, current: Found | undefined, parts: Parts): Found {
    if (current === undefined) return found
    const [chosen, other] = found.role.rank < current.role.rank ? [found, current] : [current, found]
    addField(other.role, other.value, parts)
    return chosen
  }

  /** One name with two values, in the message itself and in a wrapper: the server would keep the last, silently. */
  function refuseContradictions(row: JsonObject, seen: Map<string, unknown>, depth: number): void {
    for (const key in row) {
      const {kind, name} = roleOf(key)
      const value = row[key]
      if (kind === 'wrapper' && isPlainObject(value) && depth < MAX_WRAPPERS) refuseContradictions(value, seen, depth + 1)
      else if (kind !== 'excluded' && kind !== 'nameless') {
        const first = seen.get(name)
        if (first === undefined) seen.set(name, value)
        else if (first !== value) throw new DataError('duplicate key', `"${name}" appears twice, once in "sensors" or "data"`)
      }
    }
  }

  function addLabel({label, tags}: Parts): void {
    if (options.labelField === undefined) return
    const status = label && normaliseLabel(label.value)
    if (status) tags.push(['status', status])
    else if (label) observations.note('label.unknown', label.role.name, {example: exampleOf(label.value), stored: 'without the tag status'})
    else observations.note('label.missing', '', {looked: options.labelField, stored: 'without the tag status'})
  }

  function seriesOf(tags: readonly (readonly [string, string])[]): Series {
    const id = JSON.stringify(tags)
    let series = knownSeries.get(id)
    if (!series) {
      if (knownSeries.size >= 10_000) knownSeries.clear()
      series = encodeSeries(options.measurement, [...new Map([...Object.entries(options.tags), ...tags])])
      knownSeries.set(id, series)
    }

    return series
  }

  /** What a key means depends on its name alone, so it is worked out once. */
  function roleOf(key: string): Role {
    const learnt = roles.get(key)
    if (learnt) return learnt
    if (roles.size >= 10_000) roles.clear()
    const name = key.trim()
    const role: Role = {name, isTrimmed: name !== key, rank: 0, encodedKey: undefined, ...kindOf(name)}
    roles.set(key, role)
    return role
  }

  function kindOf(name: string): Pick<Role, 'kind'> & Partial<Role> {
    if (options.excludeFields.includes(name)) return {kind: 'excluded'}
    if (name === '') return {kind: 'nameless'}
    if (options.tagFields.includes(name)) return {kind: 'tag'}
    const times = options.timestampField === undefined ? TIMESTAMP_FIELDS : [options.timestampField]
    const time = times.indexOf(options.timestampField === undefined ? name.toLowerCase() : name)
    if (time !== -1) return {kind: 'time', rank: time}
    const label = options.labelField === 'auto' ? LABEL_FIELDS.indexOf(name) : options.labelField === name ? 0 : -1
    if (label !== -1) return {kind: 'label', rank: label}
    return {kind: WRAPPERS.has(name.toLowerCase()) ? 'wrapper' : 'field'}
  }
}

/** What a key of a message is for. */
interface Role {
  readonly kind: 'field' | 'tag' | 'time' | 'label' | 'wrapper' | 'nameless' | 'excluded'
  readonly name: string
  readonly isTrimmed: boolean
  /** Of several usual names the lowest counts. */
  readonly rank: number
  /** Worked out when it is first written. */
  encodedKey: string | undefined
}

interface Found {
  readonly role: Role
  readonly value: unknown
}

interface Parts {
  fields: string
  readonly tags: [string, string][]
  label: Found | undefined
  time: Found | undefined
  isWrapped: boolean
}

function addTag(name: string, value: unknown, parts: Parts): void {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') parts.tags.push([name, String(value).trim()])
}

const isPlainObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

/** " MV101" and "MV101" in one message: whichever we took would be a guess. */
function refuseTwice(name: string, seen: Set<string> | undefined, row: JsonObject): Set<string> {
  if (Object.hasOwn(row, name) || seen?.has(name))
    throw new DataError('duplicate key', `"${name}" appears twice once the spaces are trimmed`)
  return (seen ?? new Set()).add(name)
}
