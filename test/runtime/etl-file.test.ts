import {readFileSync} from 'node:fs'
import {describe, expect, it} from 'vitest'
import type {ConfigInputs} from '../../src/lib/runtime/config.ts'
import type {Setting} from '../../src/lib/runtime/given.ts'
import {readConfigFile} from '../../src/lib/runtime/config-file.ts'
import {resolveConfiguration} from '../../src/lib/runtime/config.ts'
import {inFolderWith} from './working-folder.ts'

const PIPELINE = [
  ...['prometheus-url', 'query-timeout', 'query-retries', 'query', 'queries', 'max-series', 'query-concurrency'],
  ...['valid-metric', 'skip-check', 'value-range', 'fallback-measurement', 'tag', 'tag-include', 'tag-exclude'],
  ...['influx-url', 'token', 'influx-org', 'influx-bucket', 'influx-timeout', 'batch-size'],
  ...['interval', 'log-level', 'max-retries', 'retry-delay', 'log-format', 'log-file', 'log-max-size', 'log-backups'],
  ...['health-port', 'health-check-interval', 'config', 'env-file'],
]
const commands = new Map(
  Object.entries({'prom-to-influx': PIPELINE, produce: ['topic', 'log-level'], 'config show': ['log-level']}).map(([command, names]) => [
    command,
    new Map(names.map((name) => [name, name])),
  ]),
)

interface Reader {
  readonly command?: string
  readonly isForAnother?: boolean
  readonly commands?: ConfigInputs['commands']
  readonly variables?: Readonly<Record<string, string>>
}

async function readFile(text: string, {command = 'prom-to-influx', variables = {}, ...rest}: Reader = {}) {
  inFolderWith({'etl.yaml': text})
  return readConfigFile('etl.yaml', {command, commands, interpolate: (name) => variables[name], ...rest})
}

/** What `prom-to-influx` finds in a file, by flag: texts and place. */
async function read(text: string, reader: Reader = {}) {
  const {values} = await readFile(text, reader)
  return Object.fromEntries([...values].map(([flag, {texts, origin}]) => [flag, [...texts, origin.name]]))
}

/** `extract.timeout` and what stands there as YAML; the key is in the line of its depth, two columns further for each. */
const nested = (path: string, value: string) =>
  path
    .split('.')
    .map((key, depth) => `${'  '.repeat(depth)}${key}:`)
    .join('\n') + ` ${value}\n`

