import {DataError} from '../errors.ts'
import {isStorable} from './instant.ts'

/** One point, encoded once, when it is made: its bytes end in a newline, so a body is their concatenation. */
export interface Line {
  readonly bytes: Buffer
  /** 53-bit hash of series and time: what a second write would overwrite. */
  readonly key: number
}

export type FieldValue = number | bigint | boolean | string
export interface Point {
  readonly measurement: string
  readonly tags: Readonly<Record<string, string>>
  /** A number is a float, a bigint an integer. */
  readonly fields: Readonly<Record<string, FieldValue>>
  /** Nanoseconds since the epoch. */
  readonly time: bigint
}

/** The server allows 65,535 bytes for a series, a field's name and four between them, escaped. They are encoded apart, so each has its share. */
const MAX_SERIES_BYTES = 61_435
const MAX_FIELD_NAME_BYTES = 4096
const MAX_STRING_BYTES = 1_048_576
const INTEGERS = {from: -(2n ** 63n), to: 2n ** 63n - 1n}
/** The server refuses the first four; it stores the others, and then Flux overwrites them or panics. */
const RESERVED_TAGS = new Set(['time', '_field', '_measurement', '\0', '_time', '_value', '_start', '_stop'])
export const isReservedTag = (name: string) => RESERVED_TAGS.has(name)

/** Throws DataError for what line protocol cannot carry. Empty tags are left out, as the server would; so are numbers that are not finite. */
export function encodePoint({measurement, tags, fields, time}: Point): Line {
  if (!isStorable(time)) throw new DataError('bad timestamp', 'the time lies outside the years 1677 to 2262')
  const series = encodeSeries(measurement, Object.entries(tags))
  let encoded = ''
  for (const [name, value] of Object.entries(fields)) {
    const text = encodeFieldValue(value)
    if (text !== undefined) encoded += (encoded === '' ? '' : ',') + encodeFieldKey(name) + text
  }

  if (encoded === '') throw new DataError('no fields', 'the point has no field that can be stored')
  return encodeLine(series, encoded, time)
}

export interface Series {
  readonly text: string
  readonly hash: number
}

/** `fields` is ready text, "FIT101=2.47,LIT101=522.8"; the time has to be one that `isStorable`. */
export function encodeLine(series: Series, fields: string, time: bigint): Line {
  return encodeLineAt(series, fields, momentOf(time))
}

/** A time that many lines share: it is encoded once. */
export interface Moment {
  readonly text: string
  /** The time's upper and lower 32 bits. */
  readonly early: number
  readonly late: number
}

/** Undefined for a time that cannot be stored. */
export const toMoment = (time: bigint): Moment | undefined => (isStorable(time) ? momentOf(time) : undefined)

const momentOf = (time: bigint): Moment => ({
  text: String(time),
  early: Number(BigInt.asIntN(32, time >> 32n)),
  late: Number(BigInt.asIntN(32, time)),
})

export function encodeLineAt(series: Series, fields: string, moment: Moment): Line {
  return toSlab(`${series.text} ${fields} ${moment.text}\n`, mix(series.hash, moment))
}

/** Lines that are made one after the other lie one after the other: a buffer for each would cost more than all else about it. */
class SlabLine implements Line {
  readonly slab: Buffer
  readonly start: number
  readonly end: number
  readonly key: number

  constructor(slab: Buffer, start: number, end: number, key: number) {
    this.slab = slab
    this.start = start
    this.end = end
    this.key = key
  }

  get bytes(): Buffer {
    return this.slab.subarray(this.start, this.end)
  }
}

const SLAB_BYTES = 262_144
const MAX_BYTES_A_CHARACTER = 3
let slab = Buffer.alloc(0)
let used = 0

function toSlab(text: string, key: number): Line {
  const needed = text.length * MAX_BYTES_A_CHARACTER
  if (needed > SLAB_BYTES) {
    const own = Buffer.from(text)
    return new SlabLine(own, 0, own.length, key)
  }

  if (used + needed > slab.length) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
    used = 0
  }

  const start = used
  used += slab.write(text, start)
  return new SlabLine(slab, start, used, key)
}

