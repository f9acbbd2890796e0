import {mkdirSync} from 'node:fs'
import {describe, expect, it} from 'vitest'
import {openQueries} from '../../src/lib/cli/collect-queries.ts'
import {inFolderWith} from '../runtime/working-folder.ts'

const VALUES = {
  'queries-file': 'queries.yaml',
  mode: 'aggregated',
  every: 60_000,
  fn: 'mean',
  strings: 'last',
  'time-label': 'stop',
  'keep-tags': [],
} as const
const BUCKETS = ['telegraf', 'power_monitoring', 'pod_monitoring', 'SRV_monitoring']

type Own = Partial<Record<keyof typeof VALUES, unknown>>

async function open(text: string | undefined, own: Own = {}, kind: 'default' | 'flag' = 'default') {
  inFolderWith(text === undefined ? {} : {'queries.yaml': text})
  const given = new Map([['queries-file', {texts: ['queries.yaml'], origin: {kind, name: '--queries-file'}}]])
  return openQueries({...VALUES, ...own} as typeof VALUES, given, undefined)
}

describe('queries', () => {
  it('of the program are for the buckets of the seeds, and one is for all others', async () => {
    const queries = await open(undefined)
    const asked = BUCKETS.map((bucket) => queries.filter((query) => query.asksFor(bucket)).map(({name}) => name))
    expect(asked).toEqual([['system_metrics', 'network_metrics'], ['power_monitoring'], ['pod_monitoring'], ['all_metrics']])
    expect(queries.every(({template}) => template === undefined)).toBe(true)
  })

  it('of the program copy everything in raw mode', async () => {
    const queries = await open(undefined, {mode: 'raw'})
    expect(queries.map(({name, mode}) => [name, mode])).toEqual([['points', 'raw']])
    expect(BUCKETS.every((bucket) => queries[0]!.asksFor(bucket))).toBe(true)
  })

  it('of a file say what flags say otherwise', async () => {
    const [own, other] = await open('queries:\n  a: {every: 5m, fn: max, mode: raw, strings: skip, keep_tags: [cpu]}\n  b: {}\n', {
      'keep-tags': ['path'],
    })
    expect(own).toMatchObject({everyMilliseconds: 300_000, fn: 'max', mode: 'raw', strings: 'skip', keptTags: ['cpu'], minutes: 5})
    expect(other).toMatchObject({everyMilliseconds: 60_000, fn: 'mean', mode: 'aggregated', strings: 'last', keptTags: ['path']})
  })

  it('that only have the name of one of the program are that one', async () => {
    const [system, power, own] = await open(
      'queries: {system_metrics: , power_monitoring: {buckets: SRV_*}, pod_monitoring: {measurements: pod}}',
    )
    expect(system).toMatchObject({measurements: ['cpu', 'mem', 'disk', 'system']})
    expect(BUCKETS.filter((bucket) => system!.asksFor(bucket))).toEqual(['telegraf'])
    expect(power).toMatchObject({excludedFields: ['chair_section']})
    expect(BUCKETS.filter((bucket) => power!.asksFor(bucket))).toEqual(['SRV_monitoring'])
    expect(BUCKETS.filter((bucket) => own!.asksFor(bucket))).toEqual(BUCKETS)
  })

  it('leave what Flux puts into its own texts alone', async () => {
    const [query] = await open('queries: {a: {flux_query: \'map(fn: (r) => ({r with a: "${name}"}))\'}}')
    expect(query!.template).toContain('"${name}"')
  })

  it('that name no time are asked for as much as they ask for', async () => {
    const [fixed, exact] = await open(
      'queries: {a: {minutes: 5, flux_query: "range(start: -5m)"}, b: {flux_query: "range(start: {{ start }})"}}',
    )
    expect(fixed!.maxChunkMilliseconds).toBe(300_000)
    expect(exact!.maxChunkMilliseconds).toBeGreaterThan(3_600_000)
  })

  it.each([
    ['queries: {a: {every: soon}}', /queries\.yaml:1:15: expected a duration/],
    ['queries: {a: {every: 30s, flux_query: "range(start: -{{ minutes }}m)"}}', /the query a asks for whole minutes/],
    ['queries: {a: {mode: rare}}', /queries\.yaml:1:15: expected aggregated or raw/],
    ['queries: {a: {fn: "mean)"}}', /expected the name of a Flux function/],
    ['querie: {}', /"querie" is no key of a queries\.yaml; did you mean "queries"/],
    ['', /there are no queries/],
  ])('%j are refused', async (text, message) => {
    await expect(open(text)).rejects.toThrow(expect.objectContaining({name: 'UsageError', message: expect.stringMatching(message)}))
  })

  it('in a file that was named have to be there', async () => {
    await expect(open(undefined, {}, 'flag')).rejects.toThrow('there is no file queries.yaml')
  })

  it('in a folder where a file was expected are refused', async () => {
    inFolderWith({})
    mkdirSync('queries.yaml')
    await expect(
      openQueries(VALUES, new Map([['queries-file', {texts: [], origin: {kind: 'default', name: ''}}]]), undefined),
    ).rejects.toThrow('is a folder')
  })
})
