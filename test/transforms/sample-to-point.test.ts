import {describe, expect, it} from 'vitest'
import type {AnsweredPoint} from '../../src/lib/format/prometheus-answer.ts'
import type {QueriedSeries} from '../../src/lib/format/prometheus-sample.ts'
import {SAMPLE_CHECKS, type SampleCheck, sampleToPoint, type SampleToPointOptions} from '../../src/lib/transforms/sample-to-point.ts'
import {rowsIn} from '../fakes/outcome.ts'
import {somewhere} from '../fakes/raw-message.ts'

const AT = 1_795_457_019.071
const TIME = '1795457019071000000'
const NOW = 1_795_457_020_000

interface Given extends Partial<Omit<QueriedSeries, 'query'>> {
  readonly name?: string
  readonly expression?: string
}

function seriesOf({name, expression = 'm', ...own}: Given = {}): QueriedSeries {
  return {labels: {__name__: 'm'}, isText: false, server: undefined, cycle: undefined, query: {name, expression}, ...own}
}

function points(own: Partial<SampleToPointOptions> = {}) {
  const transform = sampleToPoint({
    fallbackMeasurement: undefined,
    validMetrics: new Set(),
    valueRanges: new Map(),
    skippedChecks: new Set(),
    tagInclude: undefined,
    tagExclude: new Set(),
    tags: {},
    serverTag: 'server',
    now: () => NOW,
    ...own,
  })
  /** A line, or why there is none. */
  return (given: Given = {}, [seconds, measured]: AnsweredPoint = [AT, '1']): string => {
    const outcome = transform({series: seriesOf(given), seconds, measured}, somewhere)
    if ('filtered' in outcome) return outcome.filtered
    const lines = rowsIn(outcome).map(({bytes}) => bytes.toString())
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(/ \d+\n$|-\d+\n$/)
    return lines[0]!.trimEnd()
  }
}

const outcomeOf = (given: Given = {}, point: AnsweredPoint = [AT, '1'], own: Partial<SampleToPointOptions> = {}) =>
  points(own)(given, point)
/** Measurement and tags. */
const headOf = (given: Given, own: Partial<SampleToPointOptions> = {}) => outcomeOf(given, [AT, '1'], own).replace(` value=1 ${TIME}`, '')
const without = (...checks: SampleCheck[]) => ({skippedChecks: new Set(checks)})
const valued = (value: unknown): AnsweredPoint => [AT, value as string]
const at = (seconds: unknown): AnsweredPoint => [seconds as number, '1']
const letter = (reason: string): unknown => expect.objectContaining({name: 'DataError', reason})

describe('a sample', () => {
  it('is a point of its metric with its labels, its value and its time', () => {
    const labels = {__name__: 'http_requests_total', handler: '/a b', code: '200'}
    expect(outcomeOf({labels}, [AT, '17.5'])).toBe(String.raw`http_requests_total,code=200,handler=/a\ b value=17.5 ${TIME}`)
  })

  it.each(['0', '-0', '1', '-1.5', '1e-07', '1.5e+06', '1.5e+21', '5e-324', '0.30000000000000004', '123456789012345678901', '1E5'])(
    'keeps the digits of the server: %s',
    (value) => {
      expect(outcomeOf({}, valued(value))).toBe(`m value=${value} ${TIME}`)
    },
  )

  it('that is text keeps all of it', () => {
    expect(outcomeOf({labels: {}, isText: true, expression: '"NaN"'}, valued('say "NaN"\n'))).toBe(`"NaN" value="say \\"NaN\\"\n" ${TIME}`)
    expect(() => outcomeOf({isText: true}, valued('\uD800'))).toThrow(letter('unwritable field'))
  })

  it('that is a scalar has its expression for a measurement', () => {
    expect(outcomeOf({labels: {}, expression: 'scalar(a) + 1'})).toBe(String.raw`scalar(a)\ +\ 1 value=1 ${TIME}`)
  })

  it.each([
    ['count and sum', {count: '10', sum: '18.4', buckets: []}, 'count=10,sum=18.4'],
    ['count alone, where the sum is none', {count: '10', sum: 'NaN'}, 'count=10'],
    ['count alone, where the sum is infinite', {count: '1.5e+06', sum: '+Inf'}, 'count=1.5e+06'],
  ])('that is a native histogram has %s', (_, histogram, fields) => {
    expect(outcomeOf({}, [AT, histogram])).toBe(`m ${fields} ${TIME}`)
  })
})

