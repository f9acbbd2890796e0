import {describe, expect, it} from 'vitest'
import type {CsvRow, EventOptions, SensorEvent} from '../../src/lib/transforms/row-to-event.ts'
import type {Transform} from '../../src/lib/core/types.ts'
import {LABEL_FIELDS} from '../../src/lib/transforms/label.ts'
import {isSensorHeader, isSwatHeader, SENSOR_COLUMNS, sensorRowToEvent, swatRowToEvent} from '../../src/lib/transforms/row-to-event.ts'
import {somewhere} from '../fakes/raw-message.ts'
import {rowsIn} from '../fakes/outcome.ts'

const DEVICE = '00:0f:00:70:91:0a'
const CELLS = {
  ts: '1.5945120943859746E9',
  device: DEVICE,
  co: '0.0049',
  humidity: '51.0',
  light: 'false',
  lpg: '0.0076',
  motion: 'true',
  smoke: '0.02',
  temp: '22.7',
}
const EVENT = {
  data: {co: 0.0049, humidity: 51, light: false, lpg: 0.0076, motion: true, smoke: 0.02, temp: 22.7},
  device_id: DEVICE,
  ts: 1_594_512_094.385_974_6,
}
const COLUMNS = Object.keys(CELLS)

const refusalOf = (reason: string, message: unknown = expect.any(String)): unknown =>
  expect.objectContaining({name: 'DataError', reason, message})

function eventOf(transform: Transform<CsvRow, SensorEvent>, row: CsvRow): SensorEvent {
  const events = rowsIn(transform(row, somewhere))
  expect(events).toHaveLength(1)
  return events[0]!
}

const sensors = (fields: readonly string[], own: Partial<EventOptions> = {}) =>
  eventOf(sensorRowToEvent({columns: COLUMNS, delimiter: ',', keyed: true, ...own}), {fields, problem: undefined})
const sensorsWith = (cells: Partial<typeof CELLS>, own?: Partial<EventOptions>): unknown =>
  JSON.parse(sensors(Object.values({...CELLS, ...cells}), own).value)
const valueOf = (name: keyof typeof CELLS, cell: string, own?: Partial<EventOptions>) =>
  (sensorsWith({[name]: cell}, own) as typeof EVENT).data[name as keyof (typeof EVENT)['data']]

const swat = (columns: readonly string[], fields: readonly string[], delimiter: ',' | ';' = ',') =>
  eventOf(swatRowToEvent({columns, delimiter, keyed: true}), {fields, problem: undefined})

describe('sensorRowToEvent', () => {
  it('sends the seed’s event, keyed by its device', () => {
    const {key, value} = sensors(Object.values(CELLS))
    expect(JSON.parse(value)).toEqual(EVENT)
    expect(key).toBe(DEVICE)
  })

  it('keeps the seed’s order of keys', () => {
    expect(sensors(Object.values(CELLS)).value).toMatch(
      /^\{"data":\{"co":.*"humidity":.*"light":.*"lpg":.*"motion":.*"smoke":.*"temp":.*\},"device_id":".*","ts":[\d.]+\}$/,
    )
  })

  it('sends no key where none is wanted', () => {
    expect(sensors(Object.values(CELLS), {keyed: false}).key).toBeNull()
  })

  it('finds its columns by their names, in any order and among others', () => {
    const columns = ['id', ...COLUMNS.toReversed(), '']
    expect(JSON.parse(sensors(['7', ...Object.values(CELLS).toReversed(), ''], {columns}).value)).toEqual(EVENT)
  })

  it.each([
    ['22.7', 22.7],
    [' 22.7 ', 22.7],
    ['1e-3', 0.001],
    ['19.700000762939453', 19.700000762939453],
    ['007', 7],
    ['-.5', -0.5],
    ['', null],
    [' ', null],
    ['NaN', null],
    ['nan', null],
  ])('sends the number "%s" as %s', (cell, value) => {
    expect(valueOf('temp', cell)).toBe(value)
  })

  it.each([
    ['true', true],
    ['True', true],
    ['1', true],
    ['false', false],
    ['FALSE', false],
    [' false ', false],
    ['0', false],
    ['0.0', false],
    ['no', false],
    ['off', false],
    ['', null],
    ['nan', null],
  ])('sends the state "%s" as %s', (cell, value) => {
    expect(valueOf('light', cell)).toBe(value)
    expect(valueOf('motion', cell)).toBe(value)
  })

  it('reads a comma as the decimal sign where semicolons part the fields', () => {
    const own = {delimiter: ';'} as const
    expect(valueOf('temp', '22,7', own)).toBe(22.7)
    expect(valueOf('temp', '-,5', own)).toBe(-0.5)
    expect(valueOf('temp', '1,5E-3', own)).toBe(0.0015)
    expect(valueOf('temp', '22.7', own)).toBe(22.7)
    expect(sensorsWith({ts: '1,5945120943859746E9'}, own)).toEqual(EVENT)
    expect(() => valueOf('temp', '22,7')).toThrow(refusalOf('bad value', 'temp is not a number: "22,7"'))
    expect(() => valueOf('temp', '1.234,5', own)).toThrow(refusalOf('bad value'))
  })

  it('sends text as JSON has it', () => {
    expect(sensorsWith({device: ' a "b" \\ é '})).toEqual({...EVENT, device_id: 'a "b" \\ é'})
  })

  it.each<[what: string, cells: Partial<typeof CELLS>, reason: string]>([
    ['no device', {device: ' '}, 'missing device'],
    ['no time', {ts: ''}, 'bad timestamp'],
    ['a time that is no number', {ts: '2020-07-12'}, 'bad timestamp'],
    ['a time that is NaN', {ts: 'NaN'}, 'bad timestamp'],
    ['a value that is no number', {co: 'high'}, 'bad value'],
    ['a value beyond a double', {co: '1e999'}, 'bad value'],
  ])('refuses a row with %s', (_, cells, reason) => {
    expect(() => sensorsWith(cells)).toThrow(refusalOf(reason))
  })
})

