import {describe, expect, it} from 'vitest'
import {readConfigFile} from '../../src/lib/runtime/config-file.ts'
import {inFolderWith} from './working-folder.ts'

const FLAGS = [
  'influx-url',
  'influx-org',
  'influx-bucket',
  'token',
  'token-file',
  'bucket-map',
  'host-map',
  'queries-file',
  'interval',
  'mode',
]
const commands = new Map(
  Object.entries({collect: [...FLAGS, 'config', 'env-file'], produce: ['topic']}).map(([command, names]) => [
    command,
    new Map(names.map((name) => [name, name])),
  ]),
)
const SOURCE = `sources:
  north:
    url: http://north:8086
    org: plant
    token: \${TOKEN}
    buckets: [telegraf, power]
`

async function read(text: string, command = 'collect', isForAnother = false) {
  inFolderWith({'collect.yaml': text})
  return readConfigFile('collect.yaml', {command, commands, isForAnother, interpolate: (name) => (name === 'TOKEN' ? 'secret' : undefined)})
}

describe('a collect.yaml', () => {
  it('names sources, with the places of what they need', async () => {
    const {shape, collector} = await read(SOURCE)
    expect(shape).toBe('collector')
    expect(collector?.sources).toEqual([
      {
        name: 'north',
        host: 'north',
        url: {text: 'http://north:8086', origin: 'collect.yaml:3:5'},
        org: {text: 'plant', origin: 'collect.yaml:4:5'},
        token: {text: 'secret', origin: 'collect.yaml:5:5'},
        tokenFile: undefined,
        buckets: ['telegraf', 'power'],
      },
    ])
  })

  it('says what flags say, by its own keys and by their names', async () => {
    const {values} = await read(`central: {url: "http://c", token_file: /run/t, org: central, bucket: rest}
bucket_map: {telegraf: metrics, power: }
host_map: {POD-8: pod_8}
queries_file: q.yaml
interval: 30
mode: raw
`)
    expect(Object.fromEntries([...values].map(([flag, {texts}]) => [flag, texts]))).toEqual({
      'influx-url': ['http://c'],
      'token-file': ['/run/t'],
      'influx-org': ['central'],
      'influx-bucket': ['rest'],
      'bucket-map': ['telegraf=metrics', 'power='],
      'host-map': ['POD-8=pod_8'],
      'queries-file': ['q.yaml'],
      interval: ['30'],
      mode: ['raw'],
    })
  })

  it('has queries, each with what it says of itself', async () => {
    const {collector} = await read(`queries:
  power:
    minutes: 5
    buckets: power_*
    every: 30s
    keep_tags: []
    flux_query: |
      from(bucket: "{{ bucket }}") |> range(start: -{{ minutes }}m)
  system_metrics:
`)
    const [power, system] = collector!.queries!
    expect(power).toMatchObject({
      name: 'power',
      minutes: 5,
      buckets: ['power_*'],
      every: {text: '30s', origin: 'collect.yaml:5:5'},
      keptTags: [],
    })
    expect(power!.template).toContain('{{ bucket }}')
    expect(system).toMatchObject({name: 'system_metrics', template: undefined, minutes: undefined, buckets: [], keptTags: undefined})
  })

  it.each([
    ['sources:\n  north: {url: http://n, org: o, token: t}', '2:3: the source north has no buckets'],
    ['sources:\n  north: {org: o, token: t, buckets: b}', '2:3: the source north has no url'],
    ['sources:\n  north: {url: http://n, org: o, buckets: b}', '2:3: the source north has neither token nor token_file'],
    [
      'sources:\n  north: {url: http://n, org: o, buckets: b, token: t, token_file: f}',
      '2:3: the source north has both token and token_file',
    ],
    ['sources:\n  north: {urls: http://n}', '2:11: "urls" is no key of the source north; did you mean "url"?'],
    ['sources: [a]', '1:10: expected a mapping of names to servers'],
    ['central: {uri: http://c}', '1:11: "uri" is no key of central; did you mean "url"?'],
    ['sources:\nintervall: 30', '2:1: "intervall" is no key of a collect.yaml; did you mean "interval"?'],
    ['sources:\nconfig: other.yaml', '2:1: "config" is no key of a collect.yaml'],
    ['queries:\n  a: {flux_qury: x}', '2:7: "flux_qury" is no key of the query a; did you mean "flux_query"?'],
    ['queries:\n  a: {minutes: soon}', '2:16: expected a whole number of minutes, such as 5'],
    ['queries:\n  a: {flux_query: "{{ stat }}"}', '2:19: "{{ stat }}" stands for nothing'],
    ['bucket_map: {a=b: c}', '1:14: a name here has no "="'],
  ])('%j is refused at its place', async (text, message) => {
    await expect(read(text)).rejects.toThrow(
      expect.objectContaining({name: 'UsageError', message: expect.stringContaining(`collect.yaml:${message}`)}),
    )
  })

  it('is refused by other commands, and left to collect by one that looks at its values', async () => {
    await expect(read(SOURCE, 'produce')).rejects.toThrow(
      'collect.yaml:1:1: "sources" is a key of a collect.yaml, which only collect reads',
    )
    expect(await read(SOURCE, 'produce', true)).toMatchObject({shape: 'collector', values: new Map()})
  })
})
