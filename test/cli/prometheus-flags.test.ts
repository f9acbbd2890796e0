import {describe, expect, it} from 'vitest'
import {catchUpFlags, DEFAULT_QUERIES, prometheusFlags, queryFlags, sampleFlags} from '../../src/lib/cli/prometheus-flags.ts'
import {UsageError} from '../../src/lib/errors.ts'

const addresses = (...given: string[]) => prometheusFlags['prometheus-url'].rules.decode(given).map(({name, url}) => [name, url.href])
const expressions = (...given: string[]) => queryFlags.queries.rules.decode(given)
const named = (...given: string[]) => queryFlags.query.rules.decode(given)
const headers = (...given: string[]) => prometheusFlags['prometheus-header'].rules.decode(given)
const ranges = (...given: string[]) => sampleFlags['value-range'].rules.decode(given)

describe('--prometheus-url', () => {
  it.each([
    ['http://localhost:9090', undefined, 'http://localhost:9090/'],
    ['https://u:p@host/base/', undefined, 'https://u:p@host/base/'],
    ['a=http://host:9090', 'a', 'http://host:9090/'],
    ['eu-1.west=https://host/a=b', 'eu-1.west', 'https://host/a=b'],
  ])('%s is an address, and may have a name', (given, name, url) => {
    expect(addresses(given)).toEqual([[name, url]])
  })

  it('may be given several times', () => {
    expect(addresses('a=http://one', 'http://two')).toEqual([
      ['a', 'http://one/'],
      [undefined, 'http://two/'],
    ])
  })

  it.each(['', 'localhost:9090', 'a=', 'a=localhost', '1=http://host', 'a b=http://host', 'ftp://host'])('%j is none', (given) => {
    expect(() => addresses(given)).toThrow('expected an address such as')
  })

  it('takes no parameters, and shows none of them', () => {
    const refused = () => addresses('http://host/?token=s3cret')
    expect(refused).toThrow(UsageError)
    expect(refused).toThrow('takes no parameters')
    expect(refused).not.toThrow('s3cret')
  })
})

describe('--queries', () => {
  it('are expressions, and what stands around them counts for nothing', () => {
    expect(expressions(' up\n', 'rate(a{b="c"}[5m])', 'a == 1')).toEqual([
      {name: undefined, expression: 'up'},
      {name: undefined, expression: 'rate(a{b="c"}[5m])'},
      {name: undefined, expression: 'a == 1'},
    ])
  })

  it.each(['', ' \n'])('%j is no expression', (given) => {
    expect(() => expressions(given)).toThrow('expected a PromQL expression')
  })

  it('are those of the seeds where none is given', () => {
    expect(DEFAULT_QUERIES).toEqual([
      'up',
      '{job="kafka-producer"}',
      '{job="prometheus"}',
      'go_memstats_alloc_bytes',
      'process_cpu_seconds_total',
      'prometheus_http_requests_total',
    ])
  })
})

describe('--query', () => {
  it.each([
    ['load=node_load1', 'load', 'node_load1'],
    [' cpu load = sum(rate(a{b="c"}[5m])) ', 'cpu load', 'sum(rate(a{b="c"}[5m]))'],
    ['alive=up == 1', 'alive', 'up == 1'],
    ['node:load-5m=a', 'node:load-5m', 'a'],
  ])('%j is a name and an expression', (given, name, expression) => {
    expect(named(given)).toEqual([{name, expression}])
  })

  it.each(['up{job="x"}', 'sum(a{b="c"})', '{__name__=~"a"}', 'up == 1', 'up==1', 'up != 1', 'up >= 1', 'up <= 1', "a{b='c'}"])(
    '%j is an expression alone, and not one with half of it for a name',
    (given) => {
      expect(() => named(given)).toThrow('expected NAME=EXPRESSION')
    },
  )

  it.each(['', 'up', '=up', 'a=', 'a= ', ' =up', '#a=up', 'a\\=up'])('%j is none', (given) => {
    expect(() => named(given)).toThrow(UsageError)
  })
})

describe('--prometheus-header', () => {
  it.each([
    ['X-Scope-OrgID=tenant', 'X-Scope-OrgID', 'tenant'],
    ['Authorization=Basic dTpw==', 'Authorization', 'Basic dTpw=='],
  ])('%j is a name and a value', (given, name, value) => {
    expect(headers(given)).toEqual([[name, value]])
  })

  it.each(['X-Key', 'X-Key=', '=s3cret', 'X-Key: s3cret=', 'X Key=s3cret', 'X-Key=s3cret\r\nX-Other: 1', 'X-Key=“s3cret”', 'Ü=s3cret'])(
    '%j is none, and no value is shown',
    (given) => {
      expect(() => headers(given)).toThrow('expected NAME=VALUE')
      expect(() => headers(given)).not.toThrow('s3cret')
    },
  )

  it('is a secret, and so are passwords and tokens', () => {
    const secrets = Object.entries(prometheusFlags).filter(([, {rules}]) => rules.isSecret)
    expect(secrets.map(([name]) => name)).toEqual(['prometheus-password', 'prometheus-token', 'prometheus-header'])
  })
})

describe('--value-range', () => {
  it.each<[given: string, name: string, min: number, max: number]>([
    ['temperature=-40..85', 'temperature', -40, 85],
    ['a=0.5..1e3', 'a', 0.5, 1000],
    ['a= 0 .. 1 ', 'a', 0, 1],
    ['a=1..1', 'a', 1, 1],
    ['a=..0', 'a', -Infinity, 0],
    ['a=0..', 'a', 0, Infinity],
    ['a=..', 'a', -Infinity, Infinity],
    ['rate(a{b="c"}[5m])=0..1', 'rate(a{b="c"}[5m])', 0, 1],
  ])('%j has two ends', (given, name, min, max) => {
    expect(ranges(given)).toEqual([[name, {min, max}]])
  })

  it.each(['', 'a', 'a=', 'a=1', 'a=1.5', '=0..1', 'a=1..0', 'a=x..1', 'a=0..x', 'a=NaN..1', 'a=0-1'])('%j is none', (given) => {
    expect(() => ranges(given)).toThrow('expected NAME=MIN..MAX such as temperature=-40..85')
  })
})

describe('other flags', () => {
  it('take one of the checks to leave out', () => {
    const {decode} = sampleFlags['skip-check'].rules
    expect(decode(['nulls', 'Timestamps', 'duplicates', 'ranges'])).toEqual(['nulls', 'timestamps', 'duplicates', 'ranges'])
    expect(() => decode(['all'])).toThrow('expected nulls, timestamps, duplicates or ranges')
  })

  it('refuse at once what would make every point unwritable', () => {
    expect(() => sampleFlags['fallback-measurement'].rules.decode(['#m'])).toThrow(UsageError)
    expect(() => sampleFlags['server-tag'].rules.decode(['time'])).toThrow(UsageError)
    expect(() => sampleFlags.tag.rules.decode(['_field=x'])).toThrow(UsageError)
  })

  it('take an instant of the past, and a step above zero', () => {
    expect(catchUpFlags.from.rules.decode(['-24h'])).toEqual({ago: 86_400_000})
    expect(catchUpFlags.to.rules.decode(['1970-01-01T00:00:01Z'])).toEqual({at: 1000})
    expect(() => catchUpFlags.step.rules.decode(['0'])).toThrow('expected a duration above 0')
  })
})
