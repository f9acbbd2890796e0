/**
 * The text of a finite number, fit for line protocol and JSON, or undefined. Plain decimals are passed through as they were sent:
 * reading 51 numbers and printing them again costs as much as the rest of a record.
 */
export function numericText(value: unknown): string | undefined {
  if (typeof value === 'string') {
    if (isPlainDecimal(value)) return value
    const trimmed = value.trim()
    return NUMBER.test(trimmed) ? finiteText(Number(trimmed)) : undefined
  }

  return typeof value === 'number' ? finiteText(value) : undefined
}

/** The number that a value or its text stands for, or undefined. */
export function numericValue(value: unknown): number | undefined {
  const text = numericText(value)
  return text === undefined ? undefined : Number(text)
}

/** Falsy text, in any case. Everything else that is not empty is true. */
const FALSY = new Set(['false', '0', '0.0', 'no', 'off', 'f', 'n', ''])

/** The seeds' truthiness, mended: the text "false" is false. Undefined for what has none: null, absent, NaN, an object. */
export function truthiness(value: unknown): boolean | undefined {
  switch (typeof value) {
    case 'boolean':
      return value
    case 'number':
      return Number.isNaN(value) ? undefined : value !== 0
    case 'string':
      return value.trim().toLowerCase() === 'nan' ? undefined : !FALSY.has(value.trim().toLowerCase())
    default:
      return undefined
  }
}

const NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i

const finiteText = (value: number) => (Number.isFinite(value) ? String(value) : undefined)

/** -?digits(.digits)? without leading zeros, short enough that it cannot overflow. A loop, because a regular expression takes three times as long. */
function isPlainDecimal(text: string): boolean {
  const {length} = text
  let index = text.charCodeAt(0) === 0x2d ? 1 : 0
  if (index === length || length > 40) return false
  if (text.charCodeAt(index) === 0x30 && isDigit(text.charCodeAt(index + 1))) return false
  for (let dotted = false; index < length; index++) {
    const code = text.charCodeAt(index)
    if (code >= 0x30 && code <= 0x39) continue
    const isDotBetweenDigits = code === 0x2e && !dotted && isDigit(text.charCodeAt(index - 1)) && isDigit(text.charCodeAt(index + 1))
    if (!isDotBetweenDigits) return false
    dotted = true
  }

  return true
}

const isDigit = (code: number) => code >= 0x30 && code <= 0x39