describe('a key of etl.yaml', () => {
  it.each<[path: string, value: string, flag: string, ...texts: string[]]>([
    ['extract.prometheus_url', 'http://prometheus:9090', 'prometheus-url', 'http://prometheus:9090'],
    ['extract.prometheus_url', '[north=http://n:9090, http://s:9090]', 'prometheus-url', 'north=http://n:9090', 'http://s:9090'],
    ['extract.timeout', '30', 'query-timeout', '30'],
    ['extract.timeout', '500ms', 'query-timeout', '500ms'],
    ['extract.retry_attempts', '3', 'query-retries', '3'],
    ['extract.max_series', '100000', 'max-series', '100000'],
    ['extract.concurrency', '10', 'query-concurrency', '10'],
    ['extract.queries', '{rps: "rate(a{b=\\"c\\"}[5m])", up: up}', 'query', 'rps=rate(a{b="c"}[5m])', 'up=up'],
    ['extract.queries', '\n    p95: |\n      sum(\n        a\n      )\n', 'query', 'p95=sum(\n  a\n)'],
    ['transform.fallback_measurement', 'health_metrics', 'fallback-measurement', 'health_metrics'],
    ['transform.tags', '{site: north, line: 2, "two words": a=b}', 'tag', 'site=north', 'line=2', 'two words=a=b'],
    ['transform.tags', '{site: north, line: , shift: ""}', 'tag', 'site=north'],
    ['transform.tag_include', '[job, instance]', 'tag-include', 'job', 'instance'],
    ['transform.tag_exclude', '\n    - pod', 'tag-exclude', 'pod'],
    ['transform.value_ranges', '{t: [-40, 85.5]}', 'value-range', 't=-40..85.5'],
    ['transform.value_ranges', '{t: [0, null]}', 'value-range', 't=0..'],
    ['transform.value_ranges', '{t: [~, 1e3]}', 'value-range', 't=..1000'],
    ['transform.value_ranges', '{t: [1, 1], u: , v: ["2", "3"]}', 'value-range', 't=1..1', 'v=2..3'],
    ['transform.value_ranges', '\n    rate(a{b="c"}[5m]):\n      - 0\n      - 9', 'value-range', 'rate(a{b="c"}[5m])=0..9'],
    ['load.influxdb.url', 'http://influxdb:8086', 'influx-url', 'http://influxdb:8086'],
    ['load.influxdb.token', 'abc==', 'token', 'abc=='],
    ['load.influxdb.org', 'monitoring', 'influx-org', 'monitoring'],
    ['load.influxdb.bucket', 'health_metrics', 'influx-bucket', 'health_metrics'],
    ['load.influxdb.timeout', '30', 'influx-timeout', '30'],
    ['load.influxdb.batch_size', '01000', 'batch-size', '01000'],
    ['pipeline.interval_seconds', '300 # 5 minutes', 'interval', '300'],
    ['pipeline.log_level', '"DEBUG"', 'log-level', 'DEBUG'],
    ['pipeline.max_retries', '3', 'max-retries', '3'],
    ['pipeline.retry_delay', '60', 'retry-delay', '60'],
    ['logging.level', 'INFO', 'log-level', 'INFO'],
    ['logging.format', 'json', 'log-format', 'json'],
    ['logging.format', '"Pretty"', 'log-format', 'Pretty'],
    ['logging.file', 'logs/etl_pipeline.log', 'log-file', 'logs/etl_pipeline.log'],
    ['logging.max_size', '"10MB"', 'log-max-size', '10MB'],
    ['logging.backup_count', '5', 'log-backups', '5'],
    ['monitoring.metrics_port', '8080', 'health-port', '8080'],
    ['monitoring.enable_metrics', 'false', 'health-port', '0'],
    ['monitoring.health_check_interval', '60', 'health-check-interval', '60'],
  ])('%s: %s is --%s %s', async (path, value, flag, ...texts) => {
    const depth = path.split('.').length
    expect(await read(nested(path, value))).toEqual({[flag]: [...texts, `etl.yaml:${depth}:${2 * depth - 1}`]})
  })

  it.each([
    ['extract.timeout', ''],
    ['extract.timeout', '""'],
    ['extract.prometheus_url', '[]'],
    ['extract.queries', '{}'],
    ['extract.queries', ''],
    ['transform.valid_metrics', '[" ", ~]'],
    ['transform.data_cleaning', ''],
    ['transform.tags', '~'],
    ['transform.value_ranges', 'null'],
    ['load.influxdb', ''],
    ['logging.format', ''],
    ['monitoring.enable_metrics', ''],
    ['monitoring.enable_metrics', 'true'],
  ])('%s: %s gives nothing', async (path, value) => {
    expect(await read(nested(path, value))).toEqual({})
  })
})

describe('the checks of transform.data_cleaning', () => {
  const cleaning = (...lines: string[]) => `transform:\n  data_cleaning:\n${lines.map((line) => `    ${line}\n`).join('')}`

  it.each([
    ['remove_nulls', 'nulls'],
    ['validate_timestamps', 'timestamps'],
    ['remove_duplicates', 'duplicates'],
    ['validate_value_ranges', 'ranges'],
  ])('%s that is false skips %s', async (key, check) => {
    for (const no of ['false', 'False', 'no', 'off', '0', '"false"'])
      expect(await read(cleaning(`${key}: ${no}`))).toEqual({'skip-check': [check, 'etl.yaml:3:5']})
    for (const yes of ['true', 'True', 'yes', 'on', '1', '"true"', '~']) expect(await read(cleaning(`${key}: ${yes}`))).toEqual({})
  })

  it('skip several together, from the first of them on', async () => {
    const text = cleaning('remove_nulls: true', 'remove_duplicates: false', 'validate_value_ranges: true', 'validate_timestamps: false')
    expect(await read(text)).toEqual({'skip-check': ['duplicates', 'timestamps', 'etl.yaml:4:5']})
  })
})