describe('the time of a sample', () => {
  it.each<[seconds: number, time: string]>([
    [1_457_019.071, '1457019071000000'],
    [1_795_457_019.071, TIME],
    [1_795_457_019.001, '1795457019001000000'],
    [1_795_457_019.999, '1795457019999000000'],
    [1.005, '1005000000'], // 1.005 * 1000 is below 1005
    [1_000_000_000.573, '1000000000573000000'],
    [0, '0'],
    [-0.001, '-1000000'],
    [-9_223_372_036.854, '-9223372036854000000'],
  ])('%d is exact to the millisecond', (seconds, time) => {
    expect(outcomeOf({}, at(seconds))).toBe(`m value=1 ${time}`)
  })

  it('is exact for each millisecond of a second', () => {
    const point = points()
    for (const second of [1_457_019, 1_795_456_000])
      for (let millisecond = 0; millisecond < 1000; millisecond++) {
        const seconds = Number(`${second}.${String(millisecond).padStart(3, '0')}`)
        expect(point({}, at(seconds))).toBe(`m value=1 ${second * 1000 + millisecond}000000`)
      }
  })

  it.each([
    [null, 'null'],
    ['1795457019', 'text'],
    [NaN, 'no number'],
    [1e300, 'beyond all time'],
    [9_223_372_037, 'after 2262'],
    [-9_223_372_037, 'before 1677'],
    [undefined, 'missing'],
  ])('that is none is counted: %s, %s', (seconds, _) => {
    expect(outcomeOf({}, at(seconds))).toBe('invalid timestamp')
  })

  it('that is none is a dead letter where nobody checks times', () => {
    expect(() => outcomeOf({}, at(1e300), without('timestamps'))).toThrow(letter('invalid timestamp'))
  })

  it('may be ahead as far as clocks differ, and no further', () => {
    expect(outcomeOf({}, at(NOW / 1000 + 60))).toContain('value=1')
    expect(outcomeOf({}, at(NOW / 1000 + 60.001))).toBe('future timestamp')
    expect(outcomeOf({}, at(NOW / 1000 + 60.001), without('timestamps'))).toContain('value=1')
  })

  it('is compared with the clock as it is then', () => {
    let now = NOW
    const point = points({now: () => now})
    const ahead = at(NOW / 1000 + 3600)
    expect(point({}, ahead)).toBe('future timestamp')
    now += 3_600_000
    expect(point({}, ahead)).toContain('value=1')
  })
})

describe('a value that cannot be stored', () => {
  it.each([
    ['null', null],
    ['NaN', 'NaN'],
    ['NaN', ''],
    ['NaN', 'one'],
    ['NaN', '+1'], // InfluxDB refuses it
    ['NaN', '0x10'],
    ['NaN', '1 '],
    ['infinite', '+Inf'],
    ['infinite', '-Inf'],
    ['infinite', 'Infinity'],
    ['NaN', {count: 'NaN', sum: '1'}],
    ['NaN', {sum: '1'}],
    ['infinite', {count: '+Inf', sum: '1'}],
  ])('is counted as %s: %j', (reason, value) => {
    expect(outcomeOf({}, valued(value))).toBe(reason)
  })

  it.each([
    ['null', null],
    ['NaN', 'NaN'],
    ['infinite', '-Inf'],
  ])('is a dead letter where nobody checks nulls: %s', (reason, value) => {
    expect(() => outcomeOf({}, valued(value), without('nulls'))).toThrow(letter(reason))
  })

  it('is none where it is text', () => {
    expect(outcomeOf({labels: {}, isText: true, expression: '"x"'}, valued('+Inf'))).toContain('value="+Inf"')
  })
})

