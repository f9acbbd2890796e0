import type {Ledger} from './types.ts'

export function createLedger(): Ledger {
  return {
    read: 0,
    written: 0,
    filtered: 0,
    rejected: 0,
    printed: 0,
    unacknowledged: 0,
    rows: 0,
    collapsed: 0,
    filteredBy: {},
    rejectedBy: {},
  }
}

/** How one batch ended. */
export interface Tally {
  readonly written: number
  readonly printed: number
  readonly filtered: readonly string[]
  readonly rejected: readonly string[]
  readonly rows: number
  readonly collapsed: number
}

/** Moves `messages` messages from unacknowledged to where the tally puts them. Not balancing is a bug of ours: exit 1. */
export function record(ledger: Ledger, messages: number, tally: Tally): void {
  ledger.unacknowledged -= messages
  ledger.written += tally.written
  ledger.printed += tally.printed
  ledger.filtered += tally.filtered.length
  ledger.rejected += tally.rejected.length
  ledger.rows += tally.rows
  ledger.collapsed += tally.collapsed
  for (const reason of tally.filtered) ledger.filteredBy[reason] = (ledger.filteredBy[reason] ?? 0) + 1
  for (const reason of tally.rejected) ledger.rejectedBy[reason] = (ledger.rejectedBy[reason] ?? 0) + 1
  if (!isBalanced(ledger)) throw new Error(`the ledger does not balance: ${JSON.stringify(ledger)}`)
}

export function isBalanced({read, written, printed, filtered, rejected, unacknowledged, filteredBy, rejectedBy}: Ledger): boolean {
  return read === written + filtered + rejected + printed + unacknowledged && filtered === sum(filteredBy) && rejected === sum(rejectedBy)
}

const sum = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((total, count) => total + count, 0)
