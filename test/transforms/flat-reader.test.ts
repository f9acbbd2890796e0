import {describe, expect, it} from 'vitest'
import {createFlatReader} from '../../src/lib/transforms/flat-reader.ts'
import {seededRandom} from '../fakes/random.ts'

const newReader = () => createFlatReader((keys) => keys)

/** What the reader says of `text` after it has learnt from `first`. */
function readAfter(first: string, text: string): readonly string[] | undefined {
  const reader = newReader()
  reader.learn(first, Object.keys(JSON.parse(first) as object))
  return reader.read(text)?.values
}

describe('a flat reader', () => {
  it.each<[what: string, first: string, text: string, values: readonly string[]]>([
    ['numbers and strings', '{"a":1,"b":"x"}', '{"a":-2.50,"b":"y z"}', ['-2.50', '"y z"']],
    ['a string where a number was', '{"a":1}', '{"a":"1"}', ['"1"']],
    ['the blanks of the first message', '{ "a": 1,\n"b" :2 }\n', '{ "a": 3,\n"b" :4 }\n', ['3', '4']],
    ['an exponent', '{"a":1}', '{"a":6.41E-05}', ['6.41E-05']],
    ['text that looks like a key', '{"a":"x","b":1}', '{"a":",:{}","b":2}', ['",:{}"', '2']],
    ['names and text beyond ASCII', '{"ü":"é"}', '{"ü":"漢"}', ['"漢"']],
    ['a name of Object.prototype', '{"__proto__":1,"toString":2}', '{"__proto__":3,"toString":4}', ['3', '4']],
  ])('reads %s', (_, first, text, values) => {
    expect(readAfter(first, text)).toEqual(values)
  })

  it.each([
    ['a message before it has learnt', '[]', '{"a":1}'],
    ['another key', '{"a":1}', '{"b":1}'],
    ['another order', '{"a":1,"b":2}', '{"b":2,"a":1}'],
    ['a key more', '{"a":1}', '{"a":1,"b":2}'],
    ['a key less', '{"a":1,"b":2}', '{"a":1}'],
    ['more blanks', '{"a":1}', '{"a": 1}'],
    ['text behind it', '{"a":1}', '{"a":1}}'],
    ['a message that was cut off', '{"a":1,"b":2}', '{"a":1,"b":2'],
    ['a string that was cut off', '{"a":1}', '{"a":"1'],
    ['an escape', '{"a":"x"}', String.raw`{"a":"\u0041"}`],
    ['a line break in a string', '{"a":"x"}', '{"a":"x\ny"}'],
    ['a leading zero', '{"a":1}', '{"a":01}'],
    ['a point without digits', '{"a":1}', '{"a":1.}'],
    ['a plus', '{"a":1}', '{"a":+1}'],
    ['a number that may be infinite', '{"a":1}', '{"a":1e400}'],
    ['null', '{"a":1}', '{"a":null}'],
    ['a bare NaN', '{"a":1}', '{"a":NaN}'],
    ['an object', '{"a":1}', '{"a":{}}'],
    ['a key that stands there twice', '{"a":1,"a":2}', '{"a":1,"a":2}'],
    ['integers as keys, which objects list first', '{"b":1,"7":2}', '{"b":1,"7":2}'],
    ['keys with escapes', String.raw`{"\u0061":1}`, String.raw`{"\u0061":1}`],
    ['what is no object', '[{"a":1}]', '[{"a":1}]'],
    ['no key at all', '{}', '{}'],
  ])('leaves to the parser: %s', (_, first, text) => {
    expect(readAfter(first, text)).toBeUndefined()
  })

  it('leaves keys to the parser for which there are no columns', () => {
    const reader = createFlatReader((keys) => (keys.includes(' a') ? undefined : keys))
    reader.learn('{" a":1}', [' a'])
    expect(reader.read('{" a":1}')).toBeUndefined()
  })

  it('learns another layout when the one it knows is of no more use', () => {
    const reader = newReader()
    const read = (text: string) => {
      const found = reader.read(text)
      if (!found) reader.learn(text, Object.keys(JSON.parse(text) as object))
      return found !== undefined
    }
    const shares = ['{"a":1}', '{"b":1}', '{"c":1}'].map((text) => Array.from({length: 100}, () => read(text)).filter(Boolean).length)
    expect(Math.min(...shares)).toBeGreaterThanOrEqual(80)
    const alternating = Array.from({length: 100}, (_, index) => read(index % 2 === 0 ? '{"a":1}' : '{"b":1}')).filter(Boolean)
    expect(alternating.length).toBeGreaterThanOrEqual(40)
  })

  it('seldom tries to learn from messages that it can never read', () => {
    let attempts = 0
    const reader = createFlatReader((keys) => {
      attempts++
      return keys
    })
    for (let count = 0; count < 10_000; count++) reader.learn('{"a":null}', ['a'])
    expect(attempts).toBeLessThan(25)
  })

  it('never differs from JSON.parse, for 100,000 messages of changing layouts and random damage', () => {
    const random = seededRandom(20_151_228)
    const pick = <T>(choices: readonly T[]) => choices[Math.floor(random() * choices.length)]!
    const scalar = () =>
      pick([
        '1',
        '0',
        '-0',
        '12.50',
        '1e5',
        '2E-7',
        '1e99',
        '1e100',
        '-3.25',
        '"x"',
        '""',
        '"1.5"',
        '"a b"',
        String.raw`"\\"`,
        'null',
        'true',
        '{}',
      ])
    const plainScalar = () => pick(['1', '0', '12.50', '-3.25', '"x"', '""', '"1.5"'])
    const damage = (text: string) => {
      const at = Math.floor(random() * text.length)
      return text.slice(0, at) + pick(['', '0', '.', '-', 'e', '"', '\\', ',', '}', ' ', '\n', '\0']) + text.slice(at + pick([0, 1]))
    }
    const reader = newReader()
    let [readCount, keys, separator] = [0, ['a'], ',']
    for (let count = 0; count < 100_000; count++) {
      if (random() < 0.01) {
        keys = ['a', 'b', 'b b', 'ü', ...(random() < 0.2 ? ['a', '1'] : [])].filter(() => random() < 0.7)
        separator = pick([',', ', ', ' ,\n'])
      }

      const value = random() < 0.8 ? plainScalar : scalar
      const whole = `{${keys.map((key) => `"${key}":${value()}`).join(separator)}}`
      const text = random() < 0.3 ? damage(whole) : whole
      const found = reader.read(text)
      if (found) {
        readCount++
        const parsed = JSON.parse(text) as Record<string, unknown>
        expect(found.columns).toEqual(Object.keys(parsed))
        expect(found.values.map((each) => JSON.parse(each) as unknown)).toEqual(Object.values(parsed))
      } else {
        try {
          reader.learn(text, Object.keys(JSON.parse(text) as object))
        } catch (error) {
          if (!(error instanceof SyntaxError)) throw error
        }
      }
    }

    expect(readCount).toBeGreaterThan(20_000)
  })
})
