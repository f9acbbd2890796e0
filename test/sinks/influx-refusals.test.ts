import {describe, expect, it} from 'vitest'
import type {Line} from '../../src/lib/format/line-protocol.ts'
import {encodePoint, type FieldValue} from '../../src/lib/format/line-protocol.ts'
import {explainParseErrors, explainPartialWrite} from '../../src/lib/sinks/influx-refusals.ts'

const HOUR = 3_600_000_000_000n
const WEEK = 168n * HOUR
/** A Monday, when a week's shard begins. */
const MONDAY = BigInt(Date.UTC(2026, 0, 5)) * 1_000_000n

describe('a message about lines that cannot be parsed', () => {
  it('refuses the lines that it quotes, each with its reason', () => {
    const lines = ['m f=1 1', 'm f= 2', 'm f=NaN 3', 'm f=4 4'].map(lineOf)
    expect(parseVerdicts(lines, "unable to parse 'm f= 2': missing field value\nunable to parse 'm f=NaN 3': invalid number")).toEqual([
      [[1], 'missing field value'],
      [[2], 'invalid number'],
    ])
  })

  it('refuses all lines that read the same, once', () => {
    const lines = ['m f= 2', 'm f=1 1', 'm f= 2'].map(lineOf)
    const message = "unable to parse 'm f= 2': missing field value\nunable to parse 'm f= 2': missing field value"
    expect(parseVerdicts(lines, message)).toEqual([[[0, 2], 'missing field value']])
  })

  it('finds a line that holds what ends a quotation', () => {
    const lines = [lineOf(`m f="it's ': odd",g= 1`), lineOf('m f="it\'s'), lineOf('m f=1 2')]
    expect(parseVerdicts(lines, `unable to parse 'm f="it's ': odd",g= 1': missing field value`)).toEqual([[[0], 'missing field value']])
  })

  it('finds a reason that holds what ends a quotation', () => {
    expect(parseVerdicts([lineOf('m f=1 x')], "unable to parse 'm f=1 x': bad 'x': no time")).toEqual([[[0], "bad 'x': no time"]])
  })

  it.each([
    ['of a line that is none of ours', "unable to parse 'n f= 1': missing field value"],
    ['that quotes only a part of a line', "unable to parse 'm f=1': missing timestamp"],
    ['that quotes nothing', 'unable to parse the body'],
  ])('explains nothing %s', (_, message) => {
    expect(parseVerdicts([lineOf('m f=1 1')], message)).toEqual([])
  })
})

