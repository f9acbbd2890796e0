import type {Given} from './given.ts'
import type {YamlFile} from './yaml-file.ts'
import {parseBoolean} from '../format/boolean.ts'
import {numericValue} from '../format/numeric.ts'
import {LOG_LEVELS, parseLogLevel} from './log-level.ts'

/* The file of the ETL pipeline, etl.yaml: sections and keys of its own, each of which stands for a flag of ours. */

/** The command that takes the pipeline's place. */
export const ETL_COMMAND = 'prom-to-influx'

export interface EtlValues {
  /** By the name of the flag. */
  readonly values: ReadonlyMap<string, Given>
  /** Sentences about what has no effect. */
  readonly notices: readonly string[]
}

/** What a key gives to a flag: texts for the flag's own decoder, none where it says what would be so anyway. */
interface Reading {
  readonly flag: string
  readonly texts: readonly string[]
  readonly notice?: string
}
type Key = (value: unknown, file: YamlFile) => Reading
interface Section {
  readonly [name: string]: Key | Section
}

const EXPRESSION = 'an expression, in quotes where it begins with "{"'

const SECTIONS = {
  extract: {
    prometheus_url: several('prometheus-url'),
    timeout: one('query-timeout'),
    retry_attempts: one('query-retries'),
    queries: namedExpressions,
    max_series: one('max-series'),
    concurrency: one('query-concurrency'),
  },
  transform: {
    valid_metrics: metrics,
    data_cleaning: {
      remove_nulls: unless('skip-check', 'nulls'),
      validate_timestamps: unless('skip-check', 'timestamps'),
      remove_duplicates: unless('skip-check', 'duplicates'),
      validate_value_ranges: unless('skip-check', 'ranges'),
    },
    value_ranges: ranges,
    fallback_measurement: one('fallback-measurement'),
    tags,
    tag_include: several('tag-include'),
    tag_exclude: several('tag-exclude'),
  },
  load: {
    influxdb: {
      url: one('influx-url'),
      token: one('token'),
      org: one('influx-org'),
      bucket: one('influx-bucket'),
      timeout: one('influx-timeout'),
      batch_size: one('batch-size'),
    },
  },
  pipeline: {
    interval_seconds: one('interval'),
    log_level: one('log-level'),
    max_retries: one('max-retries'),
    retry_delay: one('retry-delay'),
  },
  logging: {
    level: one('log-level'),
    format: lineFormat,
    file: one('log-file'),
    max_size: one('log-max-size'),
    backup_count: one('log-backups'),
  },
  monitoring: {
    enable_metrics: unless('health-port', '0'),
    metrics_port: one('health-port'),
    health_check_interval: one('health-check-interval'),
  },
} satisfies Section

/** Where several keys give something to one flag, in the order of the file. */
const TOGETHER: Readonly<Record<string, (one: Given, other: Given) => Given>> = {
  // The pipeline obeyed logging.level alone, and told its users to set pipeline.log_level.
  'log-level': (one, other) => (detailRank(other) < detailRank(one) ? other : one),
  'skip-check': ({texts, origin}, other) => ({texts: [...texts, ...other.texts], origin}),
  'health-port': (one, other) => (one.texts[0] === '0' ? one : other),
}

export const isEtlSection = (key: string) => Object.hasOwn(SECTIONS, key)

/** All of the file is checked. `known` are the flags of the command. */
export function readEtlFile(file: YamlFile, known: ReadonlySet<string>): EtlValues {
  const values = new Map<string, Given>()
  const notices: string[] = []
  for (const {place, key, flag, texts, notice} of readings(file, file.top, SECTIONS, [])) {
    if (notice !== undefined) notices.push(`${place}: ${notice}`)
    if (texts.length === 0) continue
    if (!known.has(flag)) notices.push(`${place}: ${key} has no effect`)
    const given: Given = {texts, origin: {kind: 'config file', name: place}}
    const earlier = values.get(flag)
    values.set(flag, earlier ? TOGETHER[flag]!(earlier, given) : given)
  }

  const asked = values.get('valid-metric')
  if (asked && !values.has('query')) values.set('queries', asked)
  return {values, notices}
}

