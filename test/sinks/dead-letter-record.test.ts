import {describe, expect, it} from 'vitest'
import type {Letter, RawMessage} from '../../src/lib/core/types.ts'
import {DataError} from '../../src/lib/errors.ts'
import {parseDeadLetterRecord, toDeadLetterRecord, toRawMessage} from '../../src/lib/sinks/dead-letter-record.ts'

describe('a dead letter', () => {
  it('says when, by which command, where the record was, what was wrong with it, and what it held', () => {
    expect(record({raw: {value: Buffer.from('{"a": 1}'), key: Buffer.from('device-1'), headers: {trace: 'x1'}}, index: 2})).toEqual({
      time: '2026-01-02T03:04:05.678Z',
      command: 'kafka-to-influx',
      topic: 'sensor_data',
      partition: 3,
      offset: '17',
      index: 2,
      reason: {code: 'bad timestamp', message: 'ts: "soon" is no time'},
      key: 'device-1',
      headers: {trace: 'x1'},
      value: '{"a": 1}',
    })
  })

  it('has no index when the message was refused as a whole', () => {
    expect(record({}).index).toBeNull()
  })

  it('keeps an offset that fits no number', () => {
    expect(record({description: 't/0/9223372036854775807'}).offset).toBe('9223372036854775807')
  })

  it.each([
    ['topic.with-dots_and/slashes/0/5', {topic: 'topic.with-dots_and/slashes', partition: 0, offset: '5'}],
    ['data/sensor_data.csv/0/5', {topic: 'data/sensor_data.csv', partition: 0, offset: '5'}],
    ['stdin', {topic: 'stdin', partition: 0, offset: '0'}],
  ])('knows the topic or the input from "%s"', (description, expected) => {
    expect(record({description})).toMatchObject(expected)
  })

  it.each([
    ['text', Buffer.from('grün \u0000 "quoted"\n'), {value: 'grün \u0000 "quoted"\n'}],
    ['text that begins with a byte order mark', Buffer.from('\uFEFF{}'), {value: '\uFEFF{}'}],
    ['nothing', Buffer.alloc(0), {value: ''}],
    ['a tombstone', null, {value: null}],
    ['bytes that are no UTF-8', Buffer.from([0xff, 0xfe, 0x00, 0x41]), {valueBase64: '//4AQQ=='}],
    ['text of which a character is cut off', Buffer.from('grün').subarray(0, 3), {valueBase64: 'Z3LD'}],
  ])('holds %s to the byte', (_, value, expected) => {
    const {value: text, valueBase64} = record({raw: {value}})
    expect({...(text === undefined ? {} : {value: text}), ...(valueBase64 === undefined ? {} : {valueBase64})}).toEqual(expected)
    if (value) expect(valueBase64 === undefined ? Buffer.from(text!) : Buffer.from(valueBase64, 'base64')).toEqual(value)
  })

  it('has no key and no headers where the message had none', () => {
    expect(record({raw: {key: null, headers: undefined}})).toMatchObject({key: null, headers: {}})
  })

  it('keeps headers of every kind', () => {
    const headers = {
      text: 'a',
      bytes: Buffer.from('b'),
      repeated: ['c', Buffer.from('d')],
      empty: null as unknown as undefined, // as kafkajs gives a header that has no value
      ['__proto__']: 'e',
    }
    expect(JSON.stringify(record({raw: {headers}}).headers)).toBe(
      '{"text":"a","bytes":"b","repeated":["c","d"],"empty":null,"__proto__":"e"}',
    )
  })

  it('holds a key and headers that are no UTF-8 to the byte', () => {
    const bytes = Buffer.from([0x00, 0xff, 0xfe])
    const headers = {trace: bytes, many: [Buffer.from('a'), bytes, null as unknown as string], text: Buffer.from('grün')}
    const {key, keyBase64, headers: written} = record({raw: {key: bytes, headers}})
    expect({key, keyBase64, headers: written}).toEqual({
      key: undefined,
      keyBase64: 'AP/+',
      headers: {trace: {base64: 'AP/+'}, many: ['a', {base64: 'AP/+'}, null], text: 'grün'},
    })
  })
})

describe('a letter that is read back', () => {
  const odd = Buffer.from([0x00, 0xff, 0xfe])
  it.each<[string, Partial<RawMessage>]>([
    ['text', {value: Buffer.from('grün'), key: Buffer.from('k'), headers: {a: 'b'}}],
    ['bytes', {value: odd, key: odd, headers: {a: odd, b: ['c', odd]}}],
    ['a tombstone without a key', {value: null, key: null, headers: {}}],
    ['nothing', {value: Buffer.alloc(0), key: Buffer.alloc(0), headers: {empty: '', none: undefined}}],
  ])('is the message that it was, of %s', (_, raw) => {
    expect(toRawMessage(readBack(raw))).toEqual({...raw, timestamp: undefined})
  })

  it('may lack what a hand that mended it left out', () => {
    const {key: _, headers: __, ...rest} = record({})
    const mended = parseDeadLetterRecord(JSON.stringify(rest))!
    expect(toRawMessage(mended)).toEqual({value: Buffer.from('{}'), key: null, headers: {}, timestamp: undefined})
  })

  it.each<[string, object]>([
    ['topic', {topic: undefined}],
    ['partition', {partition: 'first'}],
    ['offset', {offset: '-1'}],
    ['offset that is text', {offset: 17.5}],
    ['index', {index: undefined}],
    ['whole index', {index: 1.5}],
    ['reason', {reason: undefined}],
  ])('is none without a %s', (_, own) => {
    expect(parseDeadLetterRecord(JSON.stringify(record({})))).toBeDefined()
    expect(parseDeadLetterRecord(JSON.stringify({...record({}), ...own}))).toBeUndefined()
  })

  const readBack = (raw: Partial<RawMessage>) => parseDeadLetterRecord(JSON.stringify(record({raw})))!
})

interface Given {
  readonly raw?: Partial<RawMessage>
  readonly description?: string
  readonly index?: number
}

function record({raw, description = 'sensor_data/3/17', index}: Given) {
  const error = new DataError('bad timestamp', 'ts: "soon" is no time')
  const message = {value: undefined, position: {partition: 'sensor_data/3@1', offset: 17n}, bytes: 1}
  const letter: Letter = {message, error, ...(index === undefined ? {} : {index})}
  const whole: RawMessage = {value: Buffer.from('{}'), key: null, headers: undefined, timestamp: undefined, ...raw}
  return toDeadLetterRecord(letter, {command: 'kafka-to-influx', time: new Date('2026-01-02T03:04:05.678Z'), description, raw: whole})
}