describe('transform.valid_metrics', () => {
  it.each<[yaml: string, text: string]>([
    ['up', 'up'],
    ['"http_requests_total"', 'http_requests_total'],
    ['rate(http_requests_total[5m])', 'rate(http_requests_total[5m])'],
    [
      'histogram_quantile(0.95, rate(http_request_duration_seconds_bucket[5m]))',
      'histogram_quantile(0.95, rate(http_request_duration_seconds_bucket[5m]))',
    ],
    ['rate(http_requests_total{status=~"5.."}[5m])', 'rate(http_requests_total{status=~"5.."}[5m])'],
    [`'{job="kafka-producer"}'`, '{job="kafka-producer"}'],
    ['"{job=\\"kafka-producer\\"}"', '{job="kafka-producer"}'],
    [`"a{b='c', d!='e'} == bool 1"`, `a{b='c', d!='e'} == bool 1`],
    ['a{b=~".+$"} > 0', 'a{b=~".+$"} > 0'],
    [`' up '`, 'up'],
    ['|\n      sum(a)\n      /\n      sum(b)', 'sum(a)\n/\nsum(b)'],
    ['rate(${METRIC}[5m])', 'rate(ticks_total[5m])'],
  ])('asks for and lets pass: %s', async (yaml, text) => {
    const variables = {METRIC: 'ticks_total'}
    const expected = [text, 'etl.yaml:2:3']
    expect(await read(`transform:\n  valid_metrics:\n    - ${yaml}\n`, {variables})).toEqual({'valid-metric': expected, queries: expected})
  })

  it.each([
    ['before', 'extract:\n  queries:\n    rps: rate(a[5m])\ntransform:\n  valid_metrics: [up, rps]\n', 'etl.yaml:2:3', 'etl.yaml:5:3'],
    ['after', 'transform:\n  valid_metrics: [up, rps]\nextract:\n  queries:\n    rps: rate(a[5m])\n', 'etl.yaml:4:3', 'etl.yaml:2:3'],
  ])('only lets pass where extract.queries stands %s it', async (_, text, query, metric) => {
    expect(await read(text)).toEqual({query: ['rps=rate(a[5m])', query], 'valid-metric': ['up', 'rps', metric]})
  })

  it('asks where extract.queries is empty', async () => {
    const expected = ['up', 'etl.yaml:4:3']
    expect(await read('extract:\n  queries: {}\ntransform:\n  valid_metrics: [up]\n')).toEqual({
      'valid-metric': expected,
      queries: expected,
    })
  })
})

describe('of pipeline.log_level and logging.level the more detailed', () => {
  const ORDERS = [
    ['pipeline.log_level', 'logging.level'],
    ['logging.level', 'pipeline.log_level'],
  ] as const

  it.each<[one: string, other: string, counts: 'one' | 'other']>([
    ['DEBUG', 'INFO', 'one'],
    ['INFO', 'DEBUG', 'other'],
    ['error', 'WARNING', 'other'],
    ['INFO', 'info', 'one'],
    ['CRITICAL', 'trace', 'other'],
    ['loud', 'DEBUG', 'one'],
    ['DEBUG', 'loud', 'other'],
    ['INFO', '', 'one'],
    ['', 'ERROR', 'other'],
  ])('counts, in both orders, and one that is none is not lost: %j, %j', async (one, other, counts) => {
    for (const [first, second] of ORDERS) {
      const found = await read(nested(first, one) + nested(second, other))
      expect(found).toEqual({'log-level': counts === 'one' ? [one, 'etl.yaml:2:3'] : [other, 'etl.yaml:4:3']})
    }
  })
})

describe('monitoring', () => {
  it.each([
    ['enable_metrics: true', 'metrics_port: 8080', ['8080', 'etl.yaml:3:3']],
    ['metrics_port: 8080', 'enable_metrics: true', ['8080', 'etl.yaml:2:3']],
    ['enable_metrics: false', 'metrics_port: 8080', ['0', 'etl.yaml:2:3']],
    ['metrics_port: 8080', 'enable_metrics: false', ['0', 'etl.yaml:3:3']],
  ])('opens no port that is disabled: %s, %s', async (one, other, expected) => {
    expect(await read(`monitoring:\n  ${one}\n  ${other}\n`)).toEqual({'health-port': expected})
  })
})

