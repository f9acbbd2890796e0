import {DateTime} from 'luxon'
import {describe, expect, it} from 'vitest'
import type {TimestampFormat} from '../../src/lib/format/timestamp.ts'
import {TIMESTAMP_FORMATS, timestampParser} from '../../src/lib/format/timestamp.ts'
import {seededRandom} from '../fakes/random.ts'

const SECOND = 1_000_000_000n

/** As the server prints it, or the problem with its hint. */
function read(value: unknown, format: TimestampFormat = 'auto', zone = 'UTC'): string {
  const parsed = timestampParser(format, zone)(value)
  if (typeof parsed === 'bigint') return toText(parsed)
  return parsed.hint ? `${parsed.problem}; ${parsed.hint}` : parsed.problem
}

function toText(instant: bigint): string {
  const fraction = ((instant % SECOND) + SECOND) % SECOND
  const text = new Date(Number((instant - fraction) / SECOND) * 1000).toISOString()
  return text.replace('.000Z', fraction === 0n ? 'Z' : `.${String(fraction).padStart(9, '0').replace(/0+$/, '')}Z`)
}

describe('timestampParser', () => {
  it.each([
    ['22/12/2015 4:00:10 PM', '2015-12-22T16:00:10Z'],
    [' 22/12/2015 4:00:10 PM ', '2015-12-22T16:00:10Z'],
    ['2/1/2016 1:41:09 PM', '2016-01-02T13:41:09Z'],
    ['02/01/2016 01:41:09 pm', '2016-01-02T13:41:09Z'],
    ['28/12/2015 10:00:00 AM', '2015-12-28T10:00:00Z'],
    ['28/12/2015 12:00:00 AM', '2015-12-28T00:00:00Z'],
    ['28/12/2015 12:30:00 PM', '2015-12-28T12:30:00Z'],
    ['28/12/2015 4:00 PM', '2015-12-28T16:00:00Z'],
    ['28/12/2015 4:00:00PM', '2015-12-28T16:00:00Z'],
    ['28/12/2015 4:00:00 p.m.', '2015-12-28T16:00:00Z'],
    ['28/12/2015 4:00:00\u202FPM', '2015-12-28T16:00:00Z'],
    ['28/12/2015  16:00:00', '2015-12-28T16:00:00Z'],
    ['28/12/2015 16:00', '2015-12-28T16:00:00Z'],
    ['28/12/2015 0:00:00', '2015-12-28T00:00:00Z'],
    ['28/12/2015 16:00:00.5', '2015-12-28T16:00:00.5Z'],
    ['28/12/2015 4:00:00.123456789 PM', '2015-12-28T16:00:00.123456789Z'],
    ['28/12/2015', '2015-12-28T00:00:00Z'],
    ['28.12.2015 16:00:00', '2015-12-28T16:00:00Z'],
    ['29/2/2016 0:00', '2016-02-29T00:00:00Z'],
  ])('reads the day before the month in "%s"', (text, instant) => {
    expect(read(text)).toBe(instant)
    expect(read(text, 'dmy')).toBe(instant)
  })

  it('never takes the month for the day, though the day cannot be a month, and says how to ask for it', () => {
    expect(read('12/22/2015 4:00:10 PM')).toBe(
      '"12/22/2015 4:00:10 PM" has no such day/month/year; if the month comes first, say --timestamp-format mdy',
    )
  })

  it.each([
    ['12/22/2015 4:00:10 PM', '2015-12-22T16:00:10Z'],
    ['2/1/2016 13:41', '2016-02-01T13:41:00Z'],
  ])('reads the month first in "%s" when told so', (text, instant) => {
    expect(read(text, 'mdy')).toBe(instant)
  })

  it.each([
    ['2016-02-11 17:47:27', '2016-02-11T17:47:27Z'],
    ['2016-02-11T17:47:27', '2016-02-11T17:47:27Z'],
    ['2016-02-11T17:47:27Z', '2016-02-11T17:47:27Z'],
    ['2016-02-11t17:47:27z', '2016-02-11T17:47:27Z'],
    ['2016-02-11 17:47', '2016-02-11T17:47:00Z'],
    ['2016-02-11', '2016-02-11T00:00:00Z'],
    ['2016-02-11T17:47:27.1Z', '2016-02-11T17:47:27.1Z'],
    ['2016-02-11T17:47:27,123456Z', '2016-02-11T17:47:27.123456Z'],
    ['2016-02-11T17:47:27.123456789Z', '2016-02-11T17:47:27.123456789Z'],
    ['2016-02-11T17:47:27+08:00', '2016-02-11T09:47:27Z'],
    ['2016-02-11T17:47:27+0800', '2016-02-11T09:47:27Z'],
    ['2016-02-11 17:47:27 +08:00', '2016-02-11T09:47:27Z'],
    ['2016-02-11T17:47:27-03:30', '2016-02-11T21:17:27Z'],
    ['2016-02-11T17:47:27-00:00', '2016-02-11T17:47:27Z'],
    ['1969-12-31T23:59:59.5Z', '1969-12-31T23:59:59.5Z'],
  ])('reads ISO 8601: "%s"', (text, instant) => {
    expect(read(text, 'iso')).toBe(instant)
    expect(read(text)).toBe(instant)
  })

  it.each<[value: string | number, nanoseconds: bigint]>([
    [1_594_512_106, 1_594_512_106_000_000_000n],
    [1_594_512_106.869076, 1_594_512_106_869_076_000n],
    ['1594512106', 1_594_512_106_000_000_000n],
    ['1594512106.869076', 1_594_512_106_869_076_000n],
    ['1594512106.123456789', 1_594_512_106_123_456_789n],
    ['1594512106.1234567891234', 1_594_512_106_123_456_789n],
    ['1594512106.', 1_594_512_106_000_000_000n],
    ['1.5945120943859746E9', 1_594_512_094_385_974_600n],
    ['1.59E9', 1_590_000_000_000_000_000n],
    ['1.5e+9', 1_500_000_000_000_000_000n],
    ['15945121068690e-4', 1_594_512_106_869_000_000n],
    [' 1594512106 ', 1_594_512_106_000_000_000n],
    ['+5', 5n * SECOND],
    ['-1.5', -1_500_000_000n],
    [0, 0n],
    [-1, -SECOND],
    ['007', 7n * SECOND],
    [1e-9, 1n],
    ['1e-400', 0n],
  ])('reads %s as epoch seconds, to the nanosecond', (value, nanoseconds) => {
    expect(timestampParser('auto', 'UTC')(value)).toBe(nanoseconds)
    expect(timestampParser('epoch', undefined)(value)).toBe(nanoseconds)
  })

  it.each<[format: TimestampFormat, value: string | number, nanoseconds: bigint]>([
    ['epoch_ms', 1_594_512_106_869, 1_594_512_106_869_000_000n],
    ['epoch_ms', '1594512106869.076', 1_594_512_106_869_076_000n],
    ['epoch_ms', 5, 5_000_000n],
    ['epoch_us', '1594512106869076', 1_594_512_106_869_076_000n],
    ['epoch_ns', '1594512106869076123', 1_594_512_106_869_076_123n],
    ['epoch_ns', '1594512106869076123.9', 1_594_512_106_869_076_123n],
  ])('reads finer epochs when told so: %s %s', (format, value, nanoseconds) => {
    expect(timestampParser(format, undefined)(value)).toBe(nanoseconds)
  })

  it.each([1_594_512_106_869, '1594512106869', 1_594_512_106_869_076, '1594512106869076123'])(
    'never takes %s for milliseconds or less by itself, and says how to ask for it',
    (value) => {
      expect(read(value)).toBe(
        'it lies outside the years 1677 to 2262; if it is not in seconds, say --timestamp-format epoch_ms, epoch_us or epoch_ns',
      )
    },
  )

  const SAMPLES = {dmy: '22/12/2015 4:00:10 PM', mdy: '12/22/2015 4:00:10 PM', iso: '2015-12-22T16:00:10Z', epoch: '1450800010'}
  const READ: Record<TimestampFormat, readonly (keyof typeof SAMPLES)[]> = {
    auto: ['dmy', 'iso', 'epoch'],
    dmy: ['dmy'],
    mdy: ['mdy'],
    iso: ['iso'],
    epoch: ['epoch'],
    epoch_ms: ['epoch'],
    epoch_us: ['epoch'],
    epoch_ns: ['epoch'],
  }

  it.each(TIMESTAMP_FORMATS)('reads no other format than %s when told so', (format) => {
    const parse = timestampParser(format, 'UTC')
    const isRead = Object.entries(SAMPLES).filter(([, sample]) => typeof parse(sample) === 'bigint')
    expect(isRead.map(([name]) => name)).toEqual(READ[format])
  })

  it.each([
    '31/4/2016 0:00',
    '29/2/2015 0:00',
    '0/1/2016 0:00',
    '32/1/2016 0:00',
    '1/0/2016 0:00',
    '2016-02-30',
    '2015-02-29T00:00:00Z',
    '2016-13-01',
    '2016-00-01',
    '2016-01-00',
    '2016-01-01T24:00:00Z',
    '2016-01-01T00:60:00Z',
    '2016-01-01T00:00:60Z',
    '0000-01-01T00:00:00Z',
  ])('refuses the day or time that no calendar has in "%s"', (text) => {
    expect(read(text)).toMatch(new RegExp(`^"${text}" (has no such|names no day or time)`))
  })

  it.each([
    'now',
    'NaN',
    'Infinity',
    '-',
    '.5',
    '1e',
    '1e9999',
    '0x10',
    '1,5',
    '22-12-2015',
    '22/12/15 4:00 PM',
    '22/12/2015 13:00 PM',
    '22/12/2015 0:00 AM',
    '22/12/2015 24:00',
    '22/12/2015 4 PM',
    '22/12/2015 4:00:10 PM UTC',
    '22/12/2015T16:00',
    '4:00:10 PM',
    '2015-12-22T4:00',
    '2015-12-22T16',
    '2015-12-22T16:00:10.1234567890Z',
    '2015-12-22T16:00:10+24:00',
    '2015-12-22T16:00:10+08:60',
    '2015-12-22T16:00:10+08',
    '2015-12-22 16:00:10 SGT',
    '2015-1-2',
    '12015-12-22',
    '2015-356',
    '2015-W52-2',
  ])('does not know what "%s" is', (text) => {
    expect(read(text)).toBe(`"${text}" is not in the format day/month/year with a time, ISO 8601 or epoch seconds`)
  })

  it.each([
    ['null', null, 'it is missing'],
    ['an absent value', undefined, 'it is missing'],
    ['empty text', '', 'it is empty'],
    ['blank text', ' \t', 'it is empty'],
    ['a boolean', true, 'it is neither text nor a number'],
    ['an object', {}, 'it is neither text nor a number'],
    ['an array', [1_594_512_106], 'it is neither text nor a number'],
  ])('finds no time in %s', (_, value, problem) => {
    expect(read(value)).toBe(problem)
  })

  it('quotes only the beginning of a long text', () => {
    expect(read('x'.repeat(1000))).toMatch(/^"x{60}…" is not/)
  })

  it('takes what the server takes, from 1677 to 2262, and nothing beyond', () => {
    const parse = timestampParser('epoch_ns', undefined)
    expect(parse('-9223372036854775806')).toBe(2n - 2n ** 63n)
    expect(parse('9223372036854775806')).toBe(2n ** 63n - 2n)
    const problem = 'it lies outside the years 1677 to 2262'
    for (const text of ['-9223372036854775807', '9223372036854775807', '9'.repeat(400)]) expect(parse(text)).toEqual({problem})
    expect(read('1/1/1677 0:00')).toBe(problem)
    expect(read('2263-01-01')).toBe(problem)
  })

  it('answers for each row alone, whatever day the row before had', () => {
    const parse = timestampParser('auto', 'Asia/Singapore')
    const texts = [
      '1/1/2016 0:00',
      '2/1/2016 0:00',
      '31/2/2016 0:00',
      '2/1/2016 1:00',
      '2/1/2016',
      'x',
      '1/1/2016 0:00',
      '2016-01-03',
      '1/1/2016 12:00 PM',
    ]
    for (const text of texts) expect(parse(text), text).toEqual(timestampParser('auto', 'Asia/Singapore')(text))
  })
})

