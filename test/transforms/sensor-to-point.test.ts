import {describe, expect, it} from 'vitest'
import type {SensorPointOptions} from '../../src/lib/transforms/sensor-to-point.ts'
import {timestampParser} from '../../src/lib/format/timestamp.ts'
import {createObservations} from '../../src/lib/transforms/observations.ts'
import {sensorToPoint} from '../../src/lib/transforms/sensor-to-point.ts'
import {rememberingLogger} from '../fakes/logger.ts'
import {rawMessage, somewhere} from '../fakes/raw-message.ts'
import {rowsIn} from '../fakes/outcome.ts'

const DEVICE = 'b8:27:eb:bf:9d:51'
const VALUES = {co: 0.0049, humidity: 51, light: false, lpg: 0.0076, motion: true, smoke: 0.0204, temp: 22.7}
const FIELDS = 'co=0.0049,humidity=51,light=0,lpg=0.0076,motion=1,smoke=0.0204,temp=22.7'
const EVENT = {data: VALUES, device_id: DEVICE, ts: 1_594_512_094.385_974_6}
const TIME = '1594512094385974600'

function points(own: Partial<SensorPointOptions> = {}) {
  const {log, events} = rememberingLogger()
  const observations = createObservations(log.warn)
  const transform = sensorToPoint({
    measurement: 'sensor_data',
    tags: {},
    tagFields: [],
    excludeFields: [],
    timestampField: undefined,
    observations,
    parse: timestampParser('auto', 'UTC'),
    onBadTimestamp: 'reject',
    now: () => 1_700_000_000_000,
    ...own,
  })
  return {
    counts: observations.counts,
    events,
    outcomeOf: (value: unknown) => transform(rawMessage(value), somewhere),
    linesOf(value: unknown): readonly string[] {
      const outcome = transform(rawMessage(value), somewhere)
      return 'rows' in outcome ? rowsIn(outcome).map(({bytes}) => bytes.toString().trimEnd()) : [outcome.filtered]
    },
  }
}

const lineOf = (value: unknown, own: Partial<SensorPointOptions> = {}) => points(own).linesOf(value).join('\n')
const refusalOf = (reason: string, message: unknown = expect.any(String)): unknown =>
  expect.objectContaining({name: 'DataError', reason, message})

