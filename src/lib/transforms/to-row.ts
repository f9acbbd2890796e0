import type {Position, RawMessage, Transform} from '../core/types.ts'
import type {JsonObject} from './decode-json.ts'
import type {ParsedTimestamp} from '../format/timestamp.ts'
import type {SensorField} from './sensors.ts'
import {DataError} from '../errors.ts'
import {numericValue, truthiness} from '../format/numeric.ts'
import {decodeJson} from './decode-json.ts'
import {exampleOf} from './example.ts'
import {readable} from './map-rows.ts'
import {SENSOR_FIELDS, SENSOR_STATES} from './sensors.ts'

/** A row of the seed's table. `ts` is text, "1594512106.869": the one form that the engine reads alike as number and as text. */
export type SensorRow = {readonly device_id: string; readonly ts: string} & Readonly<Record<SensorField, number>>

/** All rows of a message stand or fall together, so nothing can tear it. */
export interface MessageRows {
  readonly position: Position
  /** When the broker got the message, in milliseconds since the epoch; a line of input has no such time. */
  readonly receivedAt: number | undefined
  readonly rows: readonly SensorRow[]
}

export const MISSING_POLICIES = ['reject', 'zero'] as const

export interface RowOptions {
  /** What to do with a value that is missing or null; the seed wrote 0. */
  readonly onMissing: (typeof MISSING_POLICIES)[number]
  readonly parseTimestamp: (value: unknown) => ParsedTimestamp
}

/** Sensor events to rows, with every value checked here: the engine would fill what is missing with defaults, silently. */
export function toRow({onMissing, parseTimestamp}: RowOptions): Transform<RawMessage, MessageRows> {
  return ({value, timestamp}, position) => {
    if (value === null) return {filtered: 'tombstone'}
    const rows = decodeJson(value).map((row) => rowOf(readable(row)))
    return rows.length === 0 ? {filtered: 'no rows'} : {rows: [{position, receivedAt: timestamp, rows}]}
  }

  function rowOf(event: JsonObject): SensorRow {
    const deviceId = event['device_id']
    if (typeof deviceId !== 'string' || deviceId === '') throw new DataError('missing device_id', 'the event names no device')
    const time = parseTimestamp(event['ts'])
    if (typeof time !== 'bigint') throw new DataError('bad timestamp', `ts: ${time.problem}`)
    const values = (typeof event['data'] === 'object' && event['data'] !== null ? event['data'] : event) as JsonObject
    const columns = SENSOR_FIELDS.map((name) => [name, valueOf(name, values[name])])
    return {
      device_id: deviceId,
      ts: toMilliseconds(time),
      ...(Object.fromEntries(columns) as Record<SensorField, number>),
    }
  }

  function valueOf(name: SensorField, value: unknown): number {
    if (value === undefined || value === null) {
      if (onMissing === 'zero') return 0
      throw new DataError('missing value', `${name} is ${value === null ? 'null' : 'missing'}; --on-missing zero would store 0`)
    }

    const number = SENSOR_STATES.has(name) ? stateOf(value) : numericValue(value)
    if (number === undefined) throw new DataError('bad value', `${name} is not a number: ${exampleOf(value)}`)
    return number
  }
}

function stateOf(value: unknown): number | undefined {
  const isOn = truthiness(value)
  return isOn === undefined ? undefined : Number(isOn)
}

/** Cut to milliseconds, as the engine and the seed's driver do. */
function toMilliseconds(nanoseconds: bigint): string {
  const milliseconds = nanoseconds / 1_000_000n
  if (nanoseconds < 0n) throw new DataError('bad timestamp', 'ts: the table stores times from 1970 on')
  return `${milliseconds / 1000n}.${String(milliseconds % 1000n).padStart(3, '0')}`
}
