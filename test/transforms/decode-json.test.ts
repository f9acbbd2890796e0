import {describe, expect, it} from 'vitest'
import {DataError} from '../../src/lib/errors.ts'
import {decodeJson, parseRows} from '../../src/lib/transforms/decode-json.ts'
import {seededRandom} from '../fakes/random.ts'

const decode = (text: string | Buffer) => decodeJson(Buffer.from(text))

function refusal(text: string | Buffer): DataError {
  try {
    const [row] = decode(text)
    if (row instanceof DataError) return row
  } catch (error) {
    if (error instanceof DataError) return error
    throw error
  }

  throw new Error('it was not refused')
}

/** As a serialiser does that encodes what is encoded already. */
const again = (value: unknown) => JSON.stringify(JSON.stringify(value))

describe('decodeJson', () => {
  it.each<[what: string, text: string, rows: readonly unknown[]]>([
    ['an object', '{"FIT101":2.47}', [{FIT101: 2.47}]],
    ['an empty object', '{}', [{}]],
    ['white space around it', ' \r\n{"a":1}\n', [{a: 1}]],
    ['a BOM before it', '\uFEFF{"a":1}', [{a: 1}]],
    ['letters of any script', '{"größe":"漢😀"}', [{größe: '漢😀'}]],
    ['the replacement character itself', '{"a":"\uFFFD"}', [{a: '\uFFFD'}]],
    ['an array of rows', '[{"a":1},{"a":2}]', [{a: 1}, {a: 2}]],
    ['an empty array', '[]', []],
    ['an array with trailing nulls', '[{"a":1},null,null]', [{a: 1}]],
    ['an array of nothing else', '[null]', []],
    ['JSON in a JSON string', again({a: 1}), [{a: 1}]],
    ['JSON in a JSON string in a JSON string in one', JSON.stringify(JSON.stringify(again({a: 1}))), [{a: 1}]],
    ['an array in a JSON string', again([{a: 1}, {a: 2}, null]), [{a: 1}, {a: 2}]],
    ['an array of JSON strings', JSON.stringify([JSON.stringify({a: 1}), JSON.stringify({a: 2})]), [{a: 1}, {a: 2}]],
    ['an array in an array', '[[{"a":1}],[{"a":2}]]', [{a: 1}, {a: 2}]],
    ['a key that every object has', '{"constructor":1}', [{constructor: 1}]],
    ['the last of two equal keys, as JSON.parse does', '{"a":1,"a":2}', [{a: 2}]],
    ['a name that stands twice by its last value', '{"a":1,"a":2}', [{a: 2}]],
  ])('reads %s', (_, text, rows) => {
    expect(decode(text)).toEqual(rows)
  })

  it.each<[what: string, text: string, rows: readonly unknown[]]>([
    ['NaN as null', '{"a":NaN,"b":-NaN}', [{a: null, b: null}]],
    ['Infinity as text', '{"a":Infinity,"b":-Infinity}', [{a: 'Infinity', b: '-Infinity'}]],
    ['NaN after white space as null', '{"a": NaN }', [{a: null}]],
    ['NaN in an array as null', '[{"a":NaN},{"a":1},NaN]', [{a: null}, {a: 1}]],
    ['NaN in a JSON string as null', JSON.stringify('{"a":NaN}'), [{a: null}]],
    [
      'NaN beside text that speaks of it as null',
      String.raw`{"a":NaN,"b":"NaN, \"NaN\" or \\","NaN":-Infinity}`,
      [{a: null, b: String.raw`NaN, "NaN" or ` + '\\', NaN: '-Infinity'}],
    ],
  ])('reads a bare %s, for which JSON has no word', (_, text, rows) => {
    expect(decode(text)).toEqual(rows)
  })

  it.each([
    ['nothing', ''],
    ['blanks', '  '],
    ['text', 'hello'],
    ['a cut object', '{"a":1'],
    ['a cut string', '{"a":"b'],
    ['a trailing comma', '{"a":1,}'],
    ['single quotes', "{'a':1}"],
    ['a comment', '{"a":1} // one'],
    ['two objects', '{"a":1}{"a":2}'],
    ['a number with a leading zero', '{"a":007}'],
    ['a bare word that begins as NaN does', '{"a":NaNs}'],
    ['NaN in an object that is cut', '{"a":NaN'],
    ['NaN and a string that is cut', '{"a":NaN,"b'],
    ['text in a JSON string', '"hello"'],
    ['an array of text', '["hello"]'],
  ])('refuses %s as malformed', (_, text) => {
    expect(refusal(text).reason).toBe('malformed JSON')
  })

  it.each([
    ['null', 'null', 'null'],
    ['a number', '5', 'a number'],
    ['a boolean', 'true', 'a boolean'],
    ['a number in a JSON string', '"5"', 'a number'],
    ['an array of numbers', '[1,2]', 'a number'],
    ['an array nested too deep', '[[[[{"a":1}]]]]', 'an array nested too deep'],
    ['JSON encoded too often', JSON.stringify(JSON.stringify(JSON.stringify(again({a: 1})))), 'a string'],
  ])('refuses %s, which holds no object', (_, text, found) => {
    const {reason, message} = refusal(text)
    expect([reason, message]).toEqual(['not an object', `expected a JSON object, found ${found}`])
  })

  it('leaves the others of an array as they are, and a refusal in the place of each that is none', () => {
    const refused = (reason: string) => expect.objectContaining({name: 'DataError', reason}) as unknown
    const [number, text, deep] = [refused('not an object'), refused('malformed JSON'), refused('not an object')]
    expect(decode('[{"a":1},5,null,"x",[{"a":2},[[{"a":3}]],7]]')).toEqual([{a: 1}, number, text, {a: 2}, deep, number])
    expect(decode(again([{a: 1}, 5]))).toEqual([{a: 1}, number])
  })

  it('refuses bytes that are not UTF-8 rather than guessing at their letters', () => {
    const {reason, message} = refusal(Buffer.from('{"a":"é"}', 'latin1'))
    expect([reason, message]).toEqual(['malformed JSON', 'the message is not UTF-8'])
  })

  it('refuses what is nested 100,000 deep, and does not fall over', () => {
    expect(refusal('['.repeat(100_000) + ']'.repeat(100_000)).reason).toBe('not an object')
    expect(refusal('['.repeat(100_000)).reason).toBe('malformed JSON')
  })

  it('reads whatever JSON.parse reads, and nothing else, in 2000 damaged messages', () => {
    const random = seededRandom(1)
    const text = JSON.stringify({Timestamp: '22/12/2015 4:00:00 PM', ' MV101': '1', x: [1.5e-3, null, true, {y: 'a"\\b'}]})
    for (let turn = 0; turn < 2000; turn++) {
      const at = Math.floor(random() * text.length)
      const damaged = text.slice(0, at) + ['', '"', '\\', ',', '{', '}', 'N'][turn % 7]! + text.slice(at + Math.floor(random() * 3))
      let parsed: unknown
      try {
        parsed = JSON.parse(damaged)
      } catch {
        expect(refusal(damaged).reason, damaged).toBe('malformed JSON')
        continue
      }

      expect(decode(damaged), damaged).toEqual([parsed])
    }
  })
})

