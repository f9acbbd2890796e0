import type {Group} from '../core/types.ts'
import type {DecodedLine, Line} from '../format/line-protocol.ts'
import {DataError} from '../errors.ts'
import {decodeLine, withFieldValue} from '../format/line-protocol.ts'

/** The year 1 to 1970, from where the server counts its shards. */
const DAYS_BEFORE_EPOCH = 719_162n
const DAY = 86_400_000_000_000n
const MILLISECOND = 1_000_000n

/** 400: nothing is stored, and the message quotes every bad line: `unable to parse 'm f=': missing field value`, one below the other. */
export function explainParseErrors(lines: readonly Line[], message: string): readonly Group<Line>[] {
  const indexes = Map.groupBy(lines.keys(), (index) => lines[index]!.bytes.toString().trimEnd())
  const groups: Group<Line>[] = []
  for (const [, quoted] of message.matchAll(/^unable to parse '(.*)$/gm)) {
    // The line may contain the quote's end as well, so the longest text that is one of ours counts.
    for (let end = quoted!.lastIndexOf("': "); end !== -1; end = quoted!.lastIndexOf("': ", end - 1)) {
      const rows = indexes.get(quoted!.slice(0, end))
      if (!rows) continue
      groups.push({rows, refused: new DataError('unparsable line', quoted!.slice(end + 3))})
      indexes.delete(quoted!.slice(0, end))
      break
    }
  }

  return groups
}

export interface PartialWriteOptions {
  readonly shardNanoseconds: bigint
  readonly onTypeConflict: 'reject' | 'coerce'
}

/**
 * 422: the server stopped at the first shard that refused something, so its message speaks of that shard only
 * and its count is not to be relied on. Lines that may share the fault go into one group a shard; a group that was
 * sent alone and is refused again shares it for certain.
 */
export function explainPartialWrite(lines: readonly Line[], message: string, options: PartialWriteOptions): readonly Group<Line>[] {
  return explainRetention(lines, message) ?? explainTypeConflict(lines, message, options) ?? []
}

function explainRetention(lines: readonly Line[], message: string): readonly Group<Line>[] | undefined {
  const bounds = [...message.matchAll(/Retention Policy (Lower|Upper) Bound at (\S+?),? /g)]
  if (bounds.length === 0) return undefined
  const lower = millisecondOf(bounds.find(([, side]) => side === 'Lower')?.[2])
  const upper = millisecondOf(bounds.find(([, side]) => side === 'Upper')?.[2])
  const outside = [...lines.keys()].filter((index) => {
    const {time} = decodeLine(lines[index]!)
    return (lower !== undefined && time < lower) || (upper !== undefined && time >= upper + MILLISECOND)
  })
  const policy = /outside retention policy of duration (\S+)/.exec(message)?.[1] ?? 'the bucket'
  return [{rows: outside, refused: new DataError('outside retention', `the bucket keeps ${policy}, and the point lies outside`)}]
}

/** Where the millisecond of a bound begins. That is enough: what lies within it is sent again and judged alone. */
function millisecondOf(bound: string | undefined): bigint | undefined {
  return bound === undefined ? undefined : BigInt(Date.parse(bound)) * MILLISECOND
}

function explainTypeConflict(lines: readonly Line[], message: string, options: PartialWriteOptions): readonly Group<Line>[] | undefined {
  const match = /input field "(.*)" on measurement "(.*)" is type (\w+), already exists as type (\w+)/.exec(message)
  if (!match) return undefined
  const [field, measurement, given, existing] = match.slice(1).map(unquoted) as [string, string, string, string]
  const decoded = lines.map(decodeLine)
  const isSuspect = (line: DecodedLine) => line.measurement === measurement && typeOf(line.fields.get(field)) === given
  const suspects = [...decoded.keys()].filter((index) => isSuspect(decoded[index]!))
  const shards = Map.groupBy(suspects, (index) => shardOf(decoded[index]!.time, options.shardNanoseconds))

  // Innocent lines, or several shards: send each part again, alone.
  if (suspects.length < lines.length || shards.size > 1) return [...shards.values()].map((rows) => ({rows}))
  const conflict = `field "${field}" of "${measurement}" is ${given} here and ${existing} in the bucket`
  if (options.onTypeConflict === 'reject') return [{rows: suspects, refused: new DataError('type conflict', conflict)}]
  const refused = new DataError('type conflict', `${conflict}, and cannot be converted without loss`)
  return coerce(lines, suspects, (value) => coerceNumber(value, existing), {field, refused})
}

/** The server quotes names as its language does. */
const unquoted = (name: string) => name.replace(/\\(["\\])/g, '$1')

function coerce(
  lines: readonly Line[],
  suspects: readonly number[],
  toExisting: (value: string) => string | undefined,
  {field, refused}: {field: string; refused: DataError},
): readonly Group<Line>[] {
  const replacements = new Map<number, Line>()
  for (const index of suspects) {
    const value = toExisting(decodeLine(lines[index]!).fields.get(field)!)
    if (value !== undefined) replacements.set(index, withFieldValue(lines[index]!, field, value))
  }

  const lost = suspects.filter((index) => !replacements.has(index))
  return [
    {rows: [...replacements.keys()], replacements},
    {rows: lost, refused},
  ]
}

/** The same number in the type that the field has already, or undefined if it would not be the same. */
function coerceNumber(value: string, existing: string): string | undefined {
  const digits = value.replace(/[iu]$/, '')
  if (!/^[-+\d.e]+$/i.test(digits)) return undefined
  const integer = integerOf(digits)
  if (existing === 'float') return integer === undefined || BigInt(Number(integer)) === integer ? digits : undefined
  const range = RANGES[existing]
  return range && integer !== undefined && integer >= range.from && integer <= range.to ? `${integer}${range.suffix}` : undefined
}

const RANGES: Readonly<Record<string, {readonly from: bigint; readonly to: bigint; readonly suffix: string}>> = {
  integer: {from: -(2n ** 63n), to: 2n ** 63n - 1n, suffix: 'i'},
  unsigned: {from: 0n, to: 2n ** 64n - 1n, suffix: 'u'},
}

/** Digit for digit: a number of JavaScript would round it from 2^53 on. */
function integerOf(digits: string): bigint | undefined {
  const [, whole, fraction = '', exponent = '0'] = /^([-+]?\d+)(?:\.(\d*))?(?:e\+?(\d{1,2}))?$/i.exec(digits) ?? []
  if (whole === undefined) return undefined
  const places = fraction.replace(/0+$/, '')
  const zeros = Number(exponent) - places.length
  return zeros < 0 ? undefined : BigInt(whole + places) * 10n ** BigInt(zeros)
}

function typeOf(value: string | undefined): string | undefined {
  if (value === undefined) return undefined
  if (value.startsWith('"')) return 'string'
  if (/^[tf]/i.test(value)) return 'boolean'
  return value.endsWith('i') ? 'integer' : value.endsWith('u') ? 'unsigned' : 'float'
}

const shardOf = (time: bigint, shardNanoseconds: bigint) => (time + DAYS_BEFORE_EPOCH * DAY) / shardNanoseconds
