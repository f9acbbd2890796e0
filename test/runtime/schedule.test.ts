import {describe, expect, it} from 'vitest'
import {cronSchedule, intervalSchedule} from '../../src/lib/runtime/schedule.ts'
import {UsageError} from '../../src/lib/errors.ts'

/** The next moments, as the clock in UTC shows them. */
function upcoming(schedule: ReturnType<typeof cronSchedule>, from: string, count: number): string[] {
  const moments: number[] = []
  for (let after = Date.parse(from); moments.length < count; after = moments.at(-1)!) moments.push(schedule.next(after))
  return moments.map((moment) => new Date(moment).toISOString().replace('.000Z', 'Z'))
}

describe('an interval', () => {
  it('falls on whole multiples, strictly after the moment given', () => {
    const minute = intervalSchedule(60_000)
    expect(upcoming(minute, '2026-01-01T00:00:00Z', 2)).toEqual(['2026-01-01T00:01:00Z', '2026-01-01T00:02:00Z'])
    expect(upcoming(minute, '2026-01-01T00:00:59.999Z', 1)).toEqual(['2026-01-01T00:01:00Z'])
  })
})

describe('a cron expression', () => {
  it.each([
    ['*/30 * * * *', 'UTC', '2026-01-01T00:00:00Z', ['2026-01-01T00:30:00Z', '2026-01-01T01:00:00Z']],
    ['59 23  * * *', 'Asia/Singapore', '2023-06-25T00:00:00Z', ['2023-06-25T15:59:00Z', '2023-06-26T15:59:00Z']],
    ['0 0 * * 1-5', 'UTC', '2026-01-02T12:00:00Z', ['2026-01-05T00:00:00Z', '2026-01-06T00:00:00Z']],
    ['*/10 * * * * *', 'UTC', '2026-01-01T00:00:00Z', ['2026-01-01T00:00:10Z', '2026-01-01T00:00:20Z']],
    ['@daily', 'Asia/Singapore', '2026-01-01T00:00:00Z', ['2026-01-01T16:00:00Z', '2026-01-02T16:00:00Z']],
    ['0 0 29 2 *', 'UTC', '2026-01-01T00:00:00Z', ['2028-02-29T00:00:00Z', '2032-02-29T00:00:00Z']],
  ])('"%s" in %s is due when cron would run it', (expression, zone, from, moments) => {
    expect(upcoming(cronSchedule(expression, zone), from, moments.length)).toEqual(moments)
  })

  it('runs a daily job once on the days on which the clock is changed', () => {
    const daily = cronSchedule('30 2 * * *', 'Europe/Berlin')
    expect(upcoming(daily, '2026-03-28T12:00:00Z', 2)).toEqual(['2026-03-29T01:30:00Z', '2026-03-30T00:30:00Z']) // 02:30 does not exist: 03:30
    expect(upcoming(daily, '2026-10-24T12:00:00Z', 2)).toEqual(['2026-10-25T00:30:00Z', '2026-10-26T01:30:00Z']) // 02:30 comes twice
  })

  it.each(['', '* * *', '* * * *', '* * * * * * *', '60 * * * *', '0 0 31 2 *', 'every day', '@often'])('"%s" is refused', (expression) => {
    expect(() => cronSchedule(expression, 'UTC')).toThrow(UsageError)
  })
})
