import {describe, expect, it} from 'vitest'
import type {FluxTable} from '../../src/lib/format/annotated-csv.ts'
import type {FluxPoint} from '../../src/lib/format/flux-point.ts'
import type {FluxType} from '../../src/lib/format/flux-value.ts'
import type {Line} from '../../src/lib/format/line-protocol.ts'
import {fieldId, fieldReader, normalisedHost, relabel, type RelabelOptions} from '../../src/lib/transforms/relabel.ts'
import {rowsIn} from '../fakes/outcome.ts'
import {somewhere} from '../fakes/raw-message.ts'

const TIME = '2026-01-31T08:00:00.000000001Z'
const NANOSECONDS = '1769846400000000001'
const OPTIONS: RelabelOptions = {
  mode: 'aggregated',
  skipsStrings: false,
  host: 'pod_8',
  bucket: 'telegraf',
  hostMap: new Map([['POD-9', 'nine']]),
  keptTags: undefined,
  sourceTag: undefined,
}

/** A row of a table of its own: its value's type, and its cells by name; those of `loose` differ from row to row. */
function pointOf(type: FluxType, cells: Readonly<Record<string, string>>, loose: readonly string[] = []): FluxPoint {
  const all = {_time: TIME, _measurement: 'cpu', _field: 'usage', ...cells}
  const columns = Object.keys(all).map((name) => ({
    name,
    type: name === '_value' ? type : name === '_time' ? ('dateTime' as const) : ('string' as const),
    isGroupKey: !['_time', '_value', ...loose].includes(name),
  }))
  const table: FluxTable = {result: '_result', number: '0', columns}
  return {table, cell: (column) => Object.values(all)[column]!}
}

const lineOf = (point: FluxPoint, own: Partial<RelabelOptions> = {}): Line => rowsIn(relabel({...OPTIONS, ...own})(point, somewhere))[0]!
const textOf = (point: FluxPoint, own?: Partial<RelabelOptions>) => lineOf(point, own).bytes.toString().trimEnd()
const raw = {mode: 'raw'} as const

describe('in aggregated mode', () => {
  it.each<[type: FluxType, value: string, field: string]>([
    ['double', '12.5', 'value=12.5'],
    ['double', '1e+300', 'value=1e+300'],
    ['long', '-3', 'value=-3'],
    ['unsignedLong', '3', 'value=3'],
    ['boolean', 'true', 'value_boolean=true'],
    ['string', 'say "hi"', 'value_string="say \\"hi\\""'],
    ['string', '', 'value_string=""'],
  ])('a %s %j becomes %s', (type, value, field) => {
    const point = pointOf(type, {_value: value, host: 'POD-8', cpu: 'cpu0'})
    expect(textOf(point)).toBe(`cpu,cpu=cpu0,field=usage,host=pod_8,source_bucket=telegraf ${field} ${NANOSECONDS}`)
  })

  it.each<[type: FluxType, value: string, reason: string]>([
    ['double', '', 'null'],
    ['long', '', 'null'],
    ['boolean', '', 'null'],
    ['double', 'NaN', 'NaN'],
    ['double', '+Inf', 'infinite'],
  ])('a %s %j is left out, as %s', (type, value, reason) => {
    expect(relabel(OPTIONS)(pointOf(type, {_value: value}), somewhere)).toEqual({filtered: reason})
  })

  it.each<[type: FluxType, value: string]>([
    ['string', 'a'],
    ['boolean', 'true'],
  ])('a %s is left out where only numbers are wanted', (type, value) => {
    expect(relabel({...OPTIONS, skipsStrings: true})(pointOf(type, {_value: value}), somewhere)).toEqual({filtered: type})
  })

  it('takes the name of the source for rows without a host', () => {
    for (const cells of [{_value: '1'}, {_value: '1', host: ''}]) expect(textOf(pointOf('double', cells))).toContain('host=pod_8,')
  })

  it('keeps only the tags that are named, and the host', () => {
    const point = pointOf('double', {_value: '1', host: 'POD-9', cpu: 'cpu0', path: '/'})
    expect(textOf(point, {keptTags: new Set(['path'])})).toMatch(/^cpu,field=usage,host=nine,path=\/,source_bucket=telegraf /)
  })

  it('drops what is about the query and not about the point', () => {
    const point = pointOf('double', {_value: '1', _start: TIME, _stop: TIME})
    expect(textOf(point)).toBe(`cpu,field=usage,host=pod_8,source_bucket=telegraf value=1 ${NANOSECONDS}`)
  })
})

