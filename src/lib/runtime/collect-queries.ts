import type {Named} from './collect-source.ts'
import type {Entry, YamlFile} from './yaml-file.ts'
import {UsageError} from '../errors.ts'
import {timeOfTemplate} from '../format/flux-query.ts'

/** A query as it was given; what it leaves out the flags say. */
export interface QuerySettings {
  readonly name: string
  readonly template: string | undefined
  /** How far back a first run goes, and how much a query asks for that names no time. */
  readonly minutes: number | undefined
  /** Names, with `*` for any text; empty: every bucket. */
  readonly buckets: readonly string[]
  readonly measurements: readonly string[]
  readonly excludedFields: readonly string[]
  readonly mode: Named | undefined
  readonly every: Named | undefined
  readonly fn: Named | undefined
  readonly strings: Named | undefined
  readonly keptTags: readonly string[] | undefined
}

const KEYS = [
  'flux_query',
  'minutes',
  'buckets',
  'measurements',
  'exclude_fields',
  'mode',
  'every',
  'fn',
  'strings',
  'keep_tags',
  'description',
] as const

/** The mapping of names to queries, of queries.yaml and of collect.yaml. */
export function readQueries(file: YamlFile, node: unknown): readonly QuerySettings[] {
  return [...file.entries(node, 'a mapping of names to queries')].map((entry) => readQuery(file, entry))
}

function readQuery(file: YamlFile, {key: name, value}: Entry): QuerySettings {
  const keys = new Map<string, Entry>()
  for (const entry of file.entries(value, 'a mapping with the key flux_query')) {
    if (!KEYS.some((key) => key === entry.key)) throw file.unknownKey(entry, KEYS, `key of the query ${name}`)
    keys.set(entry.key, entry)
  }

  const named = (key: (typeof KEYS)[number]): Named | undefined => {
    const entry = keys.get(key)
    const text = entry && file.text(entry.value, 'one value')
    return text === undefined ? undefined : {text, origin: file.place(entry!.node)}
  }
  const list = (key: (typeof KEYS)[number]) => {
    const entry = keys.get(key)
    return entry && file.texts(entry.value, 'a name or a list of names')
  }
  const template = named('flux_query')
  if (template) checkTemplate(file, keys.get('flux_query')!, template.text)
  return {
    name,
    template: template?.text,
    minutes: minutesOf(file, keys.get('minutes')),
    buckets: list('buckets') ?? [],
    measurements: list('measurements') ?? [],
    excludedFields: list('exclude_fields') ?? [],
    mode: named('mode'),
    every: named('every'),
    fn: named('fn'),
    strings: named('strings'),
    keptTags: list('keep_tags'),
  }
}

function checkTemplate(file: YamlFile, {value}: Entry, text: string): void {
  try {
    timeOfTemplate(text)
  } catch (error) {
    if (error instanceof UsageError) throw file.fault(value, error.message, {suggestion: error.suggestion})
    throw error
  }
}

function minutesOf(file: YamlFile, entry: Entry | undefined): number | undefined {
  const text = entry && file.text(entry.value, 'a number of minutes')
  if (text === undefined) return undefined
  if (!/^[1-9]\d{0,5}$/.test(text)) throw file.fault(entry!.value, 'expected a whole number of minutes, such as 5')
  return Number(text)
}
