import {IANAZone} from 'luxon'
import {isStorable} from './instant.ts'

/** `auto` knows day-first dates, ISO and epoch seconds; month-first dates and finer epochs only when named, because nothing in a value tells them apart. */
export const TIMESTAMP_FORMATS = ['auto', 'dmy', 'mdy', 'iso', 'epoch', 'epoch_ms', 'epoch_us', 'epoch_ns'] as const
export type TimestampFormat = (typeof TIMESTAMP_FORMATS)[number]

/** Nanoseconds since the epoch, or a sentence fragment that says why there is none, and what to try where a format can be named. */
export type ParsedTimestamp = bigint | {readonly problem: string; readonly hint?: string}

const NANOSECONDS = 1_000_000_000n
const EPOCH_DIGITS: Partial<Record<TimestampFormat, number>> = {
  auto: 9,
  epoch: 9,
  epoch_ms: 6,
  epoch_us: 3,
  epoch_ns: 0,
}

/**
 * Returns a parser for one column. `zone` (IANA) is where clock times without a zone of their own were read;
 * without one they are refused.
 * A time that a clock showed twice counts as the first; one that no clock ever showed is refused.
 */
export function timestampParser(format: TimestampFormat, zone: string | undefined): (value: unknown) => ParsedTimestamp {
  const toUtc = utcConverter(zone)
  const dates = {auto: 'dmy', dmy: 'dmy', mdy: 'mdy'} as const
  const order = format in dates ? dates[format as keyof typeof dates] : undefined
  const epochDigits = EPOCH_DIGITS[format]
  const readsIso = format === 'auto' || format === 'iso'
  let day = {text: '', seconds: 0}

  return (value) => {
    if (typeof value !== 'string' && typeof value !== 'number')
      return {problem: value == null ? 'it is missing' : 'it is neither text nor a number'}
    const text = typeof value === 'string' ? value.trim() : String(value)
    if (text === '') return {problem: 'it is empty'}
    if (epochDigits !== undefined && /^[-+\d.]/.test(text)) {
      const instant = parseDecimal(text, epochDigits)
      if (instant !== undefined) return within(instant, format)
    }

    if (order) {
      const parsed = parseSlashed(text, order)
      if (parsed !== undefined) return parsed
    }

    return (
      (readsIso ? parseIso(text, toUtc) : undefined) ?? {
        problem: `"${shorten(text)}" is not in the format ${describe(format)}`,
      }
    )
  }

  /** `22/12/2015 4:00:10 PM`, `22/12/2015 16:00:10`, unpadded or not. The day's part is the same for most neighbours, so it is kept. */
  function parseSlashed(text: string, dayOrder: 'dmy' | 'mdy'): ParsedTimestamp | undefined {
    const blank = text.indexOf(' ')
    const date = blank === -1 ? text : text.slice(0, blank)
    if (date !== day.text) {
      const match = /^(\d{1,2})[/.](\d{1,2})[/.](\d{4})$/.exec(date)
      if (!match) return undefined
      const [first, second, year] = [Number(match[1]), Number(match[2]), Number(match[3])]
      const [dayOfMonth, month] = dayOrder === 'dmy' ? [first, second] : [second, first]
      const midnight = toEpochDay(year, month, dayOfMonth)
      if (midnight === undefined) {
        const isMonthFirst = dayOrder === 'dmy' && second > 12 && first <= 12
        return {
          problem: `"${shorten(text)}" has no such ${dayOrder === 'dmy' ? 'day/month/year' : 'month/day/year'}`,
          ...(isMonthFirst ? {hint: 'if the month comes first, say --timestamp-format mdy'} : {}),
        }
      }

      day = {text: date, seconds: midnight}
    }

    const clock = parseClock(blank === -1 ? '0:00' : text.slice(blank + 1).trim())
    return clock === undefined ? undefined : toUtc(day.seconds + clock.seconds, clock.nanoseconds, text)
  }
}

/** `2016-02-11 17:47:27`, `2016-02-11T17:47:27.123456Z`, `…+08:00`, or a date alone. */
function parseIso(text: string, toUtc: ReturnType<typeof utcConverter>): ParsedTimestamp | undefined {
  const match = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?)\s*(Z|[+-](?:[01]\d|2[0-3]):?[0-5]\d)?)?$/i.exec(
    text,
  )
  if (!match) return undefined
  const midnight = toEpochDay(Number(match[1]), Number(match[2]), Number(match[3]))
  const clock = parseClock(match[4]?.replace(',', '.') ?? '00:00')
  if (midnight === undefined || clock === undefined) return {problem: `"${shorten(text)}" names no day or time that exists`}
  const seconds = midnight + clock.seconds
  const zone = match[5]
  if (zone === undefined) return toUtc(seconds, clock.nanoseconds, text)
  return within(toNanoseconds(seconds - offsetSeconds(zone), clock.nanoseconds), 'iso')
}

function offsetSeconds(zone: string): number {
  if (/^z$/i.test(zone)) return 0
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(-2))]
  return (zone.startsWith('-') ? -1 : 1) * (hours * 3600 + minutes * 60)
}

