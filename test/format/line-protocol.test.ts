import {describe, expect, it} from 'vitest'
import type {FieldValue, Point} from '../../src/lib/format/line-protocol.ts'
import {DataError} from '../../src/lib/errors.ts'
import {
  decodeLine,
  encodeFieldKey,
  encodeFieldValue,
  encodeLine,
  encodeLineAt,
  encodePoint,
  encodeSeries,
  isReservedTag,
  toMoment,
  withFieldValue,
} from '../../src/lib/format/line-protocol.ts'
import {seededRandom} from '../fakes/random.ts'

const point: Point = {measurement: 'm', tags: {}, fields: {f: 1}, time: 1n}
const encode = (own: Partial<Point> = {}) => encodePoint({...point, ...own})
const textOf = (own: Partial<Point> = {}) => encode(own).bytes.toString()

/** What a point is refused for. */
function reasonOf(own: Partial<Point>): string {
  try {
    return `encoded: ${textOf(own)}`
  } catch (error) {
    expect(error).toBeInstanceOf(DataError)
    return (error as DataError).reason
  }
}

describe('encodePoint', () => {
  it('writes measurement, tags, fields and time, and a line break', () => {
    const line = textOf({
      measurement: 'swat',
      tags: {status: 'Normal'},
      fields: {FIT101: 2.47, LIT101: 522.8},
      time: 1_450_800_010_000_000_000n,
    })
    expect(line).toBe('swat,status=Normal FIT101=2.47,LIT101=522.8 1450800010000000000\n')
  })

  it('sorts the tags, as the server does', () => {
    expect(textOf({tags: {b: '2', a: '1', 'a b': '3'}})).toBe(String.raw`m,a=1,a\ b=3,b=2 f=1 1` + '\n')
  })

  it('leaves out tags that are empty', () => {
    expect(textOf({tags: {a: '', b: '2', '': ''}})).toBe('m,b=2 f=1 1\n')
  })

  it.each<[what: string, own: Partial<Point>, line: string]>([
    ['spaces and commas in a measurement', {measurement: 'External Weather, now'}, String.raw`External\ Weather\,\ now f=1 1`],
    ['an equals sign in a measurement, as it stands', {measurement: 'a=b'}, 'a=b f=1 1'],
    ['a measurement that begins with a space', {measurement: ' #m'}, String.raw`\ #m f=1 1`],
    ['brackets and quotes in a measurement, as they stand', {measurement: 'Sensors(Testing)"x"'}, 'Sensors(Testing)"x" f=1 1'],
    ['a tag name', {tags: {'a b,c=d': 'x'}}, String.raw`m,a\ b\,c\=d=x f=1 1`],
    ['a tag value', {tags: {t: ' a b,c=d '}}, String.raw`m,t=\ a\ b\,c\=d\  f=1 1`],
    ['quotes in a tag, as they stand', {tags: {'"t"': '"x"'}}, 'm,"t"="x" f=1 1'],
    ['a field name', {fields: {'a b,c=d': 1}}, String.raw`m a\ b\,c\=d=1 1`],
    ['quotes in a field name, as they stand', {fields: {'"f"': 1}}, 'm "f"=1 1'],
    ['quotes and backslashes in a text', {fields: {f: String.raw`say "hi" \ bye\\`}}, String.raw`m f="say \"hi\" \\ bye\\\\" 1`],
    ['spaces, commas and line breaks in a text, as they stand', {fields: {f: 'a b,c=d\ne\r\n'}}, 'm f="a b,c=d\ne\r\n" 1'],
    [
      'a backslash before a letter, as it stands',
      {measurement: String.raw`a\b`, tags: {[String.raw`t\t`]: String.raw`C:\temp`}},
      String.raw`a\b,t\t=C:\temp f=1 1`,
    ],
    ['letters of any script', {measurement: '漢', tags: {é: '😀'}, fields: {ü: 'ß'}}, '漢,é=😀 ü="ß" 1'],
  ])('escapes %s', (_, own, line) => {
    expect(textOf(own)).toBe(`${line}\n`)
  })

  it.each<[what: string, value: FieldValue, text: string]>([
    ['an integral number', 1, '1'],
    ['a fraction', 0.1, '0.1'],
    ['minus zero', -0, '0'],
    ['a very large number', 1e21, '1e+21'],
    ['the least number', 5e-324, '5e-324'],
    ['a bigint as an integer', 3n, '3i'],
    ['the largest integer', 2n ** 63n - 1n, '9223372036854775807i'],
    ['the smallest integer', -(2n ** 63n), '-9223372036854775808i'],
    ['true', true, 'true'],
    ['false', false, 'false'],
    ['text', 'on', '"on"'],
    ['empty text', '', '""'],
  ])('writes %s', (_, value, text) => {
    expect(encodeFieldValue(value)).toBe(text)
    expect(textOf({fields: {f: value}})).toBe(`m f=${text} 1\n`)
  })

  it('leaves out numbers that are not finite', () => {
    expect(textOf({fields: {a: NaN, b: 1, c: Infinity, d: -Infinity}})).toBe('m b=1 1\n')
  })

  it('stores a field called time as field_time, because the server would strip it', () => {
    expect(textOf({fields: {time: 1, Time: 2}})).toBe('m field_time=1,Time=2 1\n')
  })

  it.each<[what: string, own: Partial<Point>, reason: string]>([
    ['no field', {fields: {}}, 'no fields'],
    ['no field that is finite', {fields: {a: NaN, b: Infinity}}, 'no fields'],
    ['a measurement without a name', {measurement: ''}, 'unwritable measurement'],
    ['a measurement that would be a comment', {measurement: '#m'}, 'unwritable measurement'],
    ['a measurement that begins with what the server skips', {measurement: '\tm'}, 'unwritable measurement'],
    ['a measurement that begins with NUL', {measurement: '\0m'}, 'unwritable measurement'],
    ['a measurement that ends in a backslash', {measurement: 'm\\'}, 'unwritable measurement'],
    ['a measurement with a backslash before a comma', {measurement: 'm\\,n'}, 'unwritable measurement'],
    ['a measurement with a backslash before a quote', {measurement: 'm\\"n'}, 'unwritable measurement'],
    ['a measurement with a line break', {measurement: 'm\nn'}, 'unwritable measurement'],
    ['a tag without a name', {tags: {'': 'x'}}, 'unwritable tag'],
    ...['time', '_field', '_measurement', '_time', '_value', '_start', '_stop', '\0'].map((name): [string, Partial<Point>, string] => [
      `a tag called ${JSON.stringify(name)}`,
      {tags: {[name]: 'x'}},
      'unwritable tag',
    ]),
    ['a tag name that ends in a backslash', {tags: {'t\\': 'x'}}, 'unwritable tag'],
    ['a tag that ends in a backslash', {tags: {t: 'C:\\'}}, 'unwritable tag'],
    ['a tag with a backslash before a space', {tags: {t: '\\ '}}, 'unwritable tag'],
    ['a tag with a backslash before an equals sign', {tags: {t: 'a\\=b'}}, 'unwritable tag'],
    ['a tag with a line break', {tags: {t: 'a\nb'}}, 'unwritable tag'],
    ['a tag with a CR', {tags: {t: 'a\rb'}}, 'unwritable tag'],
    ['a tag with half a surrogate pair', {tags: {t: 'a\uD800b'}}, 'unwritable tag'],
    ['a series that is too long', {tags: {t: 'x'.repeat(61_432)}}, 'unwritable tag'],
    ['a series that is too long once it is escaped', {tags: {t: ' '.repeat(30_716)}}, 'unwritable tag'],
    ['a series that is too long in UTF-8', {tags: {t: '漢'.repeat(20_478)}}, 'unwritable tag'],
    ['a field without a name', {fields: {'': 1}}, 'unwritable field'],
    ['a field name that begins with what the server skips', {fields: {'\tf': 1}}, 'unwritable field'],
    ['a field name that begins with NUL', {fields: {'\0f': 1}}, 'unwritable field'],
    ['a field name that ends in a backslash', {fields: {'f\\': 1}}, 'unwritable field'],
    ['a field name with a backslash before a comma', {fields: {'a\\,b': 1}}, 'unwritable field'],
    ['a field name with a backslash before a quote', {fields: {'a\\"b': 1}}, 'unwritable field'],
    ['a field name with a line break', {fields: {'a\nb': 1}}, 'unwritable field'],
    ['a field name that is too long', {fields: {['x'.repeat(4097)]: 1}}, 'unwritable field'],
    ['a field name that is too long once it is escaped', {fields: {[' '.repeat(2049)]: 1}}, 'unwritable field'],
    ['a text that is too long', {fields: {f: 'x'.repeat(1_048_577)}}, 'unwritable field'],
    ['a text that is too long in UTF-8', {fields: {f: 'é'.repeat(524_289)}}, 'unwritable field'],
    ['a text with half a surrogate pair', {fields: {f: '\uDC00'}}, 'unwritable field'],
    ['an integer of more than 64 bits', {fields: {f: 2n ** 63n}}, 'unwritable field'],
    ['a negative integer of more than 64 bits', {fields: {f: -(2n ** 63n) - 1n}}, 'unwritable field'],
    ['a time after 2262', {time: 2n ** 63n - 1n}, 'bad timestamp'],
    ['a time before 1677', {time: 1n - 2n ** 63n}, 'bad timestamp'],
  ])('refuses %s', (_, own, reason) => {
    expect(reasonOf(own)).toBe(reason)
  })

  it('takes what is as long as allowed', () => {
    expect(encode({tags: {t: 'x'.repeat(61_431)}}).bytes).toHaveLength(61_435 + ' f=1 1\n'.length)
    expect(encode({fields: {['x'.repeat(4096)]: 1}}).bytes).toHaveLength(4096 + 'm =1 1\n'.length)
    expect(encode({fields: {f: '"'.repeat(1_048_576)}}).bytes).toHaveLength(2 * 1_048_576 + 'm f="" 1\n'.length)
  })
})

