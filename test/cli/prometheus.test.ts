import {describe, expect, it} from 'vitest'
import type {PrometheusQuery} from '../../src/lib/format/prometheus-sample.ts'
import type {Given, Origin} from '../../src/lib/runtime/given.ts'
import {type PrometheusValues, queriesOf} from '../../src/lib/cli/prometheus.ts'
import {DEFAULT_QUERIES} from '../../src/lib/cli/prometheus-flags.ts'

type Kind = Origin['kind']

const unnamed = (...expressions: string[]) => expressions.map((expression) => ({name: undefined, expression}))
const named = (name: string, expression: string) => ({name, expression})

interface Lists {
  readonly queries?: readonly PrometheusQuery[]
  readonly query?: readonly PrometheusQuery[]
}

function chosen({queries = [], query = []}: Lists, origins: Partial<Record<'queries' | 'query', Kind>>): readonly PrometheusQuery[] {
  const given = new Map<string, Given>(Object.entries(origins).map(([name, kind]) => [name, {texts: [], origin: {kind, name}}]))
  return queriesOf({queries, query} as PrometheusValues, given)
}

describe('the queries of a run', () => {
  const both = {queries: unnamed('up', 'b'), query: [named('load', 'node_load1')]}

  it('are what the seeds ask for, where none is given', () => {
    expect(chosen({}, {})).toEqual(unnamed(...DEFAULT_QUERIES))
  })

  it.each<[given: Lists, origins: Parameters<typeof chosen>[1], queries: readonly PrometheusQuery[]]>([
    [{queries: both.queries}, {queries: 'flag'}, both.queries],
    [{query: both.query}, {query: 'config file'}, both.query],
    [both, {queries: 'flag', query: 'flag'}, [...both.queries, ...both.query]],
    [both, {queries: 'config file', query: 'config file'}, [...both.queries, ...both.query]],
    [both, {queries: 'flag', query: 'environment'}, both.queries],
    [both, {queries: 'environment', query: 'flag'}, both.query],
    [both, {queries: '.env', query: 'config file'}, both.query],
  ])('are those whose origin is the strongest, or all of the same: %j %j', (given, origins, queries) => {
    expect(chosen(given, origins)).toEqual(queries)
  })

  it('are asked once each, in the order in which they were given', () => {
    const queries = unnamed('b', 'a', 'b', 'a ')
    expect(chosen({queries, query: [named('n', 'a')]}, {queries: 'flag', query: 'flag'})).toEqual([
      ...unnamed('b', 'a', 'a '),
      named('n', 'a'),
    ])
  })

  it.each([
    [named('n', 'a'), named('n', 'b')],
    [named('n', 'a'), named('n', 'a')],
  ])('have names that tell them apart', (...query) => {
    expect(() => chosen({query}, {query: 'flag'})).toThrow('--query: two queries are called n')
  })

  it('may have a name that a weaker origin has given, too: only one of them counts', () => {
    const query = [named('n', 'a')]
    expect(chosen({queries: unnamed('n'), query}, {queries: 'default', query: 'config file'})).toEqual(query)
  })
})
