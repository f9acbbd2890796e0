import {describe, expect, it} from 'vitest'
import * as errors from '../../src/lib/errors.ts'
import {createLedger} from '../../src/lib/core/ledger.ts'
import {describeError, errorText, exitCodeOf, ledgerText, observationsText} from '../../src/lib/cli/report.ts'

describe('an error', () => {
  it.each([
    [new errors.UsageError('x'), 2, 'USAGE'],
    [new errors.PartialError('x'), 3, 'PARTIAL'],
    [new errors.UnavailableError('x'), 69, 'UNAVAILABLE'],
    [new errors.NotFoundError('x'), 69, 'NOT_FOUND'],
    [new errors.IoError('x'), 74, 'IO'],
    [new errors.LockedError('x'), 75, 'LOCKED'],
    [new errors.AuthError('x'), 77, 'AUTH'],
    [new errors.InterruptedError('x'), 130, 'INTERRUPTED'],
    [new TypeError('x'), 1, 'BUG'],
    ['x', 1, 'BUG'],
  ])('%s ends with %i and is called %s', (error, exitCode, code) => {
    expect(exitCodeOf(error)).toBe(exitCode)
    expect(describeError(error)).toEqual({code, message: 'x'})
  })

  it('that has a remedy is told with it, and without a stack', () => {
    const error = new errors.UnavailableError('no answer from kafka:9092', {
      cause: new Error('refused'),
      suggestion: 'Is the broker running?',
    })
    expect(describeError(error)).toEqual({code: 'UNAVAILABLE', message: 'no answer from kafka:9092', suggestion: 'Is the broker running?'})
    expect(errorText(error)).toBe('error: no answer from kafka:9092\n  try: Is the broker running?')
    expect(errorText(new errors.UsageError('bad'))).toBe('error: bad')
  })

  it('that nobody classified is told with its stack and what to do with it', () => {
    const text = errorText(new TypeError('x is undefined'))
    expect(text).toMatch(/^error: x is undefined\n {2}TypeError: x is undefined\n {4}at /)
    expect(text).toContain('this is a bug in ucs: please report it')
    expect(errorText('thrown text')).toContain('error: thrown text')
  })
})

describe('the summary', () => {
  it.each([
    [{}, 0, 'read 0 written 0 in 0.0 s'],
    [{read: 100_000, written: 100_000, rows: 100_000}, 3400, 'read 100000 written 100000 in 3.4 s (29412/s)'],
    [{read: 3, written: 3, rows: 60}, 1000, 'read 3 written 3 (60 rows) in 1.0 s (3/s)'],
    [{read: 2, printed: 2}, 500, 'read 2 written 0 printed 2 in 0.5 s (4/s)'],
    [{read: 2, written: 2, rows: 2, collapsed: 1}, 1000, 'read 2 written 2 collapsed 1 in 1.0 s (2/s)'],
    [{read: 5, written: 3, rows: 3, unacknowledged: 2}, 1000, 'read 5 written 3 unacknowledged 2 in 1.0 s (5/s)'],
    [
      {read: 9, written: 2, rows: 2, rejected: 4, rejectedBy: {'bad json': 1, 'bad timestamp': 3}, filtered: 3, filteredBy: {tombstone: 3}},
      1000,
      'read 9 written 2 filtered 3 (tombstone 3) rejected 4 (bad timestamp 3, bad json 1) in 1.0 s (9/s)',
    ],
  ])('of %j after %i ms', (counts, milliseconds, text) => {
    expect(ledgerText({...createLedger(), ...counts}, milliseconds)).toBe(text)
  })
})

describe('what was noticed', () => {
  it('is told by kind, with the names it happened to, the most frequent first', () => {
    const counts = {'label.missing': {'': 3}, 'field.skipped': {P102: 5, MV101: 7, '': 1}}
    expect(observationsText(counts)).toBe('noticed label.missing 3, field.skipped 13 (MV101 7, P102 5)')
  })

  it('is told with five names of a kind, and how many more there are', () => {
    const names = Object.fromEntries(['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name, index) => [name, 10 - index]))
    expect(observationsText({'field.skipped': names})).toBe('noticed field.skipped 49 (a 10, b 9, c 8, d 7, e 6, and 2 more)')
  })

  it('spells out what would steer a terminal', () => {
    expect(observationsText({'field.skipped': {'\u001b[31mred\n': 1}})).toBe('noticed field.skipped 1 (\\u001b[31mred\\n 1)')
  })

  it('is nothing where nothing was', () => {
    expect(observationsText({})).toBeUndefined()
  })
})
