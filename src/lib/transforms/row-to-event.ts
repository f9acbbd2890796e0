import type {Transform} from '../core/types.ts'
import {DataError} from '../errors.ts'
import {numericText, truthiness} from '../format/numeric.ts'
import type {SensorField} from './sensors.ts'
import {LABEL_FIELDS} from './label.ts'
import {SENSOR_FIELDS, SENSOR_STATES} from './sensors.ts'

/** A row as the CSV source reads it. */
export interface CsvRow {
  readonly fields: readonly string[]
  readonly problem: string | undefined
}

/** A JSON event, ready to be sent. */
export interface SensorEvent {
  /** Keeps a device's events in order across partitions. */
  readonly key: string | null
  readonly value: string
}

export interface EventOptions {
  /** As the header names them. */
  readonly columns: readonly string[]
  readonly delimiter: ',' | ';'
  readonly keyed: boolean
}

/** The columns of a sensor CSV: what an event cannot do without, then the seven values. */
export const SENSOR_COLUMNS = ['ts', 'device', ...SENSOR_FIELDS] as const

/**
 * `{"data":{"co":0.0031,…},"device_id":"00:0f:00:70:91:0a","ts":1594512106.869076}`: numbers as they stand in the file where that
 * is JSON, states as booleans, an empty cell as null. Put together as text, because an object in between would take twice as long.
 */
export function sensorRowToEvent(options: EventOptions): Transform<CsvRow, SensorEvent> {
  const [timeColumn, deviceColumn] = [options.columns.indexOf('ts'), options.columns.indexOf('device')]
  const values = SENSOR_FIELDS.map((name) => ({name, key: `"${name}":`, column: options.columns.indexOf(name)}))
  const read = cellReader(options)

  return (row) => {
    const cells = cellsOf(row, options.columns)
    const device = read(cells[deviceColumn])
    if (device === '') throw new DataError('missing device', 'the row names no device')
    const ts = numericText(read(cells[timeColumn]))
    if (ts === undefined) throw new DataError('bad timestamp', `ts is not a number: "${read(cells[timeColumn])}"`)
    let data = ''
    for (const {name, key, column} of values) data += (data === '' ? key : `,${key}`) + valueText(name, read(cells[column]))
    return {rows: [{key: options.keyed ? device : null, value: `{"data":{${data}},"device_id":${JSON.stringify(device)},"ts":${ts}}`}]}
  }

  function valueText(name: SensorField, cell: string): string {
    if (cell === '' || cell.toLowerCase() === 'nan') return 'null'
    const value = SENSOR_STATES.has(name) ? truthiness(cell) : numericText(cell)
    if (value === undefined) throw new DataError('bad value', `${name} is not a number: "${cell}"`)
    return String(value)
  }
}

/** Flat text as it stands in the file, `{"Timestamp":"22/12/2015 4:00:00 PM","FIT101":"2.47",…,"Normal_Attack":"Normal"}`. */
export function swatRowToEvent(options: EventOptions): Transform<CsvRow, SensorEvent> {
  const label = LABEL_FIELDS.find((name) => options.columns.includes(name))
  const keys = options.columns.map((column) => `${JSON.stringify(column === label ? 'Normal_Attack' : column)}:`)
  const read = cellReader(options)

  return (row) => {
    const cells = cellsOf(row, options.columns)
    const pairs = keys.map((key, column) => key + JSON.stringify(read(cells[column])))
    return {rows: [{key: null, value: `{${pairs.join(',')}}`}]}
  }
}

/** Which header is a SWaT file's, and not a row of stage names above it. */
export const isSwatHeader = (columns: readonly string[]) => columns.some((column) => column.toLowerCase() === 'timestamp')
export const isSensorHeader = (columns: readonly string[]) => SENSOR_COLUMNS.every((column) => columns.includes(column))

/** Cells past the last column are a trailing delimiter if they are empty, and a misread row otherwise. */
function cellsOf({fields, problem}: CsvRow, columns: readonly string[]): readonly string[] {
  if (problem !== undefined) throw new DataError('malformed CSV', problem)
  const isTooLong = fields.length > columns.length && fields.slice(columns.length).some((cell) => cell.trim() !== '')
  if (fields.length < columns.length || isTooLong) {
    throw new DataError('ragged row', `the row has ${fields.length} fields, the header ${columns.length}`)
  }

  return fields
}

/** Where `;` parts the fields, `,` is the decimal sign. */
function cellReader({delimiter}: EventOptions): (cell: string | undefined) => string {
  if (delimiter === ',') return (cell = '') => cell.trim()
  return (cell = '') => cell.trim().replace(/^([-+]?\d*),(\d+(?:e[-+]?\d+)?)$/i, '$1.$2')
}
