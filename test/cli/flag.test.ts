import {describe, expect, it} from 'vitest'
import {
  duration,
  httpUrl,
  integer,
  listFlag,
  oneOf,
  size,
  someDuration,
  text,
  toggleFlag,
  toSetting,
  valueFlag,
} from '../../src/lib/cli/flag.ts'

const plain = {summary: 'a flag'}

describe('a flag with a value', () => {
  it('has its default as text, and is undefined where there is none', () => {
    expect(toSetting('pause', valueFlag(duration, {...plain, fallback: '2s'})).fallback).toBe('2s')
    expect(valueFlag(duration, plain).rules.decode(undefined)).toBeUndefined()
  })

  it('takes one value: of a list it takes none', () => {
    const {decode} = valueFlag(text, plain).rules
    expect(decode(['a'])).toBe('a')
    expect(() => decode(['a', 'b'])).toThrow('expected one value')
    expect(() => toggleFlag(plain).rules.decode(['true', 'false'])).toThrow('expected one value')
  })
})

describe('a flag that may be repeated', () => {
  it('has all of its values, decoded, and none where nobody gave one', () => {
    const {decode} = listFlag(integer({min: 0}), plain).rules
    expect(decode(['3', '1', '2'])).toEqual([3, 1, 2])
    expect(decode(undefined)).toEqual([])
    expect(() => decode(['3', 'x'])).toThrow('expected a whole number')
  })
})

describe('a flag that is on or off', () => {
  const {decode} = toggleFlag(plain).rules
  it.each(['true', 'TRUE', '1', 'yes', 'Yes', 'on', ' on '])('is on by %j', (given) => {
    expect(decode([given])).toBe(true)
  })

  it.each(['false', 'FALSE', '0', 'no', 'No', 'off', ' off '])('is off by %j', (given) => {
    expect(decode([given])).toBe(false)
  })

  it.each(['maybe', '2', 'y', 'n', 'truee', 'null', ' '])('is neither by %j', (given) => {
    expect(() => decode([given])).toThrow('expected true or false')
  })

  it('can be switched off by --no- only where it is on by default', () => {
    const [on, off] = [toggleFlag({...plain, isOnByDefault: true}), toggleFlag(plain)]
    expect([on, off].map((flag) => 'allowNo' in flag && flag.allowNo)).toEqual([true, false])
    expect([on, off].map((flag) => toSetting('x', flag).fallback)).toEqual(['true', 'false'])
  })
})

describe('the setting of a flag', () => {
  it('has its name, aliases and variables', () => {
    const flag = valueFlag(text, {...plain, aliases: ['bootstrap'], variables: ['KAFKA_BROKER'], fallback: 'localhost:9092'})
    expect(toSetting('broker', flag)).toEqual({
      name: 'broker',
      aliases: ['bootstrap'],
      variables: ['KAFKA_BROKER'],
      isRepeatable: false,
      fallback: 'localhost:9092',
    })
  })

  it('is repeatable for a list alone', () => {
    expect([valueFlag(text, plain), listFlag(text, plain), toggleFlag(plain)].map((flag) => toSetting('x', flag).isRepeatable)).toEqual([
      false,
      true,
      false,
    ])
  })
})

describe('a choice', () => {
  const choose = oneOf(['plain', 'scram-sha-256', 'scram-sha-512'])
  it.each([
    ['plain', 'plain'],
    ['PLAIN', 'plain'],
    ['SCRAM-SHA-512', 'scram-sha-512'],
  ])('by %s is %s', (given, choice) => {
    expect(choose(given)).toBe(choice)
  })

  it.each(['scram', '', 'plain,plain', 'constructor'])('by %j is an error that names all of them', (given) => {
    expect(() => choose(given)).toThrow('expected plain, scram-sha-256 or scram-sha-512')
  })

  it('between two names both', () => {
    expect(() => oneOf(['kafka', '-'])('x')).toThrow('expected kafka or -')
  })
})

describe('a whole number', () => {
  const port = integer({min: 1, max: 65_535})
  it.each([
    ['1', 1],
    ['65535', 65_535],
    ['0080', 80],
    [' 80 ', 80],
  ])('%j is %i', (given, value) => {
    expect(port(given)).toBe(value)
  })

  it.each(['0', '65536', '-1', '+1', '1.0', '1e3', '0x50', '80,443', '', ' ', 'many'])('%j is out of range or none', (given) => {
    expect(() => port(given)).toThrow('expected a whole number from 1 to 65535')
  })

  it('without a greatest is exact, or an error', () => {
    const count = integer({min: 3})
    expect(count('9007199254740991')).toBe(Number.MAX_SAFE_INTEGER)
    expect(() => count('9007199254740993')).toThrow('expected a whole number from 3 on')
  })
})

describe('durations, sizes and addresses', () => {
  it('have units, and a bare number means seconds or bytes', () => {
    expect([' 2s ', '30', '500ms', '1h30m', '0'].map(duration)).toEqual([2000, 30_000, 500, 5_400_000, 0])
    expect([' 512KB ', '10MB', '1GiB', '7'].map(size)).toEqual([512_000, 10_000_000, 2 ** 30, 7])
    expect(httpUrl('https://influx.example:8086/base').host).toBe('influx.example:8086')
  })

  it.each(['soon', '-1s', '5 minutes', '1,5s', ''])('%j is no duration', (given) => {
    expect(() => duration(given)).toThrow('expected a duration such as 500ms, 2s, 5m, 1h or 30d')
  })

  it('may be none at all only where that makes sense', () => {
    expect([' 2s ', '1ms'].map(someDuration)).toEqual([2000, 1])
    for (const none of ['0', '0s', '0.0', '0h0m']) expect(() => someDuration(none)).toThrow('expected a duration above 0, such as')
    expect(() => someDuration('soon')).toThrow('expected a duration such as 500ms')
  })

  it.each(['0', '0MB', 'big', '-1', '10XB', ''])('%j is no size', (given) => {
    expect(() => size(given)).toThrow('expected a size such as 512KB or 10MB')
  })

  it.each(['localhost:8086', 'influx', 'ftp://host', '//host', ''])('%j is no address', (given) => {
    expect(() => httpUrl(given)).toThrow('expected an address such as http://localhost:8086')
  })
})