function* readings(
  file: YamlFile,
  node: unknown,
  section: Section,
  path: readonly string[],
): Generator<Reading & {readonly place: string; readonly key: string}> {
  for (const entry of file.entries(node, path.length === 0 ? 'a mapping of sections' : 'a mapping of keys')) {
    const rule = Object.hasOwn(section, entry.key) ? section[entry.key] : undefined
    if (!rule) throw file.unknownKey(entry, Object.keys(section), path.length === 0 ? 'section of an etl.yaml' : `key of ${path.join('.')}`)
    const own = [...path, entry.key]
    if (typeof rule === 'function') yield {...rule(entry.value, file), place: file.place(entry.node), key: own.join('.')}
    else yield* readings(file, entry.value, rule, own)
  }
}

function one(flag: string): Key {
  return (value, file) => {
    const text = file.text(value, 'one value')
    return {flag, texts: text === undefined ? [] : [text]}
  }
}

function several(flag: string): Key {
  return (value, file) => ({flag, texts: file.texts(value, 'a value or a list of values')})
}

/** A switch that is on when nobody says otherwise; off, it is this text of the flag. */
function unless(flag: string, otherwise: string): Key {
  return (value, file) => {
    const text = file.text(value, 'true or false')
    const isOn = text === undefined || parseBoolean(text)
    if (isOn === undefined) throw file.fault(value, 'expected true or false')
    return {flag, texts: isOn ? [] : [otherwise]}
  }
}

function namedExpressions(value: unknown, file: YamlFile): Reading {
  const texts = [...file.entries(value, 'a mapping of names to expressions')].map(({key, value: expression, node}) => {
    if (key.includes('=')) throw file.fault(node, 'the name of a query has no "="')
    const text = file.text(expression, EXPRESSION)?.trim()
    if (!text) throw file.fault(node, `expected ${EXPRESSION}`)
    return `${key}=${text}`
  })
  return {flag: 'query', texts}
}

/** Each is compared with expressions later on, and those have no white space around them. */
function metrics(value: unknown, file: YamlFile): Reading {
  const texts = file.texts(value, EXPRESSION).map((text) => text.trim())
  return {flag: 'valid-metric', texts: texts.filter((text) => text !== '')}
}

function tags(value: unknown, file: YamlFile): Reading {
  const texts = [...file.entries(value, 'a mapping of names to values')].flatMap(({key, value: own, node}) => {
    if (key.includes('=')) throw file.fault(node, 'the name of a tag has no "="')
    const text = file.text(own, 'one value')
    return text === undefined ? [] : [`${key}=${text}`]
  })
  return {flag: 'tag', texts}
}

function ranges(value: unknown, file: YamlFile): Reading {
  const expected = '[min, max]'
  const texts = [...file.entries(value, `a mapping of names to ${expected}`)].flatMap(({key, value: range}) => {
    const ends = file.elements(range)
    if (!ends && file.text(range, expected) === undefined) return []
    if (ends?.length !== 2) throw file.fault(range, `expected ${expected}`)
    const [min, max] = ends.map((end) => numberIn(end, file))
    if (min !== undefined && max !== undefined && min > max) throw file.fault(range, `expected ${expected}, but ${min} is above ${max}`)
    return [`${key}=${min ?? ''}..${max ?? ''}`]
  })
  return {flag: 'value-range', texts}
}

function numberIn(end: unknown, file: YamlFile): number | undefined {
  const expected = 'a number, or null for no limit'
  const text = file.text(end, expected)
  const value = numericValue(text)
  if (text !== undefined && value === undefined) throw file.fault(end, `expected ${expected}`)
  return value
}

function lineFormat(value: unknown, file: YamlFile): Reading {
  const flag = 'log-format'
  const text = file.text(value, 'one value')
  if (text === undefined) return {flag, texts: []}
  if (/%\(\w+\)/.test(text))
    return {flag, texts: [], notice: 'the lines of the log have a form of their own; "json" and "pretty" are the choices'}
  if (!/^(json|pretty)$/i.test(text)) throw file.fault(value, 'expected json, pretty, or a format as Python writes it')
  return {flag, texts: [text]}
}

/** A text that names no level comes first, so that whoever decodes it says so. */
function detailRank({texts}: Given): number {
  const level = parseLogLevel(texts[0]!)
  return level === undefined ? -1 : LOG_LEVELS.indexOf(level)
}
