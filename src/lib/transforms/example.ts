const LONGEST = 40

/** A value of a message, short, for whoever repairs it. Of an array or object only the kind: one may be nested deeper than a stack reaches. */
export function exampleOf(value: unknown): string {
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object' && value !== null) return 'an object'
  const text = String(value)
  return text === '' ? 'empty text' : text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text
}
