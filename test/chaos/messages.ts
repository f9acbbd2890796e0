import type {Target} from './plan.ts'

/** How many numbered messages a round sends. */
export const MESSAGES = 3000
const FIRST_MILLISECONDS = Date.UTC(2020, 0, 1)
const TOO_OLD_MILLISECONDS = Date.UTC(1990, 0, 1)
/** Of the bucket: number 15 of each 100 is older. */
export const RETENTION_SECONDS = 20 * 365 * 86_400
/** Of the table: number 15 of each 100 breaks it. */
export const CONSTRAINT = 'temp < 100'

const kind = (number: number) => number % 100
const isMalformed = (number: number) => kind(number) === 13
/** InfluxDB has the field as an integer already; ClickHouse wants a column and finds it missing. */
const isUnfit = (number: number) => kind(number) === 14
/** What only the server can refuse: it is older than the bucket keeps, or breaks a constraint of the table. */
const isRefused = (number: number) => kind(number) === 15

export const isBad = (number: number) => isMalformed(number) || isUnfit(number) || isRefused(number)

/** The proxy may refuse it, in the name of InfluxDB, as a line that cannot be parsed. */
export const isBlamedAtTimes = (number: number, target: Target) => target === 'influx' && kind(number) === 16

/** Fit for both commands. */
export function messageOf(number: number): string {
  if (isMalformed(number)) return `{"number":${number},`
  const values = isUnfit(number) ? {conflicting: 1.5} : {co: number}
  const temp = isRefused(number) ? 1000 : 1
  const rest = {humidity: 1, light: 0, lpg: 1, motion: 1, smoke: 1, temp}
  return JSON.stringify({device_id: 'd', ts: timeOf(number) / 1000, number, ...values, ...rest})
}

export const timeOf = (number: number) => (isRefused(number) ? TOO_OLD_MILLISECONDS : FIRST_MILLISECONDS) + number * 1000

/** Makes `conflicting` an integer before the first message comes. */
export const CONFLICTING_LINE = `chaos conflicting=1i ${FIRST_MILLISECONDS}000000`

export const numberIn = (message: string) => Number(/"number":(\d+)/.exec(message)![1])
