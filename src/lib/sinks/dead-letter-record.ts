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
  /** `keyBase64` instead of `key` where the bytes are no UTF-8. */
  readonly key?: string | null
  readonly keyBase64?: string
  /** A name that came several times has its values in a list. */
  readonly headers: Readonly<Record<string, HeaderValue | readonly HeaderValue[]>>
  /** The message's bytes: `valueBase64` instead of `value` where they are no UTF-8. */
  readonly value?: string | null
  readonly valueBase64?: string
}

type HeaderValue = string | null | {readonly base64: string}

export interface LetterContext {
  readonly command: string
  readonly time: Date
  /** "topic/0/17" */
  readonly description: string
  readonly raw: RawMessage
}

export function toDeadLetterRecord({index, error}: Letter, {command, time, description, raw}: LetterContext): DeadLetterRecord {
  const [, topic = description, partition = '0', offset = '0'] = /^(.*)\/(\d+)\/(\d+)$/.exec(description) ?? []
  const headers = Object.entries(raw.headers ?? {}).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.map(headerOf) : headerOf(value),
  ])
  return {
    time: time.toISOString(),
    command,
    topic,
    partition: Number(partition),
    offset,
    index: index ?? null,
    reason: {code: error.reason, message: error.message},
    ...(isText(raw.key) ? {key: textOf(raw.key)} : {keyBase64: raw.key.toString('base64')}),
    headers: Object.fromEntries(headers) as DeadLetterRecord['headers'],
    ...(isText(raw.value) ? {value: textOf(raw.value)} : {valueBase64: raw.value.toString('base64')}),
  }
}

/** Undefined where the line is no letter. */
export function parseDeadLetterRecord(line: string): DeadLetterRecord | undefined {
  try {
    const record = JSON.parse(line) as DeadLetterRecord
    const {topic, partition, offset, index, reason} = record
    const isPlace = typeof topic === 'string' && Number.isInteger(partition) && /^\d+$/.test(offset)
    return isPlace && (index === null || Number.isInteger(index)) && typeof reason.code === 'string' ? record : undefined
  } catch {
    return undefined
  }
}

/** The message as it was read; when the broker got it is not kept. */
export function toRawMessage({key, keyBase64, headers, value, valueBase64}: DeadLetterRecord): RawMessage {
  const entries = Object.entries(headers ?? {}).map(([name, given]) => [
    name,
    Array.isArray(given) ? given.map(rawHeaderOf) : rawHeaderOf(given as HeaderValue),
  ])
  return {
    value: bytesOf(value, valueBase64),
    key: bytesOf(key, keyBase64),
    headers: Object.fromEntries(entries) as RawMessage['headers'],
    timestamp: undefined,
  }
}

/** Other bytes would not be the same when they are read back. */
const isText = (value: Buffer | string | null | undefined): value is string | null | undefined => !Buffer.isBuffer(value) || isUtf8(value)

/** A header may come without a value, and kafkajs gives null for it. */
const textOf = (value: Buffer | string | null | undefined) => value?.toString() ?? null

const headerOf = (value: Buffer | string | null | undefined): HeaderValue =>
  isText(value) ? textOf(value) : {base64: value.toString('base64')}

function rawHeaderOf(value: HeaderValue): Buffer | string | undefined {
  if (value === null) return undefined
  return typeof value === 'string' ? value : Buffer.from(value.base64, 'base64')
}

function bytesOf(text: string | null | undefined, base64: string | undefined): Buffer | null {
  if (base64 !== undefined) return Buffer.from(base64, 'base64')
  return text == null ? null : Buffer.from(text)
}
