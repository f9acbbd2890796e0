import {isUtf8} from 'node:buffer'
import type {Letter, RawMessage} from '../core/types.ts'

/** One rejected record as a line of a dead letter file: see `docs/dead-letters.md`. */
export interface DeadLetterRecord {
  /** When it was rejected, RFC 3339. */
  readonly time: string
  readonly command: string
  /** The topic, or the name of the input. */
  readonly topic: string
  readonly partition: number
  /** Decimal text: offsets do not fit a number. */
  readonly offset: string
  /** Which row of the message, from 0; null when the message as a whole was rejected. */
  readonly index: number | null
  readonly reason: {readonly code: string; readonly message: string}
  readonly key: string | null
  /** A name that came several times has its values in a list. */
  readonly headers: Readonly<Record<string, string | null | readonly (string | null)[]>>
  /** The message's bytes: `valueBase64` instead of `value` where they are no UTF-8. */
  readonly value?: string | null
  readonly valueBase64?: string
}

export interface LetterContext {
  readonly command: string
  readonly time: Date
  /** "topic/0/17" */
  readonly description: string
  readonly raw: RawMessage
}

export function toDeadLetterRecord({index, error}: Letter, {command, time, description, raw}: LetterContext): DeadLetterRecord {
  const [, topic = description, partition = '0', offset = '0'] = /^(.*)\/(\d+)\/(\d+)$/.exec(description) ?? []
  const headers = Object.entries(raw.headers ?? {}).map(([name, value]) => [name, Array.isArray(value) ? value.map(textOf) : textOf(value)])
  return {
    time: time.toISOString(),
    command,
    topic,
    partition: Number(partition),
    offset,
    index: index ?? null,
    reason: {code: error.reason, message: error.message},
    key: textOf(raw.key),
    headers: Object.fromEntries(headers) as DeadLetterRecord['headers'],
    ...valueOf(raw.value),
  }
}

/** Undefined where the line is no letter. */
export function parseDeadLetterRecord(line: string): DeadLetterRecord | undefined {
  try {
    const record = JSON.parse(line) as DeadLetterRecord
    return typeof record.topic === 'string' && /^\d+$/.test(record.offset) && typeof record.reason.code === 'string' ? record : undefined
  } catch {
    return undefined
  }
}

/** The message as it was read; when the broker got it is not kept. */
export function toRawMessage({key, headers, value, valueBase64}: DeadLetterRecord): RawMessage {
  const bytes = valueBase64 === undefined ? (value ?? null) : Buffer.from(valueBase64, 'base64')
  const entries = Object.entries(headers).map(([name, given]) => [
    name,
    Array.isArray(given) ? given.map(headerOf) : headerOf(given as string | null),
  ])
  return {
    value: typeof bytes === 'string' ? Buffer.from(bytes) : bytes,
    key: key === null ? null : Buffer.from(key),
    headers: Object.fromEntries(entries) as RawMessage['headers'],
    timestamp: undefined,
  }
}

const headerOf = (text: string | null) => text ?? undefined

function valueOf(value: Buffer | null): Pick<DeadLetterRecord, 'value' | 'valueBase64'> {
  if (value === null) return {value: null}
  return isUtf8(value) ? {value: value.toString()} : {valueBase64: value.toString('base64')}
}

/** A header may come without a value, and kafkajs gives null for it. */
const textOf = (value: Buffer | string | null | undefined) => value?.toString() ?? null