describe('a message about a field of another type', () => {
  const conflict = (given: string, existing: string, field = 'f', measurement = 'm') =>
    `failure writing points to database: partial write: field type conflict: input field "${field}" on measurement "${measurement}" is type ${given}, already exists as type ${existing} dropped=1`

  it('sends the lines again that may be meant, alone, one group a shard', () => {
    const lines = [
      point({f: 'x'}, MONDAY),
      point({f: 1}, MONDAY + 1n),
      point({f: 'y'}, MONDAY + WEEK),
      point({g: 'x'}, MONDAY + 2n),
      point({f: 'z'}, MONDAY + WEEK - 1n),
      point({f: 'x'}, MONDAY, 'n'),
    ]
    expect(groups(lines, conflict('string', 'float'))).toEqual([{rows: [0, 4]}, {rows: [2]}])
  })

  it('refuses them when they were alone, and in one shard', () => {
    const lines = [point({f: 'x'}, MONDAY), point({f: 'y', g: 1}, MONDAY + 1n)]
    expect(groups(lines, conflict('string', 'float'))).toEqual([
      {rows: [0, 1], reason: 'type conflict', message: 'field "f" of "m" is string here and float in the bucket'},
    ])
  })

  it.each([
    ['before 1970', -WEEK],
    ['in 1970', 0n],
    ['today', MONDAY],
  ])('knows where a shard begins %s, as the server counts from the year 1', (_, time) => {
    const start = ((time + 719_162n * 24n * HOUR) / WEEK) * WEEK - 719_162n * 24n * HOUR
    const lines = [start - 1n, start, start + WEEK - 1n, start + WEEK].map((each) => point({f: 'x'}, each))
    expect(groups(lines, conflict('string', 'float'))).toEqual([{rows: [0]}, {rows: [1, 2]}, {rows: [3]}])
    expect(new Date(Number(MONDAY / 1_000_000n)).getUTCDay()).toBe(1)
  })

  it.each<[string, FieldValue]>([
    ['float', 1.5],
    ['integer', 1n],
    ['boolean', true],
    ['string', 't'],
  ])('means only lines whose field is %s', (given, value) => {
    const others = ([1.5, 1n, true, 't'] as FieldValue[]).filter((other) => other !== value).map((other) => point({f: other}))
    const existing = given === 'float' ? 'integer' : 'float'
    expect(groups([...others, point({f: value})], conflict(given, existing))).toEqual([{rows: [3]}])
  })

  it.each([
    ['a space', 'g h', 'g h'],
    ['another script', 'Füllstand', 'Füllstand'],
    ['a quote', 'q"x', 'q\\"x'],
    ['a backslash', 'q\\x', 'q\\\\x'],
  ])('knows a field whose name has %s', (_, field, quoted) => {
    expect(groups([point({[field]: 'x'}), point({f: 1})], conflict('string', 'float', quoted))).toEqual([{rows: [0]}])
  })

  it('knows a measurement whose name has a space and a comma', () => {
    expect(groups([point({f: 'x'}, MONDAY, 'a b,c'), point({f: 'x'})], conflict('string', 'float', 'f', 'a b,c'))).toEqual([{rows: [0]}])
  })

  it('explains nothing when no line can be meant', () => {
    expect(groups([point({f: 1})], conflict('string', 'float'))).toEqual([])
  })

  describe('when numbers are to be coerced', () => {
    it.each([
      ['3i', 'integer', 'float', '3'],
      ['-3i', 'integer', 'float', '-3'],
      ['9007199254740991i', 'integer', 'float', '9007199254740991'],
      ['7u', 'unsigned', 'float', '7'],
      ['5', 'float', 'integer', '5i'],
      ['-5', 'float', 'integer', '-5i'],
      ['1e3', 'float', 'integer', '1000i'],
      ['1.5e3', 'float', 'integer', '1500i'],
      ['1e+17', 'float', 'integer', '100000000000000000i'],
      ['5.0', 'float', 'integer', '5i'],
      ['5', 'float', 'unsigned', '5u'],
      ['7u', 'unsigned', 'integer', '7i'],
      ['7i', 'integer', 'unsigned', '7u'],
      ['9007199254740992', 'float', 'integer', '9007199254740992i'],
      ['9007199254740993', 'float', 'integer', '9007199254740993i'],
      ['9007199254740993.0', 'float', 'integer', '9007199254740993i'],
      ['9223372036854775807', 'float', 'integer', '9223372036854775807i'],
      ['-9223372036854775808', 'float', 'integer', '-9223372036854775808i'],
      ['18446744073709551615', 'float', 'unsigned', '18446744073709551615u'],
      ['9007199254740992i', 'integer', 'float', '9007199254740992'],
      ['-0', 'float', 'unsigned', '0u'],
    ])('makes %s (%s) one of type %s: %s', (value, given, existing, coerced) => {
      const [group] = coercions([lineOf(`m,t=a f=${value},g=1 5`)], conflict(given, existing))
      expect(group).toEqual({rows: [0], replacements: [`m,t=a f=${coerced},g=1 5`]})
    })

    it.each([
      ['1.5', 'float', 'integer'],
      ['1e300', 'float', 'integer'],
      ['1e19', 'float', 'integer'],
      ['1.5e0', 'float', 'integer'],
      ['15e-1', 'float', 'integer'],
      ['1.00000000000000000001', 'float', 'integer'],
      ['9223372036854775808', 'float', 'integer'],
      ['-9223372036854775809', 'float', 'integer'],
      ['18446744073709551616', 'float', 'unsigned'],
      ['-5', 'float', 'unsigned'],
      ['-5i', 'integer', 'unsigned'],
      ['9007199254740993i', 'integer', 'float'],
      ['18446744073709551615u', 'unsigned', 'float'],
      ['18446744073709551615u', 'unsigned', 'integer'],
      ['true', 'boolean', 'float'],
      ['t', 'boolean', 'integer'],
      ['"5"', 'string', 'float'],
      ['5', 'float', 'string'],
      ['5', 'float', 'boolean'],
    ])('refuses %s (%s) where the type is %s, because it would not be the same', (value, given, existing) => {
      const [kept, lost] = coercions([lineOf(`m f=${value} 5`)], conflict(given, existing))
      expect(kept).toEqual({rows: [], replacements: []})
      expect(lost).toMatchObject({rows: [0], reason: 'type conflict'})
    })

    it('say of what they refuse that it cannot be converted without loss', () => {
      const options = {shardNanoseconds: WEEK, onTypeConflict: 'coerce'} as const
      const [, lost] = explainPartialWrite([point({f: 1.5})], conflict('float', 'integer'), options)
      expect(lost!.refused!.message).toBe('field "f" of "m" is float here and integer in the bucket, and cannot be converted without loss')
    })

    it('coerces what it can, refuses the others, and leaves key and time as they are', () => {
      const lines = [point({f: 1}, 1n), point({f: 1.5}, 2n), point({f: 3}, 3n)]
      const [kept, lost] = explainPartialWrite(lines, conflict('float', 'integer'), {shardNanoseconds: WEEK, onTypeConflict: 'coerce'})
      expect(kept!.rows).toEqual([0, 2])
      expect([...kept!.replacements!].map(([index, line]) => [index, textOf(line), line.key])).toEqual([
        [0, 'm f=1i 1', lines[0]!.key],
        [2, 'm f=3i 3', lines[2]!.key],
      ])
      expect(lost).toMatchObject({rows: [1], refused: {reason: 'type conflict'}})
    })

    it('first sends lines again that share a batch with innocent ones', () => {
      expect(coercions([point({f: 1}), point({g: 1})], conflict('float', 'integer'))).toEqual([{rows: [0]}])
    })
  })
})

