import {describe, expect, it} from 'vitest'
import {createLedger, isBalanced, record} from '../../src/lib/core/ledger.ts'

const tally = {written: 0, printed: 0, filtered: [], rejected: [], rows: 0, collapsed: 0}

describe('the ledger', () => {
  it('moves settled messages from unacknowledged to where they went', () => {
    const ledger = {...createLedger(), read: 5, unacknowledged: 5}
    record(ledger, 4, {...tally, written: 2, rows: 3, filtered: ['tombstone'], rejected: ['bad timestamp']})
    expect(ledger).toMatchObject({written: 2, rows: 3, filtered: 1, rejected: 1, unacknowledged: 1})
    expect(ledger.filteredBy).toEqual({tombstone: 1})
    expect(ledger.rejectedBy).toEqual({'bad timestamp': 1})
    expect(isBalanced(ledger)).toBe(true)
  })

  it('calls it a bug when a message is unaccounted for', () => {
    const ledger = {...createLedger(), read: 2, unacknowledged: 2}
    expect(() => record(ledger, 2, {...tally, written: 1})).toThrow('does not balance')
  })

  it('does not balance when the reasons do not add up', () => {
    expect(isBalanced({...createLedger(), read: 1, rejected: 1})).toBe(false)
    expect(isBalanced({...createLedger(), read: 1, rejected: 1, rejectedBy: {odd: 1}})).toBe(true)
  })
})
