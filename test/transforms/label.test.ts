import {describe, expect, it} from 'vitest'
import {normaliseLabel} from '../../src/lib/transforms/label.ts'

describe('normaliseLabel', () => {
  it.each(['Normal', 'normal', 'NORMAL', ' Normal ', 'N ormal', '\tNormal\r\n', '0', '0.0', ' 0 ', 0, -0])(
    'takes "%s" for Normal',
    (value) => {
      expect(normaliseLabel(value)).toBe('Normal')
    },
  )

  it.each(['Attack', 'attack', 'ATTACK', ' Attack', 'A ttack', 'A t t a c k', 'A\u00A0ttack', '1', '1.0', ' 1', 1])(
    'takes "%s" for Attack',
    (value) => {
      expect(normaliseLabel(value)).toBe('Attack')
    },
  )

  it.each(['', ' ', 'Norm', 'Normal1', 'Attacks', 'Not Attack', 'NaN', 'true', '2', '-1', '00', 'constructor', 2, 0.5, NaN])(
    'never guesses what "%s" means',
    (value) => {
      expect(normaliseLabel(value)).toBeUndefined()
    },
  )

  it.each([
    ['null', null],
    ['an absent value', undefined],
    ['a boolean', true],
    ['an array of one label', ['Attack']],
    ['an object', {}],
  ])('never guesses what %s means', (_, value) => {
    expect(normaliseLabel(value)).toBeUndefined()
  })
})
