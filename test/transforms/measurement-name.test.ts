import {describe, expect, it} from 'vitest'
import type {QueriedSeries} from '../../src/lib/format/prometheus-sample.ts'
import {encodeSeries} from '../../src/lib/format/line-protocol.ts'
import {inOneLine, measurementOf, writable} from '../../src/lib/transforms/measurement-name.ts'

const EXPRESSION = 'rate(a[5m])'

function nameOf({name, metric, fallback}: {name?: string; metric?: string; fallback?: string}): string {
  const labels: Record<string, string> = metric === undefined ? {} : {__name__: metric}
  const series: QueriedSeries = {labels, isText: false, query: {name, expression: EXPRESSION}, server: undefined, cycle: undefined}
  return measurementOf(series, fallback)
}

describe('the measurement of a sample', () => {
  it.each<[what: string, own: Parameters<typeof nameOf>[0], measurement: string]>([
    ['the name that the query was given, before all others', {name: 'load', metric: 'node_load1', fallback: 'unknown'}, 'load'],
    ['the name of the metric', {metric: 'node:load:avg5m', fallback: 'unknown'}, 'node:load:avg5m'],
    ['the fallback, where a calculation has taken the name away', {fallback: 'unknown'}, 'unknown'],
    ['the expression, where there is no fallback', {}, EXPRESSION],
    ['not a name that is empty', {metric: '', fallback: 'unknown'}, 'unknown'],
    ['the expression, where the name is empty and there is no fallback', {metric: ''}, EXPRESSION],
  ])('is %s', (_, own, measurement) => {
    expect(nameOf(own)).toBe(measurement)
  })
})

/** Each is another query, and so has to have another name. */
const EXPRESSIONS = [
  'a',
  'a - b',
  'a-b',
  'a-  b',
  'a{x="c d"}',
  'a{x="c  d"}',
  'a{x="c\\td"}',
  "a{x='c d'}",
  "a{x='c  d'}",
  'a{x=`c d`}',
  'a{x=`c  d`}',
  'a{x=`c\nd`}',
  'a{x=`c\rd`}',
  'a{x=`c\r\nd`}',
  'a{x=`c_d`}',
  'a{x="#"} - b',
  'a{x="# - b"}',
  'a # "\n - b # "\n - c',
  'a{x="\\""}',
  'a{x="\\" "}',
  'a{x="\\"  "}',
  'a{x="\\\\"}',
  'a{x="\\\\ "}',
  'a{x="\\\\\\""}',
  'a{x="_"}',
  'a{x=`\\`}',
  'a{x=`\\ `}',
  'a{x=`\\,`}',
  'a{x=`\\=`}',
  'a{x=`_=`}',
  'a{x=~"1\\\\.2"}',
  'a{x="\'"} - b{x="\'  "}',
  'a{x="\'"} - b{x="\' "}',
]

/** What the server reads: without comments and what blanks there are, but in quotes. */
const same: [one: string, other: string][] = [
  ['a', ' a\n'],
  ['sum by (x) (a)', 'sum  by\t(x)\r\n  (a)'],
  ['a - b', 'a # of all\n - b'],
  ['a', '# of all "\na # \' and `\n'],
  ['a', 'a # - b'],
  ['a{x=`c d`}', 'a{x=`c d`}#'],
  ['a - b', 'a # ends with CR\r- b'],
  ['a - b', `a${' # # #'.repeat(20)}\n - b`],
]

describe('an expression as a name', () => {
  it.each(['sum by (job) (rate(a{b=~"c|d"}[5m])) > 1', 'a{path="/x y, z"}', 'a{x=~"1\\\\.2"}', "a{é='漢'}", 'a{x="#b"}'])(
    'stays what it is: %s',
    (expression) => {
      expect(writable(expression)).toBe(expression)
    },
  )

  it.each(same)('is the same for what means the same: %j', (one, other) => {
    expect(writable(other)).toBe(writable(one))
  })

  it('is another one for each expression that means something else', () => {
    expect(new Set(EXPRESSIONS.map(writable)).size).toBe(EXPRESSIONS.length)
  })

  it.each(EXPRESSIONS)('can be written as a measurement and as a tag: %j', (expression) => {
    const name = writable(expression)
    expect(() => encodeSeries(name, [['query', name]])).not.toThrow()
  })

  it.each([
    ['a{x=`c\nd`}', /^a\{x=`c_d`\} #[0-9a-f]{8}$/],
    ['a{x="\\""}', /^a\{x="_""\} #[0-9a-f]{8}$/],
  ])('tells by a hash that something had to be replaced: %j', (expression, name) => {
    expect(writable(expression)).toMatch(name)
  })

  it.each(['"', "'", '`'])('is found at once also where its quotes never end: %s', (quote) => {
    const open = `a{x=~${quote}${'\\\\d'.repeat(10_000)}`
    expect(writable(open)).toBe(open)
  })
})

describe('quotes', () => {
  it('are told apart from what stands between them', () => {
    const expression = `a{b="(",c='\\'',d=\`\\\`,e="\\\\"} - f{g="#"} # "`
    expect(inOneLine(expression, (quoted) => `<${quoted.length}>`)).toBe('a{b=<3>,c=<4>,d=<3>,e=<4>} - f{g=<3>}')
  })
})
