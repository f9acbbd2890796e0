import {describe, expect, it} from 'vitest'
import {numericText, numericValue, truthiness} from '../../src/lib/format/numeric.ts'
import {seededRandom} from '../fakes/random.ts'

describe('numericText', () => {
  it.each([
    '0',
    '7',
    '-7',
    '2.47',
    '-0',
    '-0.0',
    '0.10',
    '51.000',
    '9007199254740993',
    '0.1000000000000000055511151231257827021',
    '1234567890123456789012345678901234567890',
  ])('passes %s through as it was sent', (text) => {
    expect(numericText(text)).toBe(text)
  })

  it.each([
    ['007', '7'],
    ['-007.50', '-7.5'],
    ['00', '0'],
    ['+5', '5'],
    ['5.', '5'],
    ['.5', '0.5'],
    ['-.5', '-0.5'],
    ['+.5', '0.5'],
    ['1e-3', '0.001'],
    ['1E3', '1000'],
    ['1.5945120943859746E9', '1594512094.3859746'],
    ['1e21', '1e+21'],
    ['5e-324', '5e-324'],
    ['1e-400', '0'],
    [' 2.47 ', '2.47'],
    ['\t2.47\r\n', '2.47'],
    ['\u00A02.47', '2.47'],
    ['12345678901234567890123456789012345678901', '1.2345678901234568e+40'],
  ])('reads "%s" as %s', (text, number) => {
    expect(numericText(text)).toBe(number)
  })

  it.each([
    [0, '0'],
    [-0, '0'],
    [2.47, '2.47'],
    [1e21, '1e+21'],
    [Number.MAX_VALUE, '1.7976931348623157e+308'],
    [Number.MIN_VALUE, '5e-324'],
  ])('prints the number %s as %s', (number, text) => {
    expect(numericText(number)).toBe(text)
  })

  it.each([
    '',
    ' ',
    '-',
    '+',
    '.',
    '-.',
    'e5',
    '1e',
    '1e+',
    '1.2.3',
    '1..2',
    '--1',
    '1-2',
    '1 2',
    '1_000',
    '1,5',
    '0x10',
    '0b1',
    '1n',
    '5f',
    'NaN',
    'nan',
    'Infinity',
    '-Infinity',
    'inf',
    '1e999',
    '-1e999',
    '٣',
    '１',
    'true',
    'Active',
    '9'.repeat(400),
  ])('finds no number in "%s"', (text) => {
    expect(numericText(text)).toBeUndefined()
  })

  it.each([
    ['null', null],
    ['undefined', undefined],
    ['true', true],
    ['false', false],
    ['NaN', NaN],
    ['Infinity', Infinity],
    ['-Infinity', -Infinity],
    ['an object', {}],
    ['an array of one number', [5]],
    ['a bigint', 5n],
  ])('finds no number in %s', (_, value) => {
    expect(numericText(value)).toBeUndefined()
  })

  it('agrees with Number and is a number in JSON too, whatever the text', () => {
    const random = seededRandom(1)
    let numbers = 0
    for (let turn = 0; turn < 20_000; turn++) {
      const text = Array.from({length: 1 + Math.floor(random() * 9)}, () => '0123456789..-+eE '[Math.floor(random() * 17)]).join('')
      const found = numericText(text)
      const isNumber = text.trim() !== '' && Number.isFinite(Number(text))
      if (!isNumber) expect(found, text).toBeUndefined()
      else {
        numbers++
        expect((JSON.parse(found ?? 'null') as number) + 0, text).toBe(Number(text) + 0) // a zero's sign may go
      }
    }

    expect(numbers).toBeGreaterThan(1000)
  })
})

describe('numericValue', () => {
  it.each([
    ['2.47', 2.47],
    ['1.59E9', 1_590_000_000],
    [120, 120],
    ['x', undefined],
    [true, undefined],
    [null, undefined],
  ])('reads %s as %s', (value, number) => {
    expect(numericValue(value)).toBe(number)
  })
})

describe('truthiness', () => {
  const FALSY = ['false', '0', '0.0', 'no', 'off', 'f', 'n', '']

  it.each([...FALSY, ...FALSY.map((text) => text.toUpperCase()), 'False', 'oFf', ' no ', '\tfalse\r', '  '])(
    'takes "%s" for false',
    (text) => {
      expect(truthiness(text)).toBe(false)
    },
  )

  it.each(['true', 'True', '1', '1.0', 'yes', 'on', 't', 'y', '120', '-1', 'null', 'none', 'falsey', ' x '])(
    'takes "%s" for true',
    (text) => {
      expect(truthiness(text)).toBe(true)
    },
  )

  it.each([
    [true, true],
    [false, false],
    [1, true],
    [0, false],
    [-0, false],
    [120.5, true],
    [-1, true],
  ])('takes the value %s for %s', (value, isOn) => {
    expect(truthiness(value)).toBe(isOn)
  })

  it.each([
    ['null', null],
    ['an absent value', undefined],
    ['NaN', NaN],
    ['the text NaN', ' NaN '],
    ['an object', {}],
    ['an array', []],
  ])('finds neither in %s', (_, value) => {
    expect(truthiness(value)).toBeUndefined()
  })
})