describe('metrics that are valid', () => {
  const own = {validMetrics: new Set(['up', 'load', 'rate(a[5m])'])}

  it.each<[what: string, given: Given, isValid: boolean]>([
    ['the name of the metric', {labels: {__name__: 'up'}, expression: '{job="x"}'}, true],
    ['the name of the query', {labels: {__name__: 'node_load1'}, name: 'load', expression: 'node_load1'}, true],
    ['the whole expression', {labels: {}, expression: 'rate(a[5m])'}, true],
    ['another name', {labels: {__name__: 'down'}, expression: '{job="x"}'}, false],
    ['a name within the expression', {labels: {}, expression: 'sum(up)'}, false],
    ['a name in another case', {labels: {__name__: 'UP'}, expression: 'UP'}, false],
  ])('are known by %s', (_, given, isValid) => {
    const outcome = outcomeOf(given, [AT, '1'], own)
    if (isValid) expect(outcome).toContain('value=1')
    else expect(outcome).toBe('not in valid metrics')
  })

  it('are those that count, whatever else is wrong with the others', () => {
    expect(outcomeOf({labels: {__name__: 'down'}}, [1e300, 'NaN'], own)).toBe('not in valid metrics')
  })

  it('are no check that could be left out', () => {
    expect(outcomeOf({labels: {__name__: 'down'}}, [AT, '1'], {...own, ...without(...SAMPLE_CHECKS)})).toBe('not in valid metrics')
  })
})

describe('a value out of range', () => {
  const up: Given = {labels: {__name__: 'up', job: 'x'}, expression: 'up'}

  it.each(['0', '1', '-0', '1e+00'])('is none of up: %s', (value) => {
    expect(outcomeOf(up, valued(value))).toContain(`value=${value}`)
  })

  it.each(['2', '-1', '0.5', '1e-07', '1.0000000000000002'])('is one of up: %s', (value) => {
    expect(outcomeOf(up, valued(value))).toBe('out of range')
    expect(outcomeOf({...up, name: 'alive', expression: '{job="x"}'}, valued(value))).toBe('out of range')
    expect(outcomeOf(up, valued(value), without('ranges'))).toContain(`value=${value}`)
  })

  it('is not looked for in what is made of up', () => {
    expect(outcomeOf({labels: {}, expression: 'sum(up)'}, valued('17'))).toContain('value=17')
  })

  it.each([
    'rate(a[5m])',
    'irate(a[5m])',
    'increase(a[1h])',
    ' rate ( a{b="c"}[5m] offset 1h ) ',
    'rate(a[5m]) # (per second) - it\'s a "rate"',
    '# errors\nrate(\n  a[5m]\n)',
    'rate(a{b=")",c="(",d=~"(x|y)"}[5m])',
    `rate(a{b=') - rate(b['}[5m])`,
    'rate(a{b=`) - rate(b[`}[5m])',
    String.raw`rate(a{b="\") - rate(b["}[5m])`,
    String.raw`rate(a{b="\\",c=")"}[5m])`,
    'rate(a{b=`\\`,c=")"}[5m])',
    String.raw`rate(a{b="'",c='"',d=")"}[5m])`,
  ])('is a negative one of a rate: %s', (expression) => {
    const rate: Given = {labels: {job: 'x'}, expression}
    expect(outcomeOf(rate, valued('-1e-07'))).toBe('out of range')
    expect(outcomeOf(rate, valued('-0'))).toContain('value=-0')
    expect(outcomeOf(rate, valued('1e+21'))).toContain('value=1e+21')
    expect(outcomeOf(rate, valued('-1'), without('ranges'))).toContain('value=-1')
  })

  it.each([
    'rate(a[5m]) - rate(b[5m])',
    'rate(a[5m])-1',
    '-rate(a[5m])',
    '(rate(a[5m]) - 1)',
    'rate(a{b="c"}[5m]) - rate(b{b="c"}[5m])',
    String.raw`rate(a{b="\\"}[5m]) - rate(b{c="\\"}[5m])`,
    'rate(a{b=`\\`}[5m]) - rate(b{c=`\\`}[5m])',
    "rate( # it's\n a[5m]) - rate( # it's\n b[5m])",
    'rate(a[5m]) # one\n - rate(b[5m]) # two',
    'sum(rate(a[5m])) - 1',
    'rate(sum(a)[5m:1m])',
    'rate(deriv(a[5m])[5m:1m])',
    'delta(a[5m])',
    'deriv(a[5m])',
    'crate(a[5m])',
    'rate_of_change',
    'a{b="rate(c[5m])"}',
    'increase_total - b',
  ])('is not a negative one of what is done with a rate, or of anything else: %s', (expression) => {
    expect(outcomeOf({labels: {job: 'x'}, expression}, valued('-1'))).toContain('value=-1')
  })

  it('is found at once, however many backslashes are in an expression', () => {
    const expression = `rate(a{b=~"${'\\\\.'.repeat(5000)}"}[5m]) - rate(b[5m])`
    expect(outcomeOf({labels: {job: 'x'}, expression, name: 'm'}, valued('-1'))).toContain('value=-1')
  })

  it.each([
    ['temperature', {labels: {__name__: 'temperature'}}],
    ['room', {labels: {__name__: 'celsius'}, name: 'room'}],
    ['a - b', {labels: {}, expression: 'a - b'}],
  ])('is one beyond an end of its own range, and neither of the ends: %s', (name, given: Given) => {
    const own = {valueRanges: new Map([[name, {min: -40, max: 85}]])}
    for (const value of ['-40', '85', '0.5']) expect(outcomeOf(given, valued(value), own)).toContain(`value=${value}`)
    for (const value of ['-40.001', '86', '1e+21']) {
      expect(outcomeOf(given, valued(value), own)).toBe('out of range')
      expect(outcomeOf(given, valued(value), {...own, ...without('ranges')})).toContain(`value=${value}`)
    }
  })

  it('is judged by its own range before the usual one', () => {
    const own = {valueRanges: new Map([['up', {min: 0, max: 1}], ['delta', {min: -5, max: 5}]])} // prettier-ignore
    expect(outcomeOf(up, valued('0.5'), own)).toContain('value=0.5')
    expect(outcomeOf({labels: {}, name: 'delta', expression: 'rate(a[5m])'}, valued('-1'), own)).toContain('value=-1')
  })

  it('is none of a native histogram', () => {
    expect(outcomeOf({...up, expression: 'rate(a[5m])'}, [AT, {count: '-7', sum: '-7'}])).toContain('count=-7,sum=-7')
  })
})