describe('what has no effect', () => {
  it('is a format of Python: the line says so', async () => {
    const {values, notices} = await readFile('logging:\n  format: "%(asctime)s - %(name)s - %(levelname)s - %(message)s"\n')
    expect(values.size).toBe(0)
    expect(notices).toEqual(['etl.yaml:2:3: the lines of the log have a form of their own; "json" and "pretty" are the choices'])
  })

  it('is a key whose flag the command does not have', async () => {
    const fewer = new Map([['prom-to-influx', new Map([['interval', 'interval']])]])
    const {notices} = await readFile('pipeline:\n  interval_seconds: 300\n  retry_delay: 60\n', {commands: fewer})
    expect(notices).toEqual(['etl.yaml:3:3: pipeline.retry_delay has no effect'])
  })

  it('is nothing else', async () => {
    expect((await readFile(EXAMPLE, {variables: {INFLUXDB_TOKEN: 'abc'}})).notices).toHaveLength(1) // its format
  })
})

describe('the shape of a file', () => {
  it.each(['extract', 'transform', 'load', 'pipeline', 'logging', 'monitoring'])('is that of the pipeline by %s alone', async (section) => {
    expect(await readFile(`${section}:\n`)).toEqual({shape: 'etl', values: new Map(), notices: []})
  })

  it.each(['', '# nothing\n', '---\n', 'null', '{}', '\uFEFF', 'prom-to-influx:\n', 'defaults:\n  log-level: info\n'])(
    'is ours otherwise: %j',
    async (text) => {
      expect((await readFile(text)).shape).toBe('own')
    },
  )

  it('is an error for every other command', async () => {
    const suggestion = 'Name a file with "defaults" and a mapping for each command'
    for (const command of ['produce', 'config show']) {
      await expect(readFile('# mine\nload: {}\nextract: {}\n', {command})).rejects.toMatchObject({
        code: 'USAGE',
        message: 'etl.yaml:2:1: "load" is a section of an etl.yaml, which only prom-to-influx reads',
        suggestion,
      })
    }
  })

  it('is no concern of a command that looks at another', async () => {
    const {shape, values} = await readFile('logging:\n  level: DEBUG\n  file: a.log\n', {command: 'config show', isForAnother: true})
    expect({shape, size: values.size}).toEqual({shape: 'etl', size: 0})
  })
})

describe('YAML', () => {
  it('has anchors and aliases, of values, lists, mappings and sections', async () => {
    const text = `extract:
  timeout: &wait 30
  queries: &asked {up: up}
transform:
  tag_include: &labels [job]
  tag_exclude: *labels
  tags: &own {site: north}
load: &load
  influxdb: &influxdb
    timeout: *wait
pipeline:
  retry_delay: *wait
`
    expect(await read(text)).toEqual({
      'query-timeout': ['30', 'etl.yaml:2:3'],
      query: ['up=up', 'etl.yaml:3:3'],
      'tag-include': ['job', 'etl.yaml:5:3'],
      'tag-exclude': ['job', 'etl.yaml:6:3'],
      tag: ['site=north', 'etl.yaml:7:3'],
      'influx-timeout': ['30', 'etl.yaml:10:5'],
      'retry-delay': ['30', 'etl.yaml:12:3'],
    })
    const aliases = 'transform:\n  tags: &both {up: a}\n  value_ranges: {up: &range [0, 1], down: *range}\nextract:\n  queries: *both\n'
    expect(await read(aliases)).toEqual({
      tag: ['up=a', 'etl.yaml:2:3'],
      'value-range': ['up=0..1', 'down=0..1', 'etl.yaml:3:3'],
      query: ['up=a', 'etl.yaml:5:3'],
    })
  })

  it('may have line breaks of Windows, and a byte order mark', async () => {
    expect(await read('\uFEFFpipeline:\r\n  retry_delay: 60\r\n')).toEqual({'retry-delay': ['60', 'etl.yaml:2:3']})
  })

  it('has ${NAME} in its texts', async () => {
    const text = 'extract:\n  queries: {a: "${A}"}\ntransform:\n  tags: {site: "${SITE:-north}"}\n  value_ranges: {t: ["${MIN}", 9]}\n'
    expect(await read(text, {variables: {A: 'up', MIN: '-3'}})).toEqual({
      query: ['a=up', 'etl.yaml:2:3'],
      tag: ['site=north', 'etl.yaml:4:3'],
      'value-range': ['t=-3..9', 'etl.yaml:5:3'],
    })
  })
})

