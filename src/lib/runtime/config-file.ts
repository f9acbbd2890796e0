import type {CommandSettings, Given} from './given.ts'
import type {Entry, YamlFile} from './yaml-file.ts'
import type {CollectorFile} from './collector-file.ts'
import {COLLECT_COMMAND, isCollectorSection, readCollectorFile} from './collector-file.ts'
import {ETL_COMMAND, isEtlSection, readEtlFile} from './etl-file.ts'
import {openYamlFile} from './yaml-file.ts'

export interface ConfigFileOptions {
  readonly command: string
  readonly commands: CommandSettings
  /** Another command is the one that the file is for: a shape that this one does not know is left to it. */
  readonly isForAnother?: boolean | undefined
  /** What `${NAME}` stands for. */
  interpolate(name: string): string | undefined
}

/** Ours, that of the ETL pipeline, or that of the collector. */
export type ConfigShape = 'own' | 'etl' | 'collector'

export interface ConfigFile {
  readonly shape: ConfigShape
  /** By the name of the setting. */
  readonly values: ReadonlyMap<string, Given>
  /** Sentences about what has no effect. */
  readonly notices: readonly string[]
  /** What of a collector's file no flag can say. */
  readonly collector?: CollectorFile
}

const DEFAULTS = 'defaults'
/** They say where values are read from, this file among it. */
const NOT_IN_HERE = ['config', 'env-file']

/** All of the file is checked: each error says file:line:column, and a key that nobody knows the nearest one that somebody does. */
export async function readConfigFile(path: string, options: ConfigFileOptions): Promise<ConfigFile> {
  const file = await openYamlFile(path, '--config', options.interpolate)
  const sections = [...file.entries(file.top, 'a mapping of commands')]
  const own = sections.find(({key}) => isCollectorSection(key))
  if (own) return collectorValues(file, sections, own, options)
  const foreign = sections.find(({key}) => isEtlSection(key))
  return foreign
    ? {shape: 'etl', ...etlValues(file, foreign, options)}
    : {shape: 'own', values: ownValues(file, sections, options), notices: []}
}

function etlValues(file: YamlFile, {key, node}: Entry, {command, commands, isForAnother}: ConfigFileOptions) {
  if (command === ETL_COMMAND) return readEtlFile(file, new Set(commands.get(command)?.keys()))
  if (isForAnother) return {values: new Map<string, Given>(), notices: []}
  throw file.fault(node, `"${key}" is a section of an etl.yaml, which only ${ETL_COMMAND} reads`, {
    suggestion: `Name a file with "${DEFAULTS}" and a mapping for each command`,
  })
}

function collectorValues(
  file: YamlFile,
  sections: readonly Entry[],
  {key, node}: Entry,
  {command, commands, isForAnother}: ConfigFileOptions,
): ConfigFile {
  const shape = 'collector'
  if (command === COLLECT_COMMAND) {
    const known = new Map([...(commands.get(command) ?? [])].filter(([name]) => !NOT_IN_HERE.includes(name)))
    return {shape, notices: [], ...readCollectorFile(file, sections, known)}
  }

  if (isForAnother) return {shape, values: new Map<string, Given>(), notices: []}
  throw file.fault(node, `"${key}" is a key of a collect.yaml, which only ${COLLECT_COMMAND} reads`, {
    suggestion: `Name a file with "${DEFAULTS}" and a mapping for each command`,
  })
}

/** `defaults:` and one mapping a command, whose keys are flag names; checked for every command, whichever runs. */
function ownValues(file: YamlFile, sections: readonly Entry[], options: ConfigFileOptions): ReadonlyMap<string, Given> {
  const ours = options.commands.get(options.command)
  const everySetting = new Set([...options.commands.values()].flatMap((names) => [...names.keys()]))
  const [defaults, own] = [new Map<string, Given>(), new Map<string, Given>()]
  for (const section of sections) {
    const isDefaults = section.key === DEFAULTS
    const known = isDefaults ? everySetting : options.commands.get(section.key)
    if (!known) throw file.unknownKey(section, [DEFAULTS, ...options.commands.keys()], 'command')
    for (const entry of file.entries(section.value, 'a mapping of flags')) {
      const {key, value, node} = entry
      if (NOT_IN_HERE.includes(key)) throw file.fault(node, `"${key}" cannot be set in a config file`)
      if (!known.has(key)) throw file.unknownKey(entry, known.keys(), isDefaults ? 'flag' : `flag of ${section.key}`)
      const texts = file.texts(value, 'a value or a list of values')
      const name = ours?.get(key)
      if (name === undefined || texts.length === 0) continue
      const given: Given = {texts, origin: {kind: 'config file', name: file.place(node)}}
      if (isDefaults) defaults.set(name, given)
      else if (section.key === options.command) own.set(name, given)
    }
  }

  return new Map([...defaults, ...own])
}
