import type {CommandSettings, Given} from './given.ts'
import {openYamlFile} from './yaml-file.ts'

export interface ConfigFileOptions {
  readonly command: string
  readonly commands: CommandSettings
  /** What `${NAME}` stands for. */
  interpolate(name: string): string | undefined
}

const DEFAULTS = 'defaults'
/** They say where values are read from, this file among it. */
const NOT_IN_HERE = ['config', 'env-file']

/**
 * Reads `defaults:` and one mapping a command, whose keys are flag names. All of the file is checked, whichever command runs:
 * each error says file:line:column, and a key that nobody knows the nearest one that somebody does.
 */
export async function readConfigFile(path: string, options: ConfigFileOptions): Promise<ReadonlyMap<string, Given>> {
  const file = await openYamlFile(path, '--config', options.interpolate)
  const ours = options.commands.get(options.command)
  const everySetting = new Set([...options.commands.values()].flatMap((names) => [...names.keys()]))
  const [defaults, own] = [new Map<string, Given>(), new Map<string, Given>()]
  for (const section of file.entries(file.top, 'a mapping of commands')) {
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