describe('swatRowToEvent', () => {
  const COLUMNS_OF_SWAT = ['Timestamp', 'FIT101', 'MV101', 'Normal/Attack']

  it('sends flat text as it stands in the file, trimmed, with the label under Normal_Attack and without a key', () => {
    expect(swat(COLUMNS_OF_SWAT, [' 22/12/2015 4:00:00 PM', '2.470', ' 2', 'A ttack'])).toEqual({
      key: null,
      value: '{"Timestamp":"22/12/2015 4:00:00 PM","FIT101":"2.470","MV101":"2","Normal_Attack":"A ttack"}',
    })
  })

  it.each(LABEL_FIELDS)('renames the label from %s', (name) => {
    expect(swat(['Timestamp', name], ['t', 'Normal']).value).toBe('{"Timestamp":"t","Normal_Attack":"Normal"}')
  })

  it('renames one of several, the most telling', () => {
    expect(swat(['label', 'Normal/Attack', 'Attack'], ['0', 'Normal', 'x']).value).toBe(
      '{"label":"0","Normal_Attack":"Normal","Attack":"x"}',
    )
  })

  it('sends a file without a label as it is', () => {
    expect(swat(['Timestamp', 'FIT101'], ['t', '1']).value).toBe('{"Timestamp":"t","FIT101":"1"}')
  })

  it('reads a comma as the decimal sign where semicolons part the fields, and leaves other text alone', () => {
    expect(swat(COLUMNS_OF_SWAT, ['22/12/2015 4:00:00 PM', '2,47', '+5,0', 'Normal, so far'], ';').value).toBe(
      '{"Timestamp":"22/12/2015 4:00:00 PM","FIT101":"2.47","MV101":"+5.0","Normal_Attack":"Normal, so far"}',
    )
    expect(swat(['a'], ['2,47']).value).toBe('{"a":"2,47"}')
  })

  it('sends names and values as JSON has them', () => {
    expect(JSON.parse(swat(['a "b"\\', 'ü'], ['x\n"y"\\', '漢']).value)).toEqual({'a "b"\\': 'x\n"y"\\', ü: '漢'})
  })
})

describe.each<[name: string, event: (row: CsvRow) => SensorEvent]>([
  ['sensors', (row) => eventOf(sensorRowToEvent({columns: COLUMNS, delimiter: ',', keyed: true}), row)],
  ['swat', (row) => eventOf(swatRowToEvent({columns: COLUMNS, delimiter: ',', keyed: true}), row)],
])('a row of %s', (_, event) => {
  const fields = Object.values(CELLS)

  it('is refused when the parser could not read it', () => {
    expect(() => event({fields, problem: 'Invalid Opening Quote'})).toThrow(refusalOf('malformed CSV', 'Invalid Opening Quote'))
  })

  it('is refused when it has fewer fields than the header, or more', () => {
    expect(() => event({fields: fields.slice(1), problem: undefined})).toThrow(
      refusalOf('ragged row', 'the row has 8 fields, the header 9'),
    )
    expect(() => event({fields: [...fields, '', 'x'], problem: undefined})).toThrow(
      refusalOf('ragged row', 'the row has 11 fields, the header 9'),
    )
  })

  it('may end in delimiters', () => {
    expect(event({fields: [...fields, '', ' '], problem: undefined})).toEqual(event({fields, problem: undefined}))
  })
})

describe('a header', () => {
  it('is that of a SWaT file when it names a timestamp, and not a row of stages', () => {
    expect(isSwatHeader(['Timestamp', 'FIT101'])).toBe(true)
    expect(isSwatHeader(['FIT101', 'TIMESTAMP'])).toBe(true)
    expect(isSwatHeader(['', 'P1', 'P1', 'P2'])).toBe(false)
  })

  it('is that of a sensor file when it names all that an event needs', () => {
    expect(isSensorHeader(COLUMNS)).toBe(true)
    expect(isSensorHeader(['id', ...COLUMNS.toReversed()])).toBe(true)
    for (const missing of SENSOR_COLUMNS) expect(isSensorHeader(COLUMNS.filter((column) => column !== missing))).toBe(false)
  })
})