describe('an error', () => {
  const expression = 'expected an expression, in quotes where it begins with "{"'
  const limit = 'expected a number, or null for no limit'

  it.each<[what: string, text: string, message: string]>([
    ['an unknown section', 'extract:\ntransfrom:\n', '2:1: "transfrom" is no section of an etl.yaml; did you mean "transform"?'],
    ['a section of ours among theirs', 'extract:\nprom-to-influx:\n', '2:1: "prom-to-influx" is no section of an etl.yaml'],
    ['an unknown key', 'extract:\n  timout: 1\n', '2:3: "timout" is no key of extract; did you mean "timeout"?'],
    ['an unknown key of a flag', 'pipeline:\n  interval: 1\n', '2:3: "interval" is no key of pipeline'],
    ['a key of another section', 'logging:\n  log_level: INFO\n', '2:3: "log_level" is no key of logging'],
    ['a key that is too high', 'load:\n  url: a\n', '2:3: "url" is no key of load'],
    ['a near key that is too high', 'load:\n  influx: a\n', '2:3: "influx" is no key of load; did you mean "influxdb"?'],
    ['an unknown key further in', 'load:\n  influxdb:\n    tokn: a\n', '3:5: "tokn" is no key of load.influxdb; did you mean "token"?'],
    [
      'an unknown check',
      'transform:\n  data_cleaning:\n    remove_null: true\n',
      '3:5: "remove_null" is no key of transform.data_cleaning; did you mean "remove_nulls"?',
    ],
    ['what every object has', 'extract:\n  constructor: 1\n', '2:3: "constructor" is no key of extract'],
    ['a key twice', 'extract:\n  timeout: 1\n  timeout: 2\n', '3:3: "timeout" stands here a second time'],
    ['a section twice', 'extract:\n  timeout: 1\nextract:\n', '3:1: "extract" stands here a second time'],
    ['a query twice', 'extract:\n  queries:\n    up: up\n    up: down\n', '4:5: "up" stands here a second time'],
    ['a value for a section', 'extract: http://prometheus:9090\n', '1:10: expected a mapping of keys'],
    ['a list for a section', 'load:\n  influxdb:\n    - url\n', '3:5: expected a mapping of keys'],
    ['an alias of a value for a section', 'extract:\n  timeout: &a 1\nload: *a\n', '3:7: expected a mapping of keys'],
    ['a list for one value', 'extract:\n  timeout: [1, 2]\n', '2:12: expected one value'],
    ['a list of one for one value', 'load:\n  influxdb:\n    url: [http://a]\n', '3:10: expected one value'],
    ['a mapping for one value', 'pipeline:\n  retry_delay:\n    seconds: 1\n', '3:5: expected one value'],
    ['a mapping for a list', 'extract:\n  prometheus_url: {north: http://a}\n', '2:19: expected a value or a list of values'],
    ['a list in a list', 'transform:\n  tag_include: [a, [b]]\n', '2:20: expected a value or a list of values'],
    ['a list for a switch', 'monitoring:\n  enable_metrics: [true]\n', '2:19: expected true or false'],
    ['another word for a switch', 'transform:\n  data_cleaning: {remove_nulls: never}\n', '2:33: expected true or false'],
    ['an expression that is a mapping', 'transform:\n  valid_metrics:\n    - {job="kafka"}\n', `3:7: ${expression}`],
    ['a list of queries', 'extract:\n  queries: [up]\n', '2:12: expected a mapping of names to expressions'],
    ['a query that is a mapping', 'extract:\n  queries:\n    a: {job="kafka"}\n', `3:8: ${expression}`],
    ['a query that is a list', 'extract:\n  queries: {a: [up]}\n', `2:16: ${expression}`],
    ['a query that is empty', 'extract:\n  queries:\n    up: up\n    a:\n', `4:5: ${expression}`],
    ['a query that is blank', 'extract:\n  queries: {a: " "}\n', `2:13: ${expression}`],
    ['a name of a query with =', 'extract:\n  queries: {"a=b": up}\n', '2:13: the name of a query has no "="'],
    ['a list of tags', 'transform:\n  tags: [a=b]\n', '2:9: expected a mapping of names to values'],
    ['a tag with two values', 'transform:\n  tags: {a: [b, c]}\n', '2:13: expected one value'],
    ['a name of a tag with =', 'transform:\n  tags: {"a=b": c}\n', '2:10: the name of a tag has no "="'],
    ['a list of ranges', 'transform:\n  value_ranges: [0, 1]\n', '2:17: expected a mapping of names to [min, max]'],
    ['a range of one', 'transform:\n  value_ranges: {t: [0]}\n', '2:21: expected [min, max]'],
    ['a range of three', 'transform:\n  value_ranges:\n    t: [0, 1, 2]\n', '3:8: expected [min, max]'],
    ['a range that is a number', 'transform:\n  value_ranges: {t: 5}\n', '2:21: expected [min, max]'],
    ['a range that is a mapping', 'transform:\n  value_ranges: {t: {min: 0}}\n', '2:21: expected [min, max]'],
    ['a range upside down', 'transform:\n  value_ranges: {t: [5, 1]}\n', '2:21: expected [min, max], but 5 is above 1'],
    ['a word in a range', 'transform:\n  value_ranges: {t: [0, many]}\n', `2:25: ${limit}`],
    ['no number in a range', 'transform:\n  value_ranges: {t: [0x, .inf]}\n', `2:22: ${limit}`],
    ['a list in a range', 'transform:\n  value_ranges: {t: [0, [1]]}\n', `2:25: ${limit}`],
    ['a format of nobody', 'logging:\n  format: xml\n', '2:11: expected json, pretty, or a format as Python writes it'],
    ['a variable that is not set', 'load:\n  influxdb:\n    token: ${NONE}\n', '3:12: the variable NONE is not set'],
    ['an alias without an anchor', 'extract:\n  timeout: *none\n', '2:12: there is no anchor "none" above'],
    ['a list at the top', '- extract\n', '1:1: expected a mapping of commands'],
    ['two documents', 'extract:\n---\nload:\n', '2:1: there is more than one document in this file'],
  ])('says where it is: %s', async (_, text, message) => {
    await expect(read(text)).rejects.toMatchObject({code: 'USAGE', exitCode: 2, message: `etl.yaml:${message}`})
  })
})