function parseClock(text: string): {seconds: number; nanoseconds: bigint} | undefined {
  const match = /^(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(?:\s*([AP])\.?M\.?)?$/i.exec(text)
  if (!match) return undefined
  let hour = Number(match[1])
  const [minute, second] = [Number(match[2]), Number(match[3] ?? 0)]
  if (match[5]) {
    if (hour < 1 || hour > 12) return undefined
    hour = (hour % 12) + (/p/i.test(match[5]) ? 12 : 0)
  }

  if (hour > 23 || minute > 59 || second > 59) return undefined
  return {seconds: hour * 3600 + minute * 60 + second, nanoseconds: match[4] ? BigInt(match[4].padEnd(9, '0')) : 0n}
}

/** Seconds of midnight UTC, or undefined for a day that no calendar has. */
function toEpochDay(year: number, month: number, dayOfMonth: number): number | undefined {
  const milliseconds = Date.UTC(year, month - 1, dayOfMonth)
  const date = new Date(milliseconds)
  return date.getUTCFullYear() === year && date.getUTCDate() === dayOfMonth ? milliseconds / 1000 : undefined
}

/** Exact, unlike arithmetic on doubles: "1594512106.869076" has 19 digits as nanoseconds. `1.5945120943859746E9` is read too. */
function parseDecimal(text: string, digits: number): bigint | undefined {
  const match = /^([-+]?)(\d+)(?:\.(\d*))?(?:e([-+]?\d{1,3}))?$/i.exec(text)
  if (!match) return undefined
  const [, sign, whole, fraction = '', exponent = '0'] = match
  const shift = Number(exponent) + digits - fraction.length
  const unscaled = BigInt(whole! + fraction)
  const value = shift >= 0 ? unscaled * 10n ** BigInt(Math.min(shift, 40)) : unscaled / 10n ** BigInt(-shift)
  return sign === '-' ? -value : value
}

function within(instant: bigint, format: TimestampFormat): ParsedTimestamp {
  if (isStorable(instant)) return instant
  const problem = 'it lies outside the years 1677 to 2262'
  const isInSeconds = format === 'auto' || format === 'epoch'
  return isInSeconds ? {problem, hint: 'if it is not in seconds, say --timestamp-format epoch_ms, epoch_us or epoch_ns'} : {problem}
}

const QUARTER = 900 // seconds

/** Clock time in a zone, given as if it were UTC, to nanoseconds since the epoch. Offsets are kept by the quarter of an hour; one in which the clock was changed has several. */
function utcConverter(zoneName: string | undefined): (seconds: number, nanoseconds: bigint, text: string) => ParsedTimestamp {
  if (zoneName === undefined) return (seconds, nanoseconds, text) => ({problem: `"${shorten(text)}" names no time zone`})
  if (zoneName === 'UTC') return (seconds, nanoseconds) => within(toNanoseconds(seconds, nanoseconds), 'iso')
  const zone = IANAZone.create(zoneName)
  const offsets = new Map<number, number | 'several'>()

  return (seconds, nanoseconds, text) => {
    const kept = offsetOfQuarter(Math.floor(seconds / QUARTER))
    const offset = kept === 'several' ? offsetAt(zone, seconds) : kept
    if (offset === undefined) return {problem: `"${shorten(text)}" does not exist in ${zoneName}: the clock was put forward over it`}
    return within(toNanoseconds(seconds - offset, nanoseconds), 'iso')
  }

  function offsetOfQuarter(quarter: number): number | 'several' {
    const kept = offsets.get(quarter)
    if (kept !== undefined) return kept
    if (offsets.size > 10_000) offsets.clear()
    const first = offsetAt(zone, quarter * QUARTER)
    const offset = first === undefined || first !== offsetAt(zone, (quarter + 1) * QUARTER - 1) ? 'several' : first
    offsets.set(quarter, offset)
    return offset
  }
}

/** The offset in seconds at which the zone's clock shows this time, the earlier instant first; undefined when it never does. */
function offsetAt(zone: IANAZone, localSeconds: number): number | undefined {
  const around = [-86_400, 0, 86_400].map((shift) => zoneOffset(zone, localSeconds + shift))
  const candidates = [...new Set(around)].sort((a, b) => b - a) // the greater offset is the earlier instant
  return candidates.find((offset) => zoneOffset(zone, localSeconds - offset) === offset)
}

const zoneOffset = (zone: IANAZone, seconds: number) => zone.offset(seconds * 1000) * 60

const toNanoseconds = (seconds: number, nanoseconds: bigint) => BigInt(seconds) * NANOSECONDS + nanoseconds

const shorten = (text: string) => (text.length > 60 ? `${text.slice(0, 60)}…` : text)

function describe(format: TimestampFormat): string {
  const named = {
    auto: 'day/month/year with a time, ISO 8601 or epoch seconds',
    dmy: 'day/month/year with a time',
    mdy: 'month/day/year with a time',
    iso: 'ISO 8601',
    epoch: 'epoch seconds',
    epoch_ms: 'epoch milliseconds',
    epoch_us: 'epoch microseconds',
    epoch_ns: 'epoch nanoseconds',
  }
  return named[format]
}