describe('a time that names no zone', () => {
  it('is refused where none is known', () => {
    for (const text of ['2016-02-11 17:47:27', '2016-02-11', '22/12/2015 4:00:10 PM'])
      expect(timestampParser('auto', undefined)(text)).toEqual({problem: `"${text}" names no time zone`})
  })

  it('does not matter where the text names its own, or is an epoch', () => {
    for (const zone of [undefined, 'Asia/Singapore']) {
      const parse = timestampParser('auto', zone)
      expect(parse('2016-02-11T17:47:27+01:00')).toBe(parse('1455209247'))
      expect(parse(1_455_209_247)).toBe(1_455_209_247n * SECOND)
    }
  })

  it.each([
    ['Asia/Singapore', '22/12/2015 4:00:10 PM', '2015-12-22T08:00:10Z'],
    ['Asia/Singapore', '2015-12-22 16:00:10.5', '2015-12-22T08:00:10.5Z'],
    ['America/New_York', '2015-07-01 00:00:00', '2015-07-01T04:00:00Z'],
    ['Asia/Kathmandu', '2015-12-22 00:00:00', '2015-12-21T18:15:00Z'],
    ['Pacific/Kiritimati', '2015-12-22 00:00:00', '2015-12-21T10:00:00Z'],
    ['Etc/UTC', '2015-12-22 00:00:00', '2015-12-22T00:00:00Z'],
    ['America/Caracas', '1/1/1900 0:00', '1900-01-01T04:27:40Z'], // local mean time, in minutes with a fraction
  ])('is read by the clock of %s: "%s"', (zone, text, instant) => {
    expect(read(text, 'auto', zone)).toBe(instant)
  })

  it.each([
    ['Europe/Berlin', '25/10/2015 2:00:00 AM', '2015-10-25T00:00:00Z'],
    ['Europe/Berlin', '25/10/2015 2:59:59 AM', '2015-10-25T00:59:59Z'],
    ['Europe/Berlin', '25/10/2015 3:00:00 AM', '2015-10-25T02:00:00Z'],
    ['Australia/Lord_Howe', '2015-04-05 01:45:00', '2015-04-04T14:45:00Z'], // put back by half an hour
    ['America/St_Johns', '2010-11-07 00:00:59', '2010-11-07T02:30:59Z'], // put back at a minute past midnight
    ['America/St_Johns', '2010-11-06 23:30:00', '2010-11-07T02:00:00Z'],
    ['America/St_Johns', '2010-11-07 00:01:00', '2010-11-07T03:31:00Z'],
  ])('is the first of two when the clock of %s showed it twice: "%s"', (zone, text, instant) => {
    expect(read(text, 'auto', zone)).toBe(instant)
  })

  it.each([
    ['Europe/Berlin', '29/3/2015 2:00:00 AM', '29/3/2015 1:59:59 AM', '29/3/2015 3:00:00 AM'],
    ['Europe/Berlin', '29/3/2015 2:59:59 AM', '29/3/2015 1:59:59 AM', '29/3/2015 3:00:00 AM'],
    ['Australia/Lord_Howe', '2015-10-04 02:15:00', '2015-10-04 01:59:59', '2015-10-04 02:30:00'],
    ['America/St_Johns', '2011-03-13 00:01:00', '2011-03-13 00:00:59', '2011-03-13 01:01:00'],
    ['America/St_Johns', '2011-03-13 01:00:59', '2011-03-13 00:00:59', '2011-03-13 01:01:00'],
    ['Pacific/Apia', '2011-12-30 12:00:00', '2011-12-29 23:59:59', '2011-12-31 00:00:00'], // a whole day left out
  ])('is refused when no clock of %s ever showed it: "%s"', (zone, text, before, after) => {
    const parse = timestampParser('auto', zone)
    expect(parse(text)).toEqual({problem: `"${text}" does not exist in ${zone}: the clock was put forward over it`})
    expect((parse(after) as bigint) - (parse(before) as bigint)).toBe(SECOND)
  })

  const ZONES = [
    'Europe/Berlin',
    'America/New_York',
    'America/Sao_Paulo',
    'America/St_Johns',
    'Africa/Casablanca',
    'Asia/Tehran',
    'Australia/Lord_Howe',
    'Pacific/Apia',
    'Pacific/Chatham',
  ]

  it.each(ZONES)('is the first instant at which Luxon shows it, around every change of the clock of %s', (zone) => {
    const random = seededRandom(1)
    const parse = timestampParser('dmy', zone)
    const changes = changesOf(zone)
    expect(changes.length).toBeGreaterThan(10)
    const offsets = [...new Set(changes.flatMap(({before, after}) => [before, after]))].sort((a, b) => b - a)
    let unseen = 0
    for (const {at, before, after} of changes) {
      for (let turn = 0; turn < 10; turn++) {
        const seconds = at + (turn % 2 ? before : after) + Math.floor((random() - 0.5) * 10_000)
        const text = clockOf(seconds, 'UTC') // a clock time, wherever it was read
        const first = offsets.map((offset) => seconds - offset).find((instant) => clockOf(instant, zone) === text)
        const parsed = parse(text)
        if (first !== undefined) expect(parsed, text).toBe(BigInt(first) * SECOND)
        else expect(parsed, text).toHaveProperty('problem', expect.stringContaining('does not exist'))
        if (first === undefined) unseen++
      }
    }

    expect(unseen).toBeGreaterThan(10)
  })
})

const clockOf = (seconds: number, zone: string) => DateTime.fromSeconds(seconds, {zone}).toFormat('d/M/yyyy H:mm:ss')

interface Change {
  readonly at: number
  /** Offsets in seconds. */
  readonly before: number
  readonly after: number
}

/** When a zone's offset changed from 2000 to 2025. */
function changesOf(zone: string): readonly Change[] {
  const offsetAt = (seconds: number) => DateTime.fromSeconds(seconds, {zone}).offset * 60
  const changes: Change[] = []
  const step = 20 * 86_400
  for (let from = 946_684_800; from < 1_735_689_600; from += step) {
    let [low, high] = [from, from + step]
    const [before, after] = [offsetAt(low), offsetAt(high)]
    if (before === after) continue
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (offsetAt(middle) === before) low = middle
      else high = middle
    }

    changes.push({at: high, before, after})
  }

  return changes
}
