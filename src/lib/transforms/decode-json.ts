import {isUtf8} from 'node:buffer'
import {DataError} from '../errors.ts'

export type JsonObject = Readonly<Record<string, unknown>>

/**
 * The rows of one message. Unwraps what producers in the field send: JSON inside a JSON string, an array of rows
 * (null elements are padding), bare NaN and Infinity. Throws DataError for what stays unreadable.
 */
export const decodeJson = (bytes: Buffer): readonly JsonObject[] => parseRows(decodeText(bytes))

/** The text of a message, without a byte order mark. Throws DataError for what is not UTF-8. */
export function decodeText(bytes: Buffer): string {
  const text = bytes.toString()
  if (text.includes('\uFFFD') && !isUtf8(bytes)) throw new DataError('malformed JSON', 'the message is not UTF-8')
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
}

/** The same from its text. */
export const parseRows = (text: string): readonly JsonObject[] => rowsOf(parse(text))

function rowsOf(value: unknown, depth = 0): readonly JsonObject[] {
  if (isObject(value)) return [value]
  if (typeof value === 'string' && depth < 3) return rowsOf(parse(value), depth + 1)
  if (Array.isArray(value) && depth < 3) return value.flatMap((row) => (row === null ? [] : rowsOf(row, depth + 1)))
  throw new DataError('not an object', `expected a JSON object, found ${describe(value)}`)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const repaired = replaceBareNumbers(text)
    if (repaired !== text) return parse(repaired)
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