describe('sensorToPoint', () => {
  it.each<[shape: string, message: unknown]>([
    ['an event as produce sends it', EVENT],
    [
      'values that are text',
      {
        ...EVENT,
        data: Object.fromEntries(Object.entries(VALUES).map(([name, value]) => [name, String(value)])),
        ts: '1.5945120943859746E9',
      },
    ],
    ['values beside the device', {...VALUES, device_id: DEVICE, ts: EVENT.ts}],
    ['JSON encoded twice', JSON.stringify(JSON.stringify(EVENT))],
    ['a time that is ISO 8601', {...EVENT, ts: '2020-07-12T00:01:34.3859746Z'}],
    [
      'keys in another order, and some that nobody asked for',
      {ts: EVENT.ts, firmware: 3, data: {pressure: 1, ...VALUES}, device_id: DEVICE},
    ],
  ])('reads %s', (_, message) => {
    expect(lineOf(message)).toBe(`sensor_data,device_id=${DEVICE} ${FIELDS} ${TIME}`)
  })

  it('reads the variant of the docs: a time without a zone, light as a number, motion as 0', () => {
    const event = {...EVENT, ts: '2016-02-11 17:47:27', data: {light: 120.0, motion: 0, temp: 19.700000762939453}}
    expect(lineOf(event)).toBe(`sensor_data,device_id=${DEVICE} light=120,motion=0,temp=19.700000762939453 1455212847000000000`)
  })

  it('reads every event of an array', () => {
    expect(points().linesOf([EVENT, {...EVENT, device_id: 'x'}, null])).toEqual([
      `sensor_data,device_id=${DEVICE} ${FIELDS} ${TIME}`,
      `sensor_data,device_id=x ${FIELDS} ${TIME}`,
    ])
  })

  it.each<[value: unknown, number: number]>([
    [true, 1],
    [false, 0],
    ['true', 1],
    ['false', 0],
    ['False', 0],
    ['off', 0],
    ['n', 0],
    ['yes', 1],
    ['', 0],
    ['0.0', 0],
    ['0.00', 0],
    ['1', 1],
    [120.5, 120.5],
  ])('stores the state %j as %d', (value, number) => {
    expect(lineOf({...EVENT, data: {motion: value}})).toBe(`sensor_data,device_id=${DEVICE} motion=${number} ${TIME}`)
  })

  it.each<[what: string, value: unknown, example: string]>([
    ['null', null, 'null'],
    ['text', 'hot', 'hot'],
    ['a boolean', true, 'true'],
    ['the text NaN', 'NaN', 'NaN'],
    ['an object', {}, 'an object'],
  ])('leaves out, counts and warns once of a value that is %s', (_, value, example) => {
    const {linesOf, counts, events} = points()
    for (let turn = 0; turn < 2; turn++)
      expect(linesOf({...EVENT, data: {temp: value, co: 1}})).toEqual([`sensor_data,device_id=${DEVICE} co=1 ${TIME}`])
    expect(counts).toEqual({'field.skipped': {temp: 2}})
    expect(events).toEqual([['warn', 'field.skipped', {name: 'temp', reason: 'not a number', example}]])
  })

  it('says nothing of a value that an event does not have', () => {
    const {linesOf, counts} = points()
    expect(linesOf({...EVENT, data: {co: 1}})).toEqual([`sensor_data,device_id=${DEVICE} co=1 ${TIME}`])
    expect(counts).toEqual({})
  })

  it('takes a value that is nested deeper than a stack reaches for one that is no number', () => {
    const deep = '['.repeat(50_000) + ']'.repeat(50_000)
    expect(lineOf(`{"device_id":"x","ts":1,"data":{"co":1,"temp":${deep}}}`)).toBe('sensor_data,device_id=x co=1 1000000000')
  })

  it.each<[what: string, message: unknown, reason: string]>([
    ['no device', {...EVENT, device_id: undefined}, 'missing device_id'],
    ['an empty device', {...EVENT, device_id: ''}, 'missing device_id'],
    ['a device that is null', {...EVENT, device_id: null}, 'missing device_id'],
    ['no values', {...EVENT, data: {}}, 'no fields'],
    ['no value that is a number', {...EVENT, data: {co: 'x'}}, 'no fields'],
    ['no time', {...EVENT, ts: undefined}, 'bad timestamp'],
    ['a time that is null', {...EVENT, ts: null}, 'bad timestamp'],
    ['a time in milliseconds', {...EVENT, ts: 1_594_512_094_385}, 'bad timestamp'],
    ['no JSON', 'hello', 'malformed JSON'],
  ])('refuses an event with %s', (_, message, reason) => {
    expect(() => lineOf(message)).toThrow(refusalOf(reason))
  })

  it('filters a tombstone', () => {
    expect(points().outcomeOf(null)).toEqual({filtered: 'tombstone'})
  })

  it('adds tags of the flag and of the message, and the device counts most', () => {
    const own = {tags: {site: 'flag', room: 'R 1', device_id: 'flag'}, tagFields: ['site', 'floor', 'absent']}
    expect(lineOf({...EVENT, site: ' lab ', floor: 2, data: {co: 1}}, own)).toBe(
      String.raw`sensor_data,device_id=${DEVICE},floor=2,room=R\ 1,site=lab co=1 ${TIME}`,
    )
  })

  it('leaves out the values that are excluded', () => {
    expect(lineOf(EVENT, {excludeFields: ['light', 'motion', 'smoke', 'lpg']})).toBe(
      `sensor_data,device_id=${DEVICE} co=0.0049,humidity=51,temp=22.7 ${TIME}`,
    )
  })

  it('takes the time from the field that is named, and no other', () => {
    const own = {timestampField: 'measured'}
    expect(lineOf({...EVENT, measured: 5, data: {co: 1}}, own)).toBe(`sensor_data,device_id=${DEVICE} co=1 5000000000`)
    expect(() => lineOf(EVENT, own)).toThrow(refusalOf('bad timestamp', 'the record has no timestamp field'))
  })
})
