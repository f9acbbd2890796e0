import type {Ledger} from '../core/types.ts'
import type {NoticeCounts} from '../runtime/vitals.ts'
import {UcsError} from '../errors.ts'
import {printable} from '../format/printable.ts'

/** The one object that `--json` prints. */
export interface JsonResult {
  readonly command: string
  readonly ok: boolean
  readonly exitCode: number
  readonly durationMilliseconds: number
  readonly ledger?: Ledger
  readonly error?: {readonly code: string; readonly message: string; readonly suggestion?: string}
  readonly [own: string]: unknown
}

/** What a failed run says, in plain text: what failed, and one thing to do. A stack only where it is a bug of ours. */
export function errorText(error: unknown): string {
  const {message, code, suggestion} = describeError(error)
  const lines = [`error: ${message}`, ...(suggestion ? [`  try: ${suggestion}`] : [])]
  if (code === 'BUG') lines.push(`  ${(error as Error).stack ?? ''}`, '  this is a bug in ucs: please report it with the lines above')
  return lines.join('\n')
}

export function describeError(error: unknown): {code: string; message: string; suggestion?: string} {
  if (!(error instanceof UcsError)) return {code: 'BUG', message: error instanceof Error ? error.message : String(error)}
  return {code: error.code, message: error.message, ...(error.suggestion ? {suggestion: error.suggestion} : {})}
}

export const exitCodeOf = (error: unknown): number => (error instanceof UcsError ? error.exitCode : 1)

/** "read 100000 written 99998 rejected 2 (bad timestamp 2) in 3.4 s (29412/s)" */
export function ledgerText(ledger: Ledger, milliseconds: number): string {
  const {read, written, printed, filtered, rejected, unacknowledged, rows, collapsed} = ledger
  const counts = [
    `read ${read}`,
    `written ${written}${rows !== written && rows > 0 ? ` (${rows} rows)` : ''}`,
    ...(printed > 0 ? [`printed ${printed}`] : []),
    ...(filtered > 0 ? [`filtered ${filtered} (${reasons(ledger.filteredBy)})`] : []),
    ...(rejected > 0 ? [`rejected ${rejected} (${reasons(ledger.rejectedBy)})`] : []),
    ...(unacknowledged > 0 ? [`unacknowledged ${unacknowledged}`] : []),
    ...(collapsed > 0 ? [`collapsed ${collapsed}`] : []),
  ]
  const rate = milliseconds > 0 && read > 0 ? ` (${Math.round((read / milliseconds) * 1000)}/s)` : ''
  return `${counts.join(' ')} in ${(milliseconds / 1000).toFixed(1)} s${rate}`
}

const reasons = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts)
    .sort(([, a], [, b]) => b - a)
    .map(([reason, count]) => `${reason} ${count}`)
    .join(', ')

/** How many names of a kind a person wants to read. */
const NAMES_TOLD = 5

/** "noticed label.missing 3, field.skipped 12 (MV101 7, P102 5)"; undefined where there was nothing. */
export function observationsText(counts: NoticeCounts): string | undefined {
  const kinds = Object.entries(counts).map(([kind, names]) => {
    const named = Object.fromEntries(Object.entries(names).filter(([name]) => name !== ''))
    const [told, all] = [Object.entries(named).sort(([, a], [, b]) => b - a), Object.values(names)]
    const more = told.length > NAMES_TOLD ? `, and ${told.length - NAMES_TOLD} more` : ''
    const list = reasons(Object.fromEntries(told.slice(0, NAMES_TOLD).map(([name, count]) => [printable(name), count])))
    return `${kind} ${all.reduce((sum, count) => sum + count, 0)}${list ? ` (${list}${more})` : ''}`
  })
  return kinds.length > 0 ? `noticed ${kinds.join(', ')}` : undefined
}
