import type {QuerySettings} from './collect-queries.ts'
import type {Named, SourceSettings} from './collect-source.ts'
import type {Given} from './given.ts'
import type {Entry, YamlFile} from './yaml-file.ts'
import {readQueries} from './collect-queries.ts'

/* The collector's own file, collect.yaml: servers and queries, and the flags of the command by their names. */

/** The command that reads it. */
export const COLLECT_COMMAND = 'collect'

/** What of the file no flag can say. */
export interface CollectorFile {
  /** Undefined: the file names none. */
  readonly sources: readonly SourceSettings[] | undefined
  readonly queries: readonly QuerySettings[] | undefined
}

export interface CollectorValues {
  /** By the name of the flag. */
  readonly values: ReadonlyMap<string, Given>
  readonly collector: CollectorFile
}

const SECTIONS = ['sources', 'central', 'queries', 'queries_file', 'bucket_map', 'host_map']
/** Each stands for a flag. */
const CENTRAL: Readonly<Record<string, string>> = {
  url: 'influx-url',
  token: 'token',
  token_file: 'token-file',
  org: 'influx-org',
  bucket: 'influx-bucket',
  timeout: 'influx-timeout',
  ca: 'influx-ca',
}
const SOURCE_KEYS = ['url', 'org', 'token', 'token_file', 'buckets', 'host']

export const isCollectorSection = (key: string) => SECTIONS.includes(key)

/** All of the file is checked. `known` are the flags of the command, by their names and aliases. */
export function readCollectorFile(file: YamlFile, sections: readonly Entry[], known: ReadonlyMap<string, string>): CollectorValues {
  const values = new Map<string, Given>()
  let [sources, queries]: [CollectorFile['sources'], CollectorFile['queries']] = [undefined, undefined]
  for (const section of sections) {
    const {key, value, node} = section
    if (key === 'sources') sources = [...file.entries(value, 'a mapping of names to servers')].map((entry) => readSource(file, entry))
    else if (key === 'queries') queries = readQueries(file, value)
    else if (key === 'central') readCentral(value)
    else if (key === 'bucket_map' || key === 'host_map') give(key.replace('_', '-'), pairs(file, value), node)
    else if (key === 'queries_file') give('queries-file', file.texts(value, 'one value'), node)
    else if (known.has(key)) give(known.get(key)!, file.texts(value, 'a value or a list of values'), node)
    else throw file.unknownKey(section, [...SECTIONS, ...known.keys()], 'key of a collect.yaml')
  }

  return {values, collector: {sources, queries}}

  function give(flag: string, texts: readonly string[], node: unknown): void {
    if (texts.length > 0) values.set(flag, {texts, origin: {kind: 'config file', name: file.place(node)}})
  }

  function readCentral(section: unknown): void {
    for (const entry of file.entries(section, 'a mapping of keys')) {
      const flag = Object.hasOwn(CENTRAL, entry.key) ? CENTRAL[entry.key] : undefined
      if (flag === undefined) throw file.unknownKey(entry, Object.keys(CENTRAL), 'key of central')
      give(flag, file.texts(entry.value, 'one value'), entry.node)
    }
  }
}

function readSource(file: YamlFile, {key: name, value, node}: Entry): SourceSettings {
  const keys = new Map<string, Entry>()
  for (const entry of file.entries(value, 'a mapping with the keys url, org, token and buckets')) {
    if (!SOURCE_KEYS.includes(entry.key)) throw file.unknownKey(entry, SOURCE_KEYS, `key of the source ${name}`)
    keys.set(entry.key, entry)
  }

  const optional = (key: string): Named | undefined => {
    const entry = keys.get(key)
    const text = entry && file.text(entry.value, 'one value')
    return text === undefined ? undefined : {text, origin: file.place(entry!.node)}
  }
  const needed = (key: string): Named => {
    const found = optional(key)
    if (!found) throw file.fault(node, `the source ${name} has no ${key}`)
    return found
  }
  const [token, tokenFile] = [optional('token'), optional('token_file')]
  if (!token && !tokenFile) throw file.fault(node, `the source ${name} has neither token nor token_file`)
  if (token && tokenFile) throw file.fault(node, `the source ${name} has both token and token_file`)
  const buckets = keys.has('buckets') ? file.texts(keys.get('buckets')!.value, 'a name or a list of names') : []
  if (buckets.length === 0) throw file.fault(node, `the source ${name} has no buckets`)
  return {
    name,
    host: optional('host')?.text ?? name,
    url: needed('url'),
    org: needed('org'),
    token,
    tokenFile,
    buckets: [...new Set(buckets)],
  }
}

/** `A=B`, as the flag takes them; nothing is a value as well. */
function pairs(file: YamlFile, node: unknown): readonly string[] {
  return [...file.entries(node, 'a mapping of names to names')].map(({key, value, node: at}) => {
    if (key.includes('=')) throw file.fault(at, 'a name here has no "="')
    return `${key}=${file.text(value, 'one value') ?? ''}`
  })
}
