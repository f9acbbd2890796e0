import {isUtf8} from 'node:buffer'
import {DataError} from '../errors.ts'

export type JsonObject = Readonly<Record<string, unknown>>

/** What stands in the place of a row: one of several that is none is refused alone. */
export type Row = JsonObject | DataError

/**
 * The rows of one message. Unwraps what producers in the field send: JSON inside a JSON string, an array of rows
 * (null elements are padding), bare NaN and Infinity. Throws DataError for a message that stays unreadable.
 */
export const decodeJson = (bytes: Buffer): readonly Row[] => rowsOf(parse(decodeText(bytes), JSON.parse), JSON.parse)

/** The text of a message, without a byte order mark. Throws DataError for what is not UTF-8. */
export function decodeText(bytes: Buffer): string {
  const text = bytes.toString()
  if (text.includes('\uFFFD') && !isUtf8(bytes)) throw new DataError('malformed JSON', 'the message is not UTF-8')
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
}

/** The same from its text, with integers that a number of JavaScript would round as the text of their digits. */
export const parseRows = (text: string): readonly Row[] => rowsOf(parse(text, parseExactly), parseExactly)

function rowsOf(value: unknown, parseText: ParseText, depth = 0): readonly Row[] {
  if (isObject(value)) return [value]
  if (typeof value === 'string' && depth < 3) return rowsOf(parse(value, parseText), parseText, depth + 1)
  if (Array.isArray(value) && depth < 3) return value.flatMap((row) => (row === null ? [] : rowsOfElement(row, parseText, depth + 1)))
  throw new DataError('not an object', `expected a JSON object, found ${describe(value)}`)
}

function rowsOfElement(value: unknown, parseText: ParseText, depth: number): readonly Row[] {
  try {
    return rowsOf(value, parseText, depth)
  } catch (error) {
    if (error instanceof DataError) return [error]
    throw error
  }
}

type ParseText = (text: string) => unknown

function parseExactly(text: string): unknown {
  if (!LONG_INTEGER.test(text)) return JSON.parse(text)
  try {
    return JSON.parse(text, keepDigits)
  } catch (error) {
    if (error instanceof RangeError) return JSON.parse(text) // nested deeper than a reviver reaches
    throw error
  }
}

/** 2^53 has 16 digits. Those of a fraction are rounded to the same float by whoever reads them. */
const LONG_INTEGER = /(?<![\d.])\d{16,}(?![\d.eE])/

function keepDigits(_key: string, value: unknown, context?: {readonly source?: string}): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  return /^-?\d+$/.test(context?.source ?? '') ? context!.source : value
}

function parse(text: string, parseText: ParseText): unknown {
  try {
    return parseText(text)
  } catch (error) {
    const repaired = replaceBareNumbers(text)
    if (repaired !== text) return parse(repaired, parseText)
    throw new DataError('malformed JSON', (error as Error).message, {cause: error})
  }
}

/** Some serialisers write NaN for what is missing, and Infinity: JSON has no word for either. NaN becomes null, Infinity a text. */
function replaceBareNumbers(text: string): string {
  if (!/NaN|Infinity/.test(text)) return text
  let replaced = ''
  for (let start = 0; start < text.length;) {
    const opening = text.indexOf('"', start)
    const end = opening === -1 ? text.length : opening
    replaced += text.slice(start, end).replace(/-?\b(NaN|Infinity)\b/g, (word, name) => (name === 'NaN' ? 'null' : `"${word}"`))
    start = endOfString(text, end)
    replaced += text.slice(end, start)
  }

  return replaced
}

function endOfString(text: string, opening: number): number {
  for (let index = opening + 1; index < text.length; index++) {
    if (text[index] === '\\') index++
    else if (text[index] === '"') return index + 1
  }

  return text.length
}

const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

const describe = (value: unknown) => (Array.isArray(value) ? 'an array nested too deep' : value === null ? 'null' : `a ${typeof value}`)