describe('parseRows', () => {
  it.each<[what: string, text: string, rows: readonly unknown[]]>([
    ['keeps the digits of an integer that would be rounded', '{"a":9007199254740993}', [{a: '9007199254740993'}]],
    ['keeps its sign', '{"a":[-9223372036854775808]}', [{a: ['-9223372036854775808']}]],
    ['keeps them in a JSON string', again({a: 1}).replace('1', '18446744073709551615'), [{a: '18446744073709551615'}]],
    ['keeps them beside NaN', '{"a":9007199254740993,"b":NaN}', [{a: '9007199254740993', b: null}]],
    ['leaves an integer that is exact', '{"a":9007199254740991}', [{a: 9_007_199_254_740_991}]],
    [
      'leaves a fraction and an exponent',
      '{"a":2.4717159999999998,"b":1234567890123456.5,"c":1e20}',
      [{a: 2.4717159999999998, b: 1234567890123456.5, c: 1e20}],
    ],
    ['leaves digits within text', '{"a":"9007199254740993","b":1}', [{a: '9007199254740993', b: 1}]],
  ])('%s', (_, text, rows) => {
    expect(parseRows(text)).toEqual(rows)
  })

  it('reads what is nested deeper than a stack reaches, also beside a long integer', () => {
    const text = `{"a":9007199254740993,"b":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
    expect(parseRows(text)).toMatchObject([{a: 9_007_199_254_740_992}])
  })
})
