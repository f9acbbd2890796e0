import {describe, expect, it} from 'vitest'
import {parseRetryAfter} from '../../src/lib/format/retry-after.ts'

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5)

describe('parseRetryAfter', () => {
  it.each([
    ['0', 0],
    ['7', 7000],
    [' 120 ', 120_000],
  ])('reads "%s" as seconds', (header, milliseconds) => {
    expect(parseRetryAfter(header, NOW)).toBe(milliseconds)
  })

  it.each([
    ['Fri, 02 Jan 2026 03:04:35 GMT', 30_000],
    ['Friday, 02-Jan-26 03:05:05 GMT', 60_000],
    ['Fri Jan  2 03:04:15 2026 GMT', 10_000],
  ])('reads the date %s as a time from now on', (header, milliseconds) => {
    expect(parseRetryAfter(header, NOW)).toBe(milliseconds)
  })

  it('asks for no wait when the date is past', () => {
    expect(parseRetryAfter('Thu, 01 Jan 2026 00:00:00 GMT', NOW)).toBe(0)
  })

  it.each([undefined, '', ' ', 'soon', 'in 5', '-5', '1.5', '5s', '0x10', 'NaN'])('finds nothing in %s', (header) => {
    expect(parseRetryAfter(header, NOW)).toBeUndefined()
  })
})
