import type {RawMessage} from '../core/types.ts'
import type {ParsedTimestamp} from '../format/timestamp.ts'
import {DataError} from '../errors.ts'
import {isStorable} from '../format/instant.ts'

export const BAD_TIMESTAMP_POLICIES = ['reject', 'broker', 'now'] as const
export type BadTimestampPolicy = (typeof BAD_TIMESTAMP_POLICIES)[number]

export interface EventTimeOptions {
  readonly parse: (value: unknown) => ParsedTimestamp
  /** What to do with a record whose time is missing or unreadable. The default is to reject it: a guessed time is a wrong one. */
  readonly onBadTimestamp: BadTimestampPolicy
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Nanoseconds since the epoch. `field` names the column in messages. */
export function eventTime(value: unknown, field: string | undefined, message: RawMessage, options: EventTimeOptions): bigint {
  const parsed: ParsedTimestamp = field === undefined ? {problem: 'the record has no timestamp field'} : options.parse(value)
  if (typeof parsed === 'bigint') return parsed
  if (options.onBadTimestamp === 'now') return BigInt(options.now()) * 1_000_000n
  const received = options.onBadTimestamp === 'broker' ? brokerTime(message) : undefined
  if (received !== undefined) return received
  const said = parsed.hint ? `${parsed.problem}; ${parsed.hint}` : parsed.problem
  throw new DataError('bad timestamp', field === undefined ? said : `timestamp field "${field}": ${said}`)
}

/** Kafka says -1 when a record has none, and takes any number from a producer. */
function brokerTime({timestamp}: RawMessage): bigint | undefined {
  if (timestamp === undefined || timestamp < 0) return undefined
  const instant = BigInt(timestamp) * 1_000_000n
  return isStorable(instant) ? instant : undefined
}