/** What is sent for these lines. */
export function joinLines(lines: readonly Line[]): Buffer {
  const parts: Buffer[] = []
  let last: SlabLine | undefined
  let start = 0
  for (const line of lines) {
    const continues = last !== undefined && line instanceof SlabLine && line.slab === last.slab && line.start === last.end
    if (!continues) {
      if (last) parts.push(last.slab.subarray(start, last.end))
      if (line instanceof SlabLine) start = line.start
      else parts.push(line.bytes)
    }

    last = line instanceof SlabLine ? line : undefined
  }

  if (last) parts.push(last.slab.subarray(start, last.end))
  return Buffer.concat(parts)
}

/** Measurement and tags, sorted by key as the server stores them. No tag twice: the server would refuse it. */
export function encodeSeries(measurement: string, tags: readonly (readonly [string, string])[]): Series {
  let text = escapeMeasurement(measurement)
  for (const [key, value] of [...tags].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (value === '') continue
    if (key === '' || isReservedTag(key)) throw new DataError('unwritable tag', `"${key}" cannot be the name of a tag`)
    text += `,${escapeKey(key, 'tag', 'tag name')}=${escapeKey(value, 'tag', `tag ${key}`)}`
  }

  if (Buffer.byteLength(text) > MAX_SERIES_BYTES)
    throw new DataError('unwritable tag', `measurement and tags may have ${MAX_SERIES_BYTES} bytes together`)
  return {text, hash: hashOf(text)}
}

/** Of a line that has one field: lines of the same series and time with other fields do not overwrite it. */
export const seriesOfField = ({text}: Series, field: string): Series => ({text, hash: hashOf(`${text} ${field}`)})

/** "FIT101=", escaped. The server strips a field called `time`, so it is stored as `field_time`. */
export function encodeFieldKey(name: string): string {
  if (name === '' || SKIPPED_AT_START.test(name))
    throw new DataError('unwritable field', `${JSON.stringify(name)} cannot be the name of a field`)
  const escaped = escapeKey(name === 'time' ? 'field_time' : name, 'field', 'field name')
  if (Buffer.byteLength(escaped) > MAX_FIELD_NAME_BYTES)
    throw new DataError('unwritable field', `the name of a field may have ${MAX_FIELD_NAME_BYTES} bytes`)
  return `${escaped}=`
}

/** Undefined for a number that is not finite: line protocol has no form for it. */
export function encodeFieldValue(value: FieldValue): string | undefined {
  switch (typeof value) {
    case 'number':
      return Number.isFinite(value) ? String(value) : undefined
    case 'bigint':
      if (value < INTEGERS.from || value > INTEGERS.to) throw new DataError('unwritable field', 'an integer has more than 64 bits')
      return `${value}i`
    case 'boolean':
      return value ? 'true' : 'false'
    case 'string':
      if (Buffer.byteLength(value) > MAX_STRING_BYTES) throw new DataError('unwritable field', 'a text field is longer than 1 MiB')
      if (!value.isWellFormed()) throw new DataError('unwritable field', 'a text field holds half a surrogate pair')
      return `"${value.replace(/["\\]/g, '\\$&')}"`
  }
}

/** The server skips these before a measurement and before the first field. */
const SKIPPED_AT_START = /^[\t\0]/

function escapeMeasurement(name: string): string {
  if (name === '' || name.startsWith('#') || SKIPPED_AT_START.test(name))
    throw new DataError('unwritable measurement', `${JSON.stringify(name)} cannot be the name of a measurement`)
  return refuseFlaws(name, 'measurement').replace(/[, ]/g, '\\$&')
}

const escapeKey = (text: string, kind: 'tag' | 'field', what: string) => refuseFlaws(text, kind, what).replace(/[,= ]/g, '\\$&')

