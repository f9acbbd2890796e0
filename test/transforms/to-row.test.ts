import {describe, expect, it} from 'vitest'
import type {RowOptions} from '../../src/lib/transforms/to-row.ts'
import {timestampParser} from '../../src/lib/format/timestamp.ts'
import {SENSOR_FIELDS} from '../../src/lib/transforms/sensors.ts'
import {toRow} from '../../src/lib/transforms/to-row.ts'
import {rawMessage, somewhere} from '../fakes/raw-message.ts'
import {rowsIn} from '../fakes/outcome.ts'

const VALUES = {co: 0.0049, humidity: 51, light: false, lpg: 0.0076, motion: true, smoke: 0.0204, temp: 22.7}
const EVENT = {data: VALUES, device_id: 'b8:27:eb:bf:9d:51', ts: 1_594_512_094.385_974_6}
const ROW = {device_id: 'b8:27:eb:bf:9d:51', ts: '1594512094.385', ...VALUES, light: 0, motion: 1}

const transform = (onMissing: RowOptions['onMissing'] = 'reject') => toRow({onMissing, parseTimestamp: timestampParser('auto', undefined)})
const outcomeOf = (message: unknown, onMissing?: RowOptions['onMissing']) => transform(onMissing)(rawMessage(message, 1234), somewhere)

function rowsOf(message: unknown, onMissing?: RowOptions['onMissing']) {
  const outcome = outcomeOf(message, onMissing)
  return 'rows' in outcome ? rowsIn(outcome).flatMap(({rows}) => rows) : []
}

const withValue = (name: string, value: unknown) => ({...EVENT, data: {...VALUES, [name]: value}})
const refusalOf = (reason: string, message: unknown = expect.any(String)): unknown =>
  expect.objectContaining({name: 'DataError', reason, message})

describe('toRow', () => {
  it('makes of one message one entry, which says where it came from and when the broker got it', () => {
    expect(outcomeOf(EVENT)).toEqual({rows: [{position: somewhere, receivedAt: 1234, rows: [ROW]}]})
  })

  it('keeps all rows of a message together, so that nothing can tear it', () => {
    const second = {...EVENT, device_id: 'x'}
    expect(outcomeOf([EVENT, second, null])).toEqual({
      rows: [{position: somewhere, receivedAt: 1234, rows: [ROW, {...ROW, device_id: 'x'}]}],
    })
  })

  it('refuses a message as a whole when one of its rows is bad', () => {
    expect(() => outcomeOf([EVENT, {...EVENT, ts: 'soon'}])).toThrow(refusalOf('bad timestamp'))
    expect(() => outcomeOf([EVENT, 7])).toThrow(refusalOf('not an object'))
  })

  it('filters what has no rows', () => {
    expect(outcomeOf(null)).toEqual({filtered: 'tombstone'})
    expect(outcomeOf([])).toEqual({filtered: 'no rows'})
    expect(outcomeOf([null, null])).toEqual({filtered: 'no rows'})
  })

  it.each<[shape: string, message: unknown]>([
    ['values that are text', {...EVENT, data: Object.fromEntries(Object.entries(VALUES).map(([name, value]) => [name, String(value)]))}],
    ['values beside the device', {...VALUES, device_id: EVENT.device_id, ts: EVENT.ts}],
    ['JSON encoded twice', JSON.stringify(JSON.stringify(EVENT))],
    ['keys that the table does not have', {...EVENT, firmware: 3, data: {...VALUES, pressure: 1}}],
  ])('reads %s', (_, message) => {
    expect(rowsOf(message)).toEqual([ROW])
  })

  it('has the columns of the table and no others', () => {
    expect(Object.keys(rowsOf({...EVENT, extra: 1})[0]!)).toEqual(['device_id', 'ts', ...SENSOR_FIELDS])
  })
})

describe('the time of a row', () => {
  it.each<[ts: unknown, text: string]>([
    [1_594_512_106, '1594512106.000'],
    [1_594_512_106.869, '1594512106.869'],
    [1_594_512_106.869_9, '1594512106.869'], // cut, as the engine does
    [1_594_512_106.005, '1594512106.005'],
    ['1594512106.869076', '1594512106.869'],
    ['1.594512106869E9', '1594512106.869'],
    [' 1594512106 ', '1594512106.000'],
    ['2020-07-12T00:01:46.869Z', '1594512106.869'],
    ['2020-07-12T08:01:46.869+08:00', '1594512106.869'],
    [0, '0.000'],
    [0.001, '0.001'],
  ])('is that of the event in seconds, cut to milliseconds, as text: %j', (ts, text) => {
    expect(rowsOf({...EVENT, ts})[0]!.ts).toBe(text)
  })

  it.each<[what: string, ts: unknown, message: string]>([
    ['is missing', undefined, 'ts: it is missing'],
    ['is null', null, 'ts: it is missing'],
    ['is empty', '', 'ts: it is empty'],
    ['names no zone', '2016-02-11 17:47:27', 'ts: "2016-02-11 17:47:27" names no time zone'],
    ['is in milliseconds', 1_594_512_106_869, 'ts: it lies outside the years 1677 to 2262'],
    ['is before 1970', -0.001, 'ts: the table stores times from 1970 on'],
    ['is before 1970 by a nanosecond', '-0.000000001', 'ts: the table stores times from 1970 on'],
  ])('is refused when it %s', (_, ts, message) => {
    expect(() => rowsOf({...EVENT, ts})).toThrow(refusalOf('bad timestamp', message))
  })
})

