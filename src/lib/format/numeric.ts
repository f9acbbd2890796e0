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

/** A loop, because a regular expression takes three times as long. */
const isPlainDecimal = (text: string) => plainDecimalEnd(text, 0) === text.length

/** Where -?digits(.digits)? ends that begins here, or -1 where there is none: without leading zeros, and so short that it cannot overflow. */
export function plainDecimalEnd(text: string, start: number): number {
  const first = text.charCodeAt(start) === 0x2d ? start + 1 : start
  let end = first
  while (isDigit(text.charCodeAt(end))) end++
  if (end === first || (text.charCodeAt(first) === 0x30 && end - first > 1)) return -1
  if (text.charCodeAt(end) === 0x2e) {
    const point = end++
    while (isDigit(text.charCodeAt(end))) end++
    if (end === point + 1) return -1
  }

  return end - start > 40 ? -1 : end
}

const isDigit = (code: number) => code >= 0x30 && code <= 0x39