describe('a message about points outside retention', () => {
  const bound = '2026-01-05T00:00:00.123456789Z'
  const retention = (side: string) =>
    `failure writing points to database: partial write: dropped 2 points outside retention policy of duration 1h0m0s - oldest point m at 2020-09-13T12:26:40.000000001Z dropped because it violates a Retention Policy ${side} Bound at ${bound}, newest point m at 2023-11-14T22:13:20.000000001Z dropped because it violates a Retention Policy ${side} Bound at ${bound} dropped=2 for database: b7b578a86351e3f2 for retention policy: autogen`
  const milliseconds = (fraction: bigint) => MONDAY + fraction * 1_000_000n

  it('refuses the points before the lower bound; those of its millisecond are judged alone', () => {
    const lines = [milliseconds(122n), milliseconds(123n) - 1n, milliseconds(123n), milliseconds(124n)].map((time) => point({f: 1}, time))
    expect(groups(lines, retention('Lower'))).toEqual([
      {rows: [0, 1], reason: 'outside retention', message: 'the bucket keeps 1h0m0s, and the point lies outside'},
    ])
  })

  it('refuses the points after the upper bound; those of its millisecond are judged alone', () => {
    const lines = [milliseconds(123n), milliseconds(124n) - 1n, milliseconds(124n), milliseconds(125n)].map((time) => point({f: 1}, time))
    expect(groups(lines, retention('Upper'))).toMatchObject([{rows: [2, 3], reason: 'outside retention'}])
  })
})

it.each([
  ['a field called time', 'partial write: invalid field name: input field "time" on measurement "m" is invalid dropped=1'],
  ['retention in the words of an older server', 'partial write: points beyond retention policy dropped=1'],
  ['anything else', 'the moon is full'],
])('a message about %s explains nothing, so that the batch is divided', (_, message) => {
  expect(groups([point({f: 1}), point({f: 2})], message)).toEqual([])
})

const lineOf = (text: string): Line => ({bytes: Buffer.from(`${text}\n`), key: 0})
const textOf = ({bytes}: Line) => bytes.toString().trimEnd()

function point(fields: Record<string, FieldValue>, time = MONDAY, measurement = 'm'): Line {
  return encodePoint({measurement, tags: {}, fields, time})
}

function parseVerdicts(lines: readonly Line[], message: string) {
  return explainParseErrors(lines, message).map(({rows, refused}) => {
    expect(refused?.reason).toBe('unparsable line')
    return [rows, refused?.message]
  })
}

function groups(lines: readonly Line[], message: string) {
  return explainPartialWrite(lines, message, {shardNanoseconds: WEEK, onTypeConflict: 'reject'}).map(({rows, refused}) =>
    refused ? {rows, reason: refused.reason, message: refused.message} : {rows},
  )
}

function coercions(lines: readonly Line[], message: string) {
  return explainPartialWrite(lines, message, {shardNanoseconds: WEEK, onTypeConflict: 'coerce'}).map(({rows, refused, replacements}) => ({
    rows,
    ...(refused ? {reason: refused.reason} : {}),
    ...(replacements ? {replacements: [...replacements.values()].map(textOf)} : {}),
  }))
}