describe('a duplicate', () => {
  const [first, second] = [
    {cycle: 1, expression: 'm'},
    {cycle: 1, expression: '{job="x"}'},
  ]

  it('is a series that another query of the cycle has found, too: its first value counts', () => {
    const point = points()
    expect(point(first, valued('1'))).toContain('value=1')
    expect(point(second, valued('2'))).toBe('duplicate')
  })

  it('is one whatever the order of its labels', () => {
    const point = points()
    expect(point({...first, labels: {__name__: 'm', a: '1', b: '2'}})).toContain('value=1')
    expect(point({...second, labels: {b: '2', a: '1', __name__: 'm', c: ''}})).toBe('duplicate')
  })

  it.each<[what: string, other: Given, point: AnsweredPoint]>([
    ['has another label', {...second, labels: {__name__: 'm', a: '1'}}, [AT, '1']],
    ['has another name', {...second, labels: {__name__: 'n'}}, [AT, '1']],
    ['comes from another server', {...second, server: 'b'}, [AT, '1']],
    ['is of another time', second, [AT + 0.001, '1']],
    ['is of another cycle', {...second, cycle: 2}, [AT, '1']],
    ['fills a gap', {...second, cycle: undefined}, [AT, '1']],
  ])('is none that %s', (_, other, sample) => {
    const point = points()
    point(first)
    expect(point(other, sample)).toContain('value=1')
  })

  it('is none where the one before was dropped', () => {
    const point = points()
    expect(point(first, valued('NaN'))).toBe('NaN')
    expect(point(second, valued('1'))).toContain('value=1')
  })

  it('is found in an answer that comes late, when later cycles have begun', () => {
    const point = points()
    for (const cycle of [1, 2, 3, 4]) expect(point({...first, cycle})).toContain('value=1')
    for (const cycle of [3, 1, 4, 2]) expect(point({...second, cycle})).toBe('duplicate')
  })

  it('is forgotten some cycles later: what it needs does not grow', () => {
    const point = points()
    for (const cycle of [1, 2, 3, 4, 5]) point({...first, cycle})
    expect(point({...second, cycle: 1})).toContain('value=1')
    expect(point({...second, cycle: 5})).toBe('duplicate')
  })

  it('is written where nobody checks duplicates', () => {
    const point = points(without('duplicates'))
    expect(point(first)).toContain('value=1')
    expect(point(second, valued('2'))).toContain('value=2')
  })
})

