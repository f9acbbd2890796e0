import type {TwoWaySchedule} from '../core/every.ts'
import type {Given} from '../runtime/given.ts'
import type {Values} from './flag.ts'
import {IANAZone} from 'luxon'
import {UsageError} from '../errors.ts'
import {parseDuration} from '../format/duration.ts'
import {timestampParser} from '../format/timestamp.ts'
import {someDuration, text, toggleFlag, valueFlag} from './flag.ts'
import {strongestOf} from './settings.ts'

/** When cycles begin. */
export const scheduleFlags = ({interval}: {interval: string}) => ({
  interval: valueFlag(someDuration, {
    summary: 'time between two cycles, which begin at whole multiples of it',
    group: 'SCHEDULE',
    fallback: interval,
    value: 'D',
  }),
  schedule: valueFlag(text, {
    summary: "when cycles begin, as crontab(5) writes it: '*/30 * * * *'",
    group: 'SCHEDULE',
    value: 'CRON',
  }),
  timezone: valueFlag(timezone, {
    summary: 'zone of --schedule; --tz means the same',
    group: 'SCHEDULE',
    aliases: ['tz'],
    fallback: 'UTC',
    value: 'ZONE',
  }),
  once: toggleFlag({summary: 'one cycle, then end: for cron and CI', group: 'SCHEDULE'}),
})

export interface Timing {
  readonly schedule: TwoWaySchedule
  /** Between two cycles; undefined for a cron expression. */
  readonly stepMilliseconds: number | undefined
}

export async function timingOf(values: Values<ReturnType<typeof scheduleFlags>>, given: ReadonlyMap<string, Given>): Promise<Timing> {
  const {cronSchedule, intervalSchedule} = await import('../runtime/schedule.ts')
  if (strongestOf(given, ['schedule', 'interval']) === 'schedule')
    return {schedule: cronSchedule(values.schedule!, values.timezone), stepMilliseconds: undefined}
  return {schedule: intervalSchedule(values.interval), stepMilliseconds: values.interval}
}

export function timezone(given: string): string {
  if (given !== 'UTC' && !IANAZone.isValidZone(given)) throw new UsageError('expected a zone such as Asia/Singapore')
  return given
}

/** A moment: milliseconds since the epoch, or so many before now. */
export type Instant = {readonly at: number} | {readonly ago: number}

const parseInstant = timestampParser('iso', undefined)

export function instant(given: string): Instant {
  const ago = given.startsWith('-') ? parseDuration(given.slice(1)) : undefined
  if (ago !== undefined) return {ago}
  const parsed = parseInstant(given)
  if (typeof parsed === 'bigint') return {at: Number(parsed / 1_000_000n)}
  throw new UsageError('expected a time with its zone such as 2026-01-31T08:00:00Z, or one before now such as -24h')
}
