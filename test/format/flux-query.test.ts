import {describe, expect, it} from 'vitest'
import {type FluxQuery, fluxRequest, fluxString, timeOfTemplate} from '../../src/lib/format/flux-query.ts'

const RANGE = {start: Date.UTC(2026, 0, 31, 8), stop: Date.UTC(2026, 0, 31, 8, 5)}
const QUERY: FluxQuery = {
  template: undefined,
  measurements: [],
  excludedFields: [],
  mode: 'aggregated',
  everyMilliseconds: 60_000,
  fn: 'mean',
  strings: 'last',
  timeLabel: 'stop',
  keptTags: undefined,
}
const fluxOf = (own: Partial<FluxQuery>, bucket = 'telegraf', range = RANGE) => fluxRequest({...QUERY, ...own}, bucket, range).flux

describe('a template', () => {
  it.each([
    ['from(bucket: "{{ bucket }}")', 'from(bucket: "telegraf")'],
    ['range(start: -{{ minutes }}m)', 'range(start: -5m)'],
    ['range(start: {{ start }}, stop: {{ stop }})', 'range(start: 2026-01-31T08:00:00.000Z, stop: 2026-01-31T08:05:00.000Z)'],
    ['aggregateWindow(every: {{ every }}, fn: {{ fn }})', 'aggregateWindow(every: 1m, fn: mean)'],
    ['{{bucket}} {{  bucket  }}', 'telegraf telegraf'],
    ['map(fn: (r) => ({r with a: {b: 1}}))', 'map(fn: (r) => ({r with a: {b: 1}}))'],
  ])('%s becomes %s', (template, expected) => expect(fluxOf({template})).toBe(expected))

  it('is about the time before the end of its range', () => {
    expect(fluxRequest({...QUERY, template: 'range(start: -{{ minutes }}m)'}, 'b', RANGE).now).toBe(RANGE.stop)
  })

  it('cannot be broken out of by the name of a bucket', () => {
    expect(fluxOf({template: 'from(bucket: "{{ bucket }}")'}, 'a"b\\c${d}')).toBe('from(bucket: "a\\"b\\\\c\\${d}")')
  })

  it('takes the text of a bucket as it is, also where it looks like a pattern of replacement', () => {
    expect(fluxOf({template: '"{{ bucket }}"'}, '$& $1')).toBe('"$& $1"')
  })

  it.each([
    ['range(start: {{ start }}, stop: {{ stop }})', 'range'],
    ['range(start: -{{ minutes }}m)', 'minutes'],
    ['range(start: -5m)', 'fixed'],
  ])('%s names its time by %s', (template, expected) => expect(timeOfTemplate(template)).toBe(expected))

  it('with a placeholder that has no meaning is refused', () => {
    expect(() => timeOfTemplate('{{ buckets }}')).toThrow('"{{ buckets }}" stands for nothing')
  })
})

describe('a query that is made', () => {
  it('asks for the mean of numbers only, and for the last of the others', () => {
    expect(fluxOf({measurements: ['cpu', 'me"m'], excludedFields: ['chair_section']})).toBe(`import "types"

points = from(bucket: "telegraf")
  |> range(start: 2026-01-31T08:00:00.000Z, stop: 2026-01-31T08:05:00.000Z)
  |> filter(fn: (r) => r._measurement == "cpu" or r._measurement == "me\\"m")
  |> filter(fn: (r) => r._field != "chair_section")

points
  |> filter(fn: (r) => types.isNumeric(v: r._value))
  |> aggregateWindow(every: 1m, fn: mean, createEmpty: false)
  |> drop(columns: ["_start", "_stop"])
  |> yield(name: "0")

points
  |> filter(fn: (r) => types.isType(v: r._value, type: "string") or types.isType(v: r._value, type: "bool"))
  |> aggregateWindow(every: 1m, fn: last, createEmpty: false)
  |> drop(columns: ["_start", "_stop"])
  |> yield(name: "1")`)
  })

  it('copies points as they are in raw mode', () => {
    expect(fluxOf({mode: 'raw'})).toBe(`from(bucket: "telegraf")
  |> range(start: 2026-01-31T08:00:00.000Z, stop: 2026-01-31T08:05:00.000Z)
  |> drop(columns: ["_start", "_stop"])`)
  })

  it.each<[own: Partial<FluxQuery>, part: string, isIn: boolean]>([
    [{strings: 'skip'}, 'isType', false],
    [{strings: 'keep'}, 'fn: last', false],
    [{strings: 'keep'}, 'isType', true],
    [{timeLabel: 'start'}, 'timeSrc: "_start"', true],
    [{everyMilliseconds: 90_000, fn: 'max'}, 'every: 90s, fn: max', true],
    [{everyMilliseconds: 1500}, 'every: 1500ms', true],
    [{keptTags: ['cpu', 'host']}, 'group(columns: ["_measurement", "_field", "host", "cpu"])', true],
    [{keptTags: []}, 'toFloat()', true],
  ])('of %j has "%s": %s', (own, part, isIn) => expect(fluxOf(own).includes(part)).toBe(isIn))

  it('that groups never puts texts and booleans into one group', () => {
    expect(fluxOf({keptTags: []}).match(/yield/g)).toHaveLength(3)
  })
})

it('a text is between quotes of Flux', () => expect(fluxString('a"\n')).toBe('"a\\"\\n"'))