describe('labels', () => {
  it.each<[what: string, labels: Record<string, string>, head: string]>([
    ['are tags, but for those that are empty', {a: '1', b: ''}, 'm,a=1'],
    [
      'that InfluxDB has for itself get another name',
      {time: '1', _field: '2', _measurement: '3'},
      'm,label__field=2,label__measurement=3,label_time=1',
    ],
    [
      'that Flux has for itself get another name',
      {_time: '1', _value: '2', _start: '3', _stop: '4'},
      'm,label__start=3,label__stop=4,label__time=1,label__value=2',
    ],
    ['keep theirs where another one needs a new one', {time: '1', label_time: '2'}, 'm,label_label_time=1,label_time=2'],
    [
      'keep theirs where two others need a new one',
      {time: '1', label_time: '2', label_label_time: '3'},
      'm,label_label_label_time=1,label_label_time=3,label_time=2',
    ],
    ['may be called like a part of every object', {constructor: '1', ['__proto__']: '2'}, 'm,__proto__=2,constructor=1'],
    ['may be called like what ucs adds', {query: '1', server: '2'}, 'm,query=1,server=2'],
    ['may have any letters', {'über uns': 'a=b,c d', é: '漢 "x"'}, String.raw`m,é=漢\ "x",über\ uns=a\=b\,c\ d`],
  ])('%s', (_, labels, head) => {
    expect(headOf({labels: {__name__: 'm', ...labels}})).toBe(head)
  })

  it.each([
    ['a name with a line break', {'a\nb': '1'}, 'unwritable tag'],
    ['a value that ends in a backslash', {path: 'C:\\'}, 'unwritable tag'],
    ['a value with a line break', {text: 'a\nb'}, 'unwritable tag'],
    ['a metric whose name would be a comment', {__name__: '#m'}, 'unwritable measurement'],
  ])('that line protocol cannot carry make each sample a dead letter: %s', (_, labels, reason) => {
    const point = points()
    for (let turn = 0; turn < 2; turn++) expect(() => point({cycle: 1, labels: {__name__: 'm', ...labels}})).toThrow(letter(reason))
  })

  it('become tags only where they are included', () => {
    const own = {tagInclude: new Set(['a', 'time', 'absent'])}
    expect(headOf({labels: {__name__: 'm', a: '1', b: '2', time: '3', label_time: '4'}}, own)).toBe('m,a=1,label_label_time=3')
  })

  it('become no tags where they are excluded, also where they are included', () => {
    const own = {tagInclude: new Set(['a', 'b']), tagExclude: new Set(['b'])}
    expect(headOf({labels: {__name__: 'm', a: '1', b: '2', c: '3'}}, own)).toBe('m,a=1')
  })

  it('are stronger than the tags for every point, unless they are empty or excluded', () => {
    const own = {tags: {site: 'x', a: 'flag', b: 'flag', c: 'flag', label_time: 'flag'}, tagExclude: new Set(['c'])}
    expect(headOf({labels: {__name__: 'm', a: '1', b: '', c: '3', time: '4'}}, own)).toBe('m,a=1,b=flag,c=flag,label_time=4,site=x')
  })

  it('are those of the sample, and not of the series before', () => {
    const point = points()
    const heads = ['x', 'y', 'x'].map((job) => point({labels: {__name__: 'm', job}}).split(' ')[0])
    expect(heads).toEqual(['m,job=x', 'm,job=y', 'm,job=x'])
  })
})