describe('in raw mode', () => {
  it.each<[type: FluxType, value: string, field: string]>([
    ['double', '0.1', 'usage=0.1'],
    ['long', '9007199254740993', 'usage=9007199254740993i'],
    ['unsignedLong', '18446744073709551615', 'usage=18446744073709551615u'],
    ['boolean', 'false', 'usage=false'],
    ['string', 'a\nb', 'usage="a\nb"'],
  ])('a %s %s becomes %s, with its tags as they are', (type, value, field) => {
    expect(textOf(pointOf(type, {_value: value, host: 'POD-8'}), raw)).toBe(`cpu,host=POD-8 ${field} ${NANOSECONDS}`)
  })

  it('tells the source in the tag that is named', () => {
    expect(textOf(pointOf('double', {_value: '1'}), {...raw, sourceTag: 'pod'})).toMatch(/^cpu,pod=pod_8 /)
  })

  it('gives fields of one series and time keys of their own', () => {
    const keys = ['a', 'b'].map((field) => lineOf(pointOf('double', {_value: '1', _field: field}), raw).key)
    expect(new Set(keys).size).toBe(2)
  })
})

describe('a row', () => {
  it('of a table with other series has its own', () => {
    const transform = relabel(OPTIONS)
    const points = ['cpu0', 'cpu1', 'cpu0'].map((cpu) => pointOf('double', {_value: '1', cpu}, ['cpu']))
    const {table} = points[0]!
    const texts = points.map(({cell}) => rowsIn(transform({table, cell}, somewhere))[0]!.bytes.toString())
    expect(texts.map((text) => /cpu=(\w+)/.exec(text)![1])).toEqual(['cpu0', 'cpu1', 'cpu0'])
  })

  it.each([
    ['a tag that line protocol cannot carry', {_value: '1', path: 'C:\\'}, 'unwritable tag'],
    ['no time', {_value: '1', _time: ''}, 'bad timestamp'],
    ['a time that cannot be stored', {_value: '1', _time: '1600-01-01T00:00:00Z'}, 'bad timestamp'],
  ])('with %s is refused', (_, cells, reason) => {
    const transform = relabel(OPTIONS)
    for (let time = 0; time < 2; time++)
      expect(() => transform(pointOf('double', cells), somewhere)).toThrow(expect.objectContaining({name: 'DataError', reason}))
  })

  it('without the columns that a point needs makes the query unusable, and not the row', () => {
    const {table, cell} = pointOf('double', {_value: '1'})
    const pivoted = {...table, columns: table.columns.map((column) => (column.name === '_value' ? {...column, name: 'usage'} : column))}
    expect(() => relabel(OPTIONS)({table: pivoted, cell}, somewhere)).toThrow(
      expect.objectContaining({
        name: 'UnavailableError',
        retryable: 'never',
        message: 'the answer to the query for telegraf has no column _value',
      }),
    )
  })

  it('is counted under the field that it is written to', () => {
    const tags = Object.entries({cpu: 'cpu0', field: 'usage', host: 'pod_8', source_bucket: 'telegraf'})
    expect(fieldReader(OPTIONS)(pointOf('double', {_value: '1', cpu: 'cpu0'}))).toBe(fieldId('cpu', tags, 'value'))
    expect(fieldReader({...OPTIONS, ...raw})(pointOf('double', {_value: '1', cpu: 'cpu0'}))).toBe(
      fieldId('cpu', [['cpu', 'cpu0']], 'usage'),
    )
  })
})

it.each([
  ['POD-8', 'pod_8'],
  ['Pod-30-b', 'pod_30_b'],
  ['POD-9', 'nine'],
])('the host %s is called %s', (host, expected) => expect(normalisedHost(host, OPTIONS.hostMap)).toBe(expected))