describe('encodeLine', () => {
  it('writes the same line as encodePoint does', () => {
    const series = encodeSeries('m', [['t', 'x']])
    const [line, other] = [encodeLine(series, `${encodeFieldKey('f')}1`, 1n), encode({tags: {t: 'x'}})]
    expect([line.bytes.toString(), line.key]).toEqual([other.bytes.toString(), other.key])
  })
})

describe('a moment that lines share', () => {
  it.each([0n, 1n, -1n, 1_450_800_010_000_000_000n, (1n << 32n) - 1n, 1n << 32n, -(1n << 32n), 2n ** 63n - 2n, 2n - 2n ** 63n])(
    'makes the same line and key as its time does: %d',
    (time) => {
      const series = encodeSeries('m', [['t', 'x']])
      const [shared, own] = [encodeLineAt(series, 'f=1', toMoment(time)!), encodeLine(series, 'f=1', time)]
      expect([shared.bytes.toString(), shared.key]).toEqual([own.bytes.toString(), own.key])
    },
  )

  it.each([2n ** 63n - 1n, 1n - 2n ** 63n, 10n ** 30n])('is none where its time cannot be stored: %d', (time) => {
    expect(toMoment(time)).toBeUndefined()
  })
})

describe('the name of a tag', () => {
  it.each([
    'time',
    '_time',
    '_field',
    '_measurement',
    '_value',
    '_start',
    '_stop',
    '\0',
    'Time',
    'label_time',
    '_',
    'host',
    'constructor',
    '',
  ])('is reserved only if it is refused for itself: %j', (name) => {
    const isRefused = name !== '' && reasonOf({tags: {[name]: 'x'}}) === 'unwritable tag'
    expect(isReservedTag(name)).toBe(isRefused)
  })
})