describe('what tells series apart', () => {
  it('is the name of the metric as well, where several have the name of their query for a measurement', () => {
    expect(headOf({name: 'all', labels: {__name__: 'a', job: 'x'}})).toBe('all,__name__=a,job=x')
    expect(headOf({name: 'all', labels: {__name__: 'b', job: 'x'}})).toBe('all,__name__=b,job=x')
    expect(headOf({name: 'all', labels: {__name__: 'all', job: 'x'}})).toBe('all,job=x')
    expect(headOf({name: 'all', labels: {job: 'x'}}, {fallbackMeasurement: 'unknown'})).toBe('all,job=x')
  })

  it('is the name of the metric, whatever is included and excluded', () => {
    const own = {tagInclude: new Set(['job']), tagExclude: new Set(['__name__'])}
    expect(headOf({name: 'all', labels: {__name__: 'a', job: 'x'}}, own)).toBe('all,__name__=a,job=x')
  })

  it('is the expression: it is the measurement, or a tag beside the fallback', () => {
    const labels = {job: 'x'}
    for (const own of [{}, {fallbackMeasurement: 'unknown'}]) {
      const heads = ['rate(a[5m])', 'rate(b[5m])', 'rate(a{x="y z"}[5m])', 'rate(a{x="y  z"}[5m])', 'a\n-b', 'a{x=`\n`}', 'a{x=`_`}']
      expect(new Set(heads.map((expression) => headOf({labels, expression}, own))).size).toBe(heads.length)
    }

    expect(headOf({labels, expression: 'rate(a[5m])'})).toBe('rate(a[5m]),job=x')
    expect(headOf({labels, expression: 'rate(a[5m])'}, {fallbackMeasurement: 'unknown'})).toBe('unknown,job=x,query=rate(a[5m])')
  })

  it('is the expression also of a name that is empty', () => {
    const own = {fallbackMeasurement: 'unknown'}
    expect(headOf({labels: {__name__: ''}, expression: 'a + b'}, own)).toBe(String.raw`unknown,query=a\ +\ b`)
    expect(headOf({labels: {__name__: ''}, name: 'n'}, own)).toBe('n')
  })

  it('is the expression also of series that have a label of that name', () => {
    const own = {fallbackMeasurement: 'unknown', tags: {query: 'flag'}}
    const labels = {query: 'SELECT 1', prometheus_query: 'x'}
    expect(headOf({labels: {query: 'SELECT 1'}, expression: 'rate(a[5m])'}, own)).toBe(
      String.raw`unknown,prometheus_query=rate(a[5m]),query=SELECT\ 1`,
    )
    expect(headOf({labels, expression: 'rate(a[5m])'}, own)).toBe(
      String.raw`unknown,prometheus_prometheus_query=rate(a[5m]),prometheus_query=x,query=SELECT\ 1`,
    )
    expect(headOf({labels: {}, expression: 'rate(a[5m])'}, own)).toBe('unknown,query=rate(a[5m])')
  })

  it('is the server, where several are asked', () => {
    const labels = {__name__: 'm', job: 'x'}
    expect(headOf({labels})).toBe('m,job=x')
    expect(headOf({labels, server: 'a'})).toBe('m,job=x,server=a')
    expect(headOf({labels, server: 'a'}, {serverTag: 'replica', tags: {replica: 'flag'}})).toBe('m,job=x,replica=a')
  })

  it.each<[what: string, labels: Record<string, string>, own: Partial<SampleToPointOptions>, head: string]>([
    ['a label', {server: 'l'}, {}, 'm,prometheus_server=a,server=l'],
    ['two labels', {server: 'l', prometheus_server: 'p'}, {}, 'm,prometheus_prometheus_server=a,prometheus_server=p,server=l'],
    ['a label that is excluded', {server: 'l'}, {tagExclude: new Set(['server'])}, 'm,server=a'],
    ['a part of every object', {}, {serverTag: 'constructor'}, 'm,constructor=a'],
    ['what the name of the metric is kept in', {__name__: 'n'}, {serverTag: '__name__'}, 'm,__name__=n,prometheus___name__=a'],
  ])('is the server, also where its tag is called like %s', (_, labels, own, head) => {
    expect(headOf({name: 'm', labels: {__name__: 'm', ...labels}, server: 'a'}, own)).toBe(head)
  })
})
