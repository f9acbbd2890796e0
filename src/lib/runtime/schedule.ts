import {CronExpressionParser} from 'cron-parser'
import type {TwoWaySchedule} from '../core/every.ts'
import {UsageError} from '../errors.ts'

/** Every so many milliseconds, at whole multiples of them since the epoch: all that run each minute run at :00. */
export function intervalSchedule(milliseconds: number): TwoWaySchedule {
  return {
    next: (after) => (Math.floor(after / milliseconds) + 1) * milliseconds,
    previous: (moment) => Math.floor(moment / milliseconds) * milliseconds,
  }
}

/**
 * The moments of a cron expression in a time zone (IANA). A time that the zone's clock leaves out comes when the clock goes on,
 * and one that it shows twice comes once, unless the hour is a wildcard. Throws UsageError for an expression that names no moment.
 */
export function cronSchedule(expression: string, timezone: string): TwoWaySchedule {
  const fields = expression.trim().split(/\s+/)
  // The parser takes fewer, and fills them in with wildcards: "* * *" would fire every minute.
  const isNamed = fields.length === 1 && expression.includes('@') // "@daily"
  if (fields.length !== 5 && fields.length !== 6 && !isNamed)
    throw unusable(expression, `it has ${fields.length} fields instead of 5, or 6 with seconds`)
  try {
    const parse = (after: number) => CronExpressionParser.parse(fields.join(' '), {tz: timezone, currentDate: new Date(after)})
    parse(0).next() // an expression such as "0 0 31 2 *" is well-formed and never due
    return {
      next: (after) => parse(after).next().getTime(),
      previous: (moment) =>
        parse(moment + 1)
          .prev()
          .getTime(),
    }
  } catch (cause) {
    throw unusable(expression, (cause as Error).message, cause)
  }
}

function unusable(expression: string, problem: string, cause?: unknown): UsageError {
  return new UsageError(`"${expression}" is no schedule: ${problem}`, {cause, suggestion: "Write it as crontab(5) does: '*/30 * * * *'"})
}
