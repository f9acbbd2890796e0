import {describe, expect, it} from 'vitest'
import {redactJson} from '../../src/lib/format/redact-json.ts'
import {redactor} from '../../src/lib/format/redact.ts'

const masked = (value: unknown, ...secrets: readonly string[]) =>
  JSON.parse(redactJson(JSON.stringify(value), redactor(secrets))) as unknown

describe('redactJson', () => {
  it.each<[secret: string, value: unknown, shown: unknown]>([
    ['S3cret', {a: 'the S3cret', list: ['S3cret', {S3cret: 'x'}]}, {a: 'the ***', list: ['***', {'***': 'x'}]}],
    ['say "it"\\', {a: 'say "it"\\', b: '{"nested":"say \\"it\\"\\\\"}'}, {a: '***', b: '{"nested":"***"}'}],
    ['n1234', {a: '\n1234', b: 'n1234'}, {a: '\n1234', b: '***'}],
    ['","b":"', {a: 'x', b: 'y'}, {a: 'x', b: 'y'}],
  ])('masks %j in strings', (secret, value, shown) => {
    expect(masked(value, secret)).toEqual(shown)
  })

  it.each(['true', 'null', '1234', '-1.5e3'])('leaves it JSON although a secret looks like %s', (secret) => {
    const value = {ok: true, none: null, count: 1234, big: -1500, text: `x ${secret}`}
    expect(masked(value, secret)).toEqual({...value, text: 'x ***'})
  })

  it('keeps integers of any size, and the order and white space of everything', () => {
    const json = '{ "b": 18446744073709551616, "a": "\\u00e9\\ud83d" }'
    expect(redactJson(json, (text) => text)).toBe('{ "b": 18446744073709551616, "a": "é\\ud83d" }')
  })
})
