import {createHash} from 'node:crypto'
import type {QueriedSeries} from '../format/prometheus-sample.ts'

/**
 * The name that the operator gave; else the metric's; else, where a calculation has taken that away, the fallback,
 * or the expression itself: no other text is as sure to be different for every other expression.
 */
export function measurementOf({query, labels}: QueriedSeries, fallback: string | undefined): string {
  return query.name ?? (labels['__name__'] || (fallback ?? writable(query.expression)))
}

/** In one line, and without what line protocol has no form for. What had to be replaced is told apart by a hash. */
export function writable(expression: string): string {
  const line = inOneLine(expression)
  const safe = line.replace(UNWRITABLE, '_')
  return safe === line ? line : `${safe} #${createHash('sha256').update(line).digest('hex').slice(0, 8)}`
}

/** Without comments; blanks mean nothing, except in quotes, of which becomes what `quotes` makes of them. */
export function inOneLine(expression: string, quotes = (quoted: string) => quoted): string {
  return expression.replace(QUOTED_OR_BLANK, (_, quoted: string | undefined) => (quoted === undefined ? ' ' : quotes(quoted))).trim()
}

/** A comment ends with its line, and quotes in it are none. */
const QUOTED_OR_BLANK = /("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)|(?:\s|#[^\n\r]*)+/gs
const UNWRITABLE = /\\(?=[",= ]|$)|[\n\r]/g
