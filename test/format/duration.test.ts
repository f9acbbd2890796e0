import {describe, expect, it} from 'vitest'
import {formatDuration, parseDuration} from '../../src/lib/format/duration.ts'

describe('parseDuration', () => {
  it.each([
    ['500ms', 500],
    ['2s', 2000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['30d', 2_592_000_000],
    ['1w', 604_800_000],
    ['0', 0],
    ['0s', 0],
    ['0.2s', 200],
    ['1.5h', 5_400_000],
  ])('reads %s', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds)
  })

  it.each([
    ['30', 30_000],
    ['2.0', 2000],
    ['60', 60_000],
    ['0.5', 500],
  ])('takes the bare number %s for seconds, as the seeds write it', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds)
  })

  it.each([
    ['1h30m', 5_400_000],
    ['1m500ms', 60_500],
    ['1w2d3h4m5s6ms', 788_645_006],
  ])('adds up %s', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds)
  })

  it.each([
    '',
    ' ',
    '-5m',
    '+5m',
    '5 m',
    '5M',
    '5min',
    'm',
    '1h-30m',
    '1.h',
    '.5s',
    '1e3',
    '0x10',
    '5m30',
    'Infinity',
    'NaN',
    '5s ',
    '五s',
  ])('refuses "%s"', (text) => {
    expect(parseDuration(text)).toBeUndefined()
  })
})

describe('formatDuration', () => {
  it.each([
    [0, '0'],
    [250, '250ms'],
    [2000, '2s'],
    [3_600_000, '1h'],
    [5_400_000, '1h30m'],
    [604_800_000, '7d'],
    [2_592_000_000, '30d'],
    [788_645_006, '9d3h4m5s6ms'],
  ])('writes %i as %s, which is read again', (milliseconds, text) => {
    expect(formatDuration(milliseconds)).toBe(text)
    expect(parseDuration(text)).toBe(milliseconds)
  })
})