/** What has no escaped form. */
const TAG_FLAWS = [
  [/\\([,= ]|$)/, 'a backslash at the end or before a comma, an equals sign or a space'],
  [/[\n\r]/, 'a line break'],
  [/\p{Surrogate}/u, 'half a surrogate pair'],
] as const
/** The server takes a backslash before a quote for an escape, but in tags. */
const FLAWS = [...TAG_FLAWS, [/\\"/, 'a backslash before a quote']] as const

function refuseFlaws(text: string, kind: 'measurement' | 'tag' | 'field', what: string = kind): string {
  const flaw = (kind === 'tag' ? TAG_FLAWS : FLAWS).find(([pattern]) => pattern.test(text))
  if (flaw) throw new DataError(`unwritable ${kind}`, `${what}: line protocol cannot carry ${flaw[1]}`)
  return text
}

/** Two 32-bit FNV-1a hashes with different seeds, joined to the 53 bits that a number holds exactly. */
function hashOf(text: string): number {
  let [low, high] = [0x811c9dc5, 0x01000193]
  for (let index = 0; index < text.length; index++) {
    low = Math.imul(low ^ text.charCodeAt(index), 0x01000193)
    high = Math.imul(high ^ text.charCodeAt(index), 0x85ebca6b)
  }

  return join(low, high)
}

function mix(seriesHash: number, {early, late}: Moment): number {
  const seed = Math.trunc(seriesHash / 2 ** 21)
  let low = Math.imul(seed ^ late, 0x01000193)
  low = Math.imul(low ^ (low >>> 15) ^ early, 0x85ebca6b)
  let high = Math.imul((seriesHash | 0) ^ early, 0xc2b2ae35)
  high = Math.imul(high ^ (high >>> 13) ^ late, 0x27d4eb2f)
  return join(low ^ (low >>> 16), high ^ (high >>> 16))
}

const join = (low: number, high: number) => (low >>> 0) * 2 ** 21 + ((high >>> 0) & 0x1fffff)

/** What the server's messages speak of: used to explain a refusal, never on the way. */
export interface DecodedLine {
  /** Still escaped. */
  readonly series: string
  readonly measurement: string
  readonly fields: ReadonlyMap<string, string>
  readonly time: bigint
}

/** Reads back a line that `encodeLine` made. Field values stay text: `1.5`, `3i`, `true`, `"on"`. */
export function decodeLine({bytes}: Line): DecodedLine {
  const text = bytes.toString().trimEnd()
  const [series] = split(text, ' ')
  const timeAt = text.lastIndexOf(' ')
  const fields = split(text.slice(series!.length + 1, timeAt), ',', '"').map((pair) => {
    const [name] = split(pair, '=')
    return [unescape(name!), pair.slice(name!.length + 1)] as const
  })
  return {
    series: series!,
    measurement: unescape(split(series!, ',')[0]!),
    fields: new Map(fields),
    time: BigInt(text.slice(timeAt + 1)),
  }
}

/** The same line with another value, given as `encodeFieldValue` would. */
export function withFieldValue(line: Line, field: string, value: string): Line {
  const {series, fields, time} = decodeLine(line)
  const encoded = [...fields].map(([name, old]) => encodeFieldKey(name) + (name === field ? value : old))
  return {bytes: Buffer.from(`${series} ${encoded.join(',')} ${time}\n`), key: line.key}
}

/** Splits where the delimiter is neither escaped nor inside quotes; only field values have quotes. */
function split(text: string, delimiter: string, quote?: string): string[] {
  const parts: string[] = []
  let start = 0
  for (let index = 0, isQuoted = false; index < text.length; index++) {
    if (isQuoted && text[index] === '\\') index++
    else if (text[index] === quote && (isQuoted || (text[index - 1] === '=' && text[index - 2] !== '\\'))) isQuoted = !isQuoted
    else if (!isQuoted && text[index] === delimiter && text[index - 1] !== '\\') {
      parts.push(text.slice(start, index))
      start = index + 1
    }
  }

  return [...parts, text.slice(start)]
}

const unescape = (text: string) => text.replace(/\\([,= ])/g, '$1')
