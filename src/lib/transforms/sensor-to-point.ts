import type {RawMessage, Transform} from '../core/types.ts'
import type {EventTimeOptions} from './event-time.ts'
import type {JsonObject} from './decode-json.ts'
import type {Line} from '../format/line-protocol.ts'
import type {Observations} from './observations.ts'
import {DataError} from '../errors.ts'
import {encodePoint} from '../format/line-protocol.ts'
import {numericValue, truthiness} from '../format/numeric.ts'
import {decodeJson} from './decode-json.ts'
import {eventTime} from './event-time.ts'
import {exampleOf} from './example.ts'
import {mapRows} from './map-rows.ts'
import {SENSOR_FIELDS, SENSOR_STATES} from './sensors.ts'

export interface SensorPointOptions extends EventTimeOptions {
  readonly measurement: string
  readonly tags: Readonly<Record<string, string>>
  readonly tagFields: readonly string[]
  readonly excludeFields: readonly string[]
  readonly timestampField: string | undefined
  readonly observations: Observations
}

/** Sensor events to points: tag `device_id`, up to seven float fields, states as 0 or 1, time `ts`. */
export function sensorToPoint(options: SensorPointOptions): Transform<RawMessage, Line> {
  const timestampField = options.timestampField ?? 'ts'
  const fieldNames = SENSOR_FIELDS.filter((name) => !options.excludeFields.includes(name))
  return (message) => {
    if (message.value === null) return {filtered: 'tombstone'}
    return {rows: mapRows(decodeJson(message.value), (row) => pointOf(row, message))}
  }

  function pointOf(row: JsonObject, message: RawMessage): Line {
    const deviceId = row['device_id']
    if (typeof deviceId !== 'string' || deviceId === '') throw new DataError('missing device_id', 'the event names no device')
    const fields = fieldsOf(row)
    if (Object.keys(fields).length === 0) throw new DataError('no fields', 'the event has no numeric value')
    const time = eventTime(row[timestampField], timestampField in row ? timestampField : undefined, message, options)
    return encodePoint({
      measurement: options.measurement,
      tags: {...options.tags, ...tagsOf(row), device_id: deviceId},
      fields,
      time,
    })
  }

  function fieldsOf(row: JsonObject): Record<string, number> {
    const values = (typeof row['data'] === 'object' && row['data'] !== null ? row['data'] : row) as JsonObject
    const fields: Record<string, number> = {}
    for (const name of fieldNames) {
      const value = values[name]
      if (value === undefined) continue
      const number = numericValue(value) ?? (SENSOR_STATES.has(name) ? stateOf(value) : undefined)
      if (number === undefined) options.observations.note('field.skipped', name, {reason: 'not a number', example: exampleOf(value)})
      else fields[name] = number
    }

    return fields
  }

  function tagsOf(row: JsonObject): Record<string, string> {
    const tags = options.tagFields.flatMap((name) => {
      const value = row[name]
      return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? [[name, String(value).trim()]] : []
    })
    return Object.fromEntries(tags) as Record<string, string>
  }
}

function stateOf(value: unknown): number | undefined {
  const isOn = truthiness(value)
  return isOn === undefined ? undefined : Number(isOn)
}
