import {describe, expect, it} from 'vitest'
import type {DeadLetterRecord} from '../../src/lib/sinks/dead-letter-record.ts'
import {messageLine} from '../../src/lib/cli/letter-tables.ts'

describe('the message of a letter', () => {
  it.each<[string, Pick<DeadLetterRecord, 'value' | 'valueBase64'>, string]>([
    ['a line of JSON', {value: '{"a": 1.10}'}, '{"a": 1.10}'],
    ['a line that is no JSON', {value: '{"a":'}, '{"a":'],
    [
      'JSON over several lines, each number as it is written',
      {value: '{\r\n  "a": 12345678901234567890,\n\t"b": [1.10,\n  2]\n}\n'},
      '{"a": 12345678901234567890,"b": [1.10,2]}',
    ],
    ['JSON with an escaped line break', {value: '{"a": "x\\n y",\n"b": 1}'}, '{"a": "x\\n y","b": 1}'],
    ['a row of a CSV over two lines', {value: '1,"a\nb"'}, String.raw`{"value":"1,\"a\nb\""}`],
    ['half an object over two lines', {value: '{"a":\n'}, String.raw`{"value":"{\"a\":\n"}`],
    ['bytes that are no text', {valueBase64: '//4='}, '{"valueBase64":"//4="}'],
    ['a tombstone', {value: null}, '{"value":null}'],
    ['nothing', {value: ''}, '{"value":""}'],
    ['a text with a separator that is no line feed', {value: '"x\u2028y"'}, '"x\u2028y"'],
  ])('is one line, of %s', (_, value, line) => {
    expect(messageLine({...LETTER, ...value})).toBe(line)
  })
})

const LETTER: DeadLetterRecord = {
  time: '2026-01-01T00:00:00.000Z',
  command: 'kafka-to-influx',
  topic: 't',
  partition: 0,
  offset: '7',
  index: null,
  reason: {code: 'bad timestamp', message: 'no such day'},
  key: null,
  headers: {},
}