describe('a state', () => {
  const FALSY = ['false', '0', '0.0', 'no', 'off', 'f', 'n', '']
  it.each<[value: unknown, number: number]>([
    [true, 1],
    [false, 0],
    [1, 1],
    [0, 0],
    [120.0, 1],
    [0.5, 1],
    ...FALSY.flatMap((text): [string, number][] => [
      [text, 0],
      [` ${text.toUpperCase()} `, 0],
    ]),
    ['true', 1],
    ['TRUE', 1],
    ['1', 1],
    ['yes', 1],
    ['on', 1],
    ['t', 1],
    ['y', 1],
  ])('is 0 or 1 by truthiness: %j is %d', (value, number) => {
    expect(rowsOf(withValue('light', value))[0]!.light).toBe(number)
    expect(rowsOf(withValue('motion', value))[0]!.motion).toBe(number)
  })

  it.each([['NaN'], [{}], [[]]])('is refused when it is neither: %j', (value) => {
    expect(() => rowsOf(withValue('motion', value))).toThrow(refusalOf('bad value'))
  })
})

describe('a value', () => {
  it.each<[value: unknown, number: number]>([
    [22.7, 22.7],
    [0, 0],
    ['22.7', 22.7],
    ['19.700000762939453', 19.700000762939453],
    ['1e-3', 0.001],
    [' .5 ', 0.5],
  ])('is a number, also as text: %j', (value, number) => {
    expect(rowsOf(withValue('temp', value))[0]!.temp).toBe(number)
  })

  it.each<[value: unknown, example: string]>([
    ['hot', 'hot'],
    ['', 'empty text'],
    ['NaN', 'NaN'],
    ['22,7', '22,7'],
    [true, 'true'],
    [{}, 'an object'],
    [[22.7], 'an array'],
  ])('is refused when it is anything else, whatever is done with missing ones: %j', (value, example) => {
    for (const onMissing of ['reject', 'zero'] as const)
      expect(() => rowsOf(withValue('temp', value), onMissing)).toThrow(refusalOf('bad value', `temp is not a number: ${example}`))
  })

  it('is missing when it is a bare NaN', () => {
    const text = JSON.stringify(EVENT).replace('22.7', 'NaN')
    expect(() => rowsOf(text)).toThrow(refusalOf('missing value'))
    expect(rowsOf(text, 'zero')).toEqual([{...ROW, temp: 0}])
  })

  it('is refused when it is infinite or a number beyond a double', () => {
    for (const text of ['Infinity', '1e999'])
      expect(() => rowsOf(JSON.stringify(EVENT).replace('22.7', text), 'zero')).toThrow(refusalOf('bad value'))
  })

  it('is refused when it is nested deeper than a stack reaches', () => {
    const deep = '['.repeat(50_000) + ']'.repeat(50_000)
    expect(() => rowsOf(JSON.stringify(EVENT).replace('22.7', deep))).toThrow(refusalOf('bad value', 'temp is not a number: an array'))
  })

  it.each(SENSOR_FIELDS)('is refused when it is missing or null, and 0 when that is asked for: %s', (name) => {
    expect(() => rowsOf(withValue(name, undefined))).toThrow(
      refusalOf('missing value', `${name} is missing; --on-missing zero would store 0`),
    )
    expect(() => rowsOf(withValue(name, null))).toThrow(refusalOf('missing value', `${name} is null; --on-missing zero would store 0`))
    expect(rowsOf(withValue(name, undefined), 'zero')).toEqual([{...ROW, [name]: 0}])
    expect(rowsOf(withValue(name, null), 'zero')).toEqual([{...ROW, [name]: 0}])
  })
})

describe('the device of a row', () => {
  it.each([
    ['is missing', undefined],
    ['is null', null],
    ['is empty', ''],
    ['is a number', 5],
  ])('is never made up, not even when missing values are 0: it %s', (_, device_id) => {
    for (const onMissing of ['reject', 'zero'] as const)
      expect(() => rowsOf({...EVENT, device_id}, onMissing)).toThrow(refusalOf('missing device_id'))
  })
})
