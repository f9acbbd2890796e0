import {describe, expect, it} from 'vitest'
import {instant, timezone} from '../../src/lib/cli/schedule.ts'

describe('an instant', () => {
  it.each([
    ['2026-01-31T08:00:00Z', '2026-01-31T08:00:00.000Z'],
    [' 2026-01-31 08:00Z ', '2026-01-31T08:00:00.000Z'],
    ['2026-01-31T08:00:00+08:00', '2026-01-31T00:00:00.000Z'],
    ['2026-01-31T08:00:00.0719Z', '2026-01-31T08:00:00.071Z'],
    ['1969-12-31T23:59:59Z', '1969-12-31T23:59:59.000Z'],
  ])('%j is a time with its zone, to the millisecond', (given, time) => {
    expect(instant(given)).toEqual({at: Date.parse(time)})
  })

  it.each([
    ['-24h', 86_400_000],
    ['-1h30m', 5_400_000],
    ['-90', 90_000],
    ['-500ms', 500],
    ['-0', 0],
  ])('%j is so much before now', (given, ago) => {
    expect(instant(given)).toEqual({ago})
  })

  it.each([
    '',
    '-',
    'now',
    '24h',
    '- 24h',
    '--24h',
    '-1 day',
    '1700000000',
    '2026-01-31',
    '2026-01-31T08:00:00',
    '2026-02-30T08:00:00Z',
    '31/01/2026 08:00',
  ])('%j is none', (given) => {
    expect(() => instant(given)).toThrow('expected a time with its zone such as 2026-01-31T08:00:00Z, or one before now such as -24h')
  })
})

describe('a time zone', () => {
  it.each(['UTC', 'Asia/Singapore', 'Europe/Berlin'])('is %s', (zone) => {
    expect(timezone(zone)).toBe(zone)
  })

  it.each(['', 'SGT+8', 'Mars/Base', 'Asia'])('is not %j', (zone) => {
    expect(() => timezone(zone)).toThrow('expected a zone such as Asia/Singapore')
  })
})
