import {describe, expect, it} from 'vitest'
import {type FluxType, fluxValueOf} from '../../src/lib/format/flux-value.ts'

describe('the value of a cell', () => {
  it.each<[type: FluxType, text: string, value: unknown]>([
    ['string', 'a,b', 'a,b'],
    ['string', '1', '1'],
    ['string', '', ''],
    ['long', '9223372036854775807', 9_223_372_036_854_775_807n],
    ['long', '-9223372036854775808', -9_223_372_036_854_775_808n],
    ['long', '9007199254740993', 9_007_199_254_740_993n],
    ['unsignedLong', '18446744073709551615', 18_446_744_073_709_551_615n],
    ['double', '1.5', 1.5],
    ['double', '-0.1', -0.1],
    ['double', '100000000000000000000000', 1e23],
    ['double', `0.${'0'.repeat(323)}5`, 5e-324],
    ['double', '1e21', 1e21],
    ['double', 'NaN', NaN],
    ['double', '+Inf', Infinity],
    ['double', '-Inf', -Infinity],
    ['boolean', 'true', true],
    ['boolean', 'false', false],
    ['dateTime', '2020-01-01T00:00:00Z', 1_577_836_800_000_000_000n],
    ['dateTime', '2020-01-01T00:00:00.123456789Z', 1_577_836_800_123_456_789n],
    ['dateTime', '1969-12-31T23:59:59.999999999Z', -1n],
    ['dateTime', '1677-09-21T00:12:43.145224192Z', -(2n ** 63n)],
    ['dateTime', '2262-04-11T23:47:16.854775807Z', 2n ** 63n - 1n],
    ['duration', '1mo2h', '1mo2h'],
    ['base64Binary', 'AAH/+g==', Buffer.from([0, 1, 255, 250])],
  ])('of type %s, "%s", is %s', (type, text, value) => {
    expect(fluxValueOf(text, type)).toEqual(value)
  })

  it.each<FluxType>(['long', 'unsignedLong', 'double', 'boolean', 'dateTime', 'duration', 'base64Binary'])(
    'of type %s is none when the cell is empty',
    (type) => {
      expect(fluxValueOf('', type)).toBeUndefined()
    },
  )

  it.each<[type: FluxType, text: string]>([
    ['long', '1.5'],
    ['long', '1e3'],
    ['long', ' 1'],
    ['unsignedLong', '-1'],
    ['double', 'x'],
    ['double', '1.2.3'],
    ['double', '0x10'],
    ['double', 'Infinity'],
    ['double', 'constructor'],
    ['boolean', 'TRUE'],
    ['dateTime', '2020-01-01'],
    ['dateTime', '2020-01-01T00:00:00'],
    ['dateTime', '2020-01-01T00:00:00.1234567890Z'],
    ['dateTime', '2020-13-01T00:00:00Z'],
    ['dateTime', '1577836800000000000'],
    ['base64Binary', 'not base64'],
  ])('of type %s is never made of "%s"', (type, text) => {
    expect(() => fluxValueOf(text, type)).toThrow(new RangeError(`"${text}" is no ${type}`))
  })
})