const EXAMPLE = readFileSync(new URL('../../examples/prometheus-etl/etl.yaml', import.meta.url), 'utf8')

describe('the example', () => {
  const variables = {INFLUXDB_TOKEN: 'abc=='}
  const textsIn = async (text: string) =>
    Object.fromEntries([...(await readFile(text, {variables})).values].map(([flag, {texts}]) => [flag, texts]))
  const metrics = [
    'up',
    'http_requests_total',
    'http_request_duration_seconds_bucket',
    'rate(http_requests_total[5m])',
    'histogram_quantile(0.95, rate(http_request_duration_seconds_bucket[5m]))',
    'rate(http_requests_total{status=~"5.."}[5m])',
  ]
  const asItIs = {
    'prometheus-url': ['http://localhost:9090'],
    'query-timeout': ['30'],
    'query-retries': ['3'],
    'valid-metric': metrics,
    'influx-url': ['http://localhost:8086'],
    token: ['abc=='],
    'influx-org': ['monitoring'],
    'influx-bucket': ['health_metrics'],
    'influx-timeout': ['30'],
    'batch-size': ['1000'],
    interval: ['300'],
    'log-level': ['INFO'],
    'max-retries': ['3'],
    'retry-delay': ['60'],
    'log-file': ['logs/etl_pipeline.log'],
    'log-max-size': ['10MB'],
    'log-backups': ['5'],
    'health-port': ['8080'],
    'health-check-interval': ['60'],
  }

  it('has the values of the pipeline', async () => {
    expect(await textsIn(EXAMPLE)).toEqual({...asItIs, queries: metrics})
  })

  it('has the new keys as well, behind a #', async () => {
    expect(await textsIn(EXAMPLE.replaceAll(/^( +)# /gm, '$1'))).toEqual({
      ...asItIs,
      'max-series': ['100000'],
      'query-concurrency': ['10'],
      query: ['request_rate=rate(http_requests_total[5m])', 'kafka={job="kafka-producer"}'],
      'value-range': ['temperature=-40..85', 'http_requests_total=0..'],
      'fallback-measurement': ['health_metrics'],
      tag: ['site=north'],
      'tag-include': ['job', 'instance'],
      'tag-exclude': ['pod'],
    })
  })
})

describe('a value of etl.yaml among those of other origins', () => {
  const setting = (name: string, rest: Partial<Setting> = {}): Setting => ({
    name,
    aliases: [],
    variables: [],
    isRepeatable: false,
    fallback: undefined,
    ...rest,
  })
  const INTERVAL = setting('interval', {variables: ['ETL_INTERVAL_SECONDS'], fallback: '15'})
  const TOKEN = setting('token', {variables: ['INFLUXDB_TOKEN']})
  const settings = [INTERVAL, TOKEN, setting('queries', {isRepeatable: true})]
  const etl = 'pipeline:\n  interval_seconds: 300\nload:\n  influxdb:\n    token: filed\ntransform:\n  valid_metrics: [up]\n'

  interface Origins {
    readonly typed?: Readonly<Record<string, string>>
    readonly environment?: ConfigInputs['environment']
    readonly files?: Readonly<Record<string, string>>
    readonly isForAnother?: boolean
  }

  async function resolve({typed = {}, environment = {}, files = {}, ...rest}: Origins = {}) {
    inFolderWith({'etl.yaml': etl, ...files})
    return resolveConfiguration({
      command: 'prom-to-influx',
      settings,
      typed: new Map(Object.entries({config: 'etl.yaml', ...typed}).map(([name, text]) => [name, [text]])),
      environment,
      commands,
      readsConfigFile: true,
      ...rest,
    })
  }

  const filed = '300 config file etl.yaml:2:3'
  it.each<[origins: Origins, interval: string, overridden?: string[]]>([
    [{typed: {interval: '1'}, environment: {ETL_INTERVAL_SECONDS: '2'}}, '1 flag --interval'],
    [{typed: {interval: ''}, environment: {ETL_INTERVAL_SECONDS: ''}}, filed],
    [
      {environment: {ETL_INTERVAL_SECONDS: '2'}},
      '2 environment ETL_INTERVAL_SECONDS',
      ['ETL_INTERVAL_SECONDS overrides etl.yaml:2:3 (interval)'],
    ],
    [
      {typed: {'env-file': 'named.env'}, files: {'named.env': 'UCS_INTERVAL=3'}},
      '3 env file UCS_INTERVAL',
      ['UCS_INTERVAL overrides etl.yaml:2:3 (interval)'],
    ],
    [{files: {'.env': 'ETL_INTERVAL_SECONDS=4'}}, filed],
    [{}, filed],
    [{files: {'etl.yaml': 'extract:\n', '.env': 'ETL_INTERVAL_SECONDS=4'}}, '4 .env ETL_INTERVAL_SECONDS'],
    [{files: {'etl.yaml': 'extract:\n'}}, '15 default default'],
  ])('counts as one of a config file: %j', async (origins, interval, overridden = []) => {
    const configuration = await resolve(origins)
    const {texts, origin} = configuration.values.get('interval')!
    expect(`${texts.join(' ')} ${origin.kind} ${origin.name}`).toBe(interval)
    expect(configuration.overridden).toEqual(overridden)
  })

  it('is named when a variable overrides what is asked for', async () => {
    const {values, overridden} = await resolve({environment: {UCS_QUERIES: 'a\nb'}})
    expect(values.get('queries')?.texts).toEqual(['a', 'b'])
    expect(overridden).toEqual(['UCS_QUERIES overrides etl.yaml:7:3 (queries)'])
  })

  it('is masked where it is secret, also when a stronger one hides it', async () => {
    const {everyText, overridden} = await resolve({environment: {INFLUXDB_TOKEN: 'set'}})
    expect(everyText(TOKEN)).toEqual(['set', 'filed'])
    expect(overridden).toEqual(['INFLUXDB_TOKEN overrides etl.yaml:5:5 (token)'])
  })

  it('is not overridden by the variable that it names', async () => {
    const files = {'etl.yaml': etl.replace('filed', '${INFLUXDB_TOKEN}')}
    const {values, overridden} = await resolve({files, environment: {INFLUXDB_TOKEN: 'set'}})
    expect(values.get('token')?.texts).toEqual(['set'])
    expect(overridden).toEqual([])
  })

  it.each<[shape: string | undefined, origins: Origins]>([
    ['etl', {}],
    ['own', {files: {'etl.yaml': ''}}],
    [undefined, {typed: {config: ''}}],
  ])('comes with the shape of its file: %s', async (shape, origins) => {
    expect((await resolve(origins)).configShape).toBe(shape)
  })

  it('comes with what is to be said of its file', async () => {
    const files = {'etl.yaml': 'logging:\n  format: "%(message)s"\n'}
    expect((await resolve({files})).notices).toEqual([expect.stringContaining('etl.yaml:2:3: the lines of the log')])
    expect((await resolve()).notices).toEqual([])
  })
})