describe('the key of a line', () => {
  it('is the same for the same series and time, whatever the order of the tags and the fields', () => {
    const {key} = encode({tags: {a: '1', b: '2'}})
    expect(encode({tags: {b: '2', a: '1', c: ''}, fields: {g: 2}}).key).toBe(key)
  })

  it.each<[what: string, own: Partial<Point>]>([
    ['measurement', {measurement: 'n'}],
    ['tag', {tags: {t: 'x'}}],
    ['time', {time: 2n}],
    ['time in its upper half', {time: 1n + (1n << 32n)}],
    ['sign of the time', {time: -1n}],
  ])('differs with the %s', (_, own) => {
    expect(encode(own).key).not.toBe(encode().key)
  })

  it('is a whole number that a double holds, and differs for 250 series at 1000 times each', () => {
    const [start, second] = [1_594_512_094_385_974_600n, 1_000_000_000n]
    const keys = new Set<number>()
    for (let device = 0; device < 250; device++) {
      const series = encodeSeries('sensor_data', [['device_id', `00:0f:00:70:91:${device}`]])
      for (let turn = 0n; turn < 1000n; turn++) keys.add(encodeLine(series, 'f=1', start + turn * second).key)
    }

    expect(keys.size).toBe(250_000)
    expect([...keys].every((key) => Number.isSafeInteger(key) && key >= 0)).toBe(true)
  })
})

describe('decodeLine', () => {
  it('reads back what encodePoint wrote, of 2000 odd points', () => {
    const random = seededRandom(1)
    const below = (limit: number) => Math.floor(random() * limit)
    const name = () => Array.from({length: 1 + below(5)}, () => 'ab ,="#é\\'[below(9)]!).join('')
    const value = () => [below(1000) / 8, BigInt(below(100)), random() < 0.5, name(), `${name()}\n${name()}`][below(5)]!
    let encoded = 0
    for (let turn = 0; turn < 2000; turn++) {
      const fields = Object.fromEntries(Array.from({length: 1 + below(4)}, () => [name(), value()]))
      const odd: Point = {measurement: name(), tags: {[name()]: name(), t: 'x'}, fields, time: BigInt(below(1e9)) - 500_000_000n}
      if (!reasonOf(odd).startsWith('encoded')) continue
      encoded++
      const {measurement, fields: read, time, series} = decodeLine(encode(odd))
      const written = Object.entries(fields).map(([field, given]) => [field, encodeFieldValue(given)])
      expect({measurement, time, fields: [...read], series}, textOf(odd)).toEqual({
        measurement: odd.measurement,
        time: odd.time,
        fields: written,
        series: encodeSeries(odd.measurement, Object.entries(odd.tags)).text,
      })
    }

    expect(encoded).toBeGreaterThan(500)
  })
})

describe('withFieldValue', () => {
  it('changes one value of a line, and neither its key nor the rest of it', () => {
    const line = encode({measurement: 'a b', tags: {t: 'x,y'}, fields: {f: 1, 'a="b': 2, g: 'f=1, "q"'}})
    const changed = withFieldValue(line, 'a="b', '2i')
    expect(changed.bytes.toString()).toBe(line.bytes.toString().replace('=2,', '=2i,'))
    expect(changed.key).toBe(line.key)
  })
})
