import {isDeepStrictEqual} from 'node:util'
import type {CollectorFile} from './collector-file.ts'
import type {ConfigFile, ConfigShape} from './config-file.ts'
import type {CommandSettings, Given, Origin, Setting} from './given.ts'
import {UsageError} from '../errors.ts'
import {parseEnvFile} from '../format/env-file.ts'
import {heldSecrets} from '../format/redact.ts'
import {readConfigFile} from './config-file.ts'
import {readNamedFile} from './named-file.ts'

export interface ConfigInputs {
  /** "kafka-to-influx", "buckets create" */
  readonly command: string
  readonly settings: readonly Setting[]
  /** What was typed, by the name of the setting. */
  readonly typed: ReadonlyMap<string, readonly string[]>
  readonly environment: Readonly<Record<string, string | undefined>>
  /** What a config file may name: every command's settings, by their names and aliases. */
  readonly commands: CommandSettings
  /** Settings whose `--config` file has a shape of its own leave it to whoever reads it. */
  readonly readsConfigFile: boolean
  /** This command looks at another's values, which are resolved apart: a config file that only the other understands is left to it. */
  readonly isForAnother?: boolean
}

export interface Configuration {
  readonly values: ReadonlyMap<string, Given>
  /** Environment variables that hide a key of the config file: `KAFKA_BROKER overrides ucs.yaml:3:5 (broker)`. */
  readonly overridden: readonly string[]
  /** Sentences about what has no effect in the config file. */
  readonly notices: readonly string[]
  /** Undefined where no config file was read. */
  readonly configShape: ConfigShape | undefined
  /** All texts of a setting, also those that a stronger origin hides: secrets are masked by them. */
  everyText(setting: Setting): readonly string[]
  /** All variables of such a name, each from its strongest origin: for names that nobody knows beforehand. */
  variables(name: RegExp): ReadonlyMap<string, Given>
  /** What of a collector's file no flag can say. */
  readonly collector: CollectorFile | undefined
  /** What is probably secret among variables and in the config file, whoever reads it. */
  readonly heldSecrets: readonly string[]
}

type Layer = ReadonlyMap<string, string>

/** Strongest first: flag, environment, named env file, config file, `.env` of the working folder, default. Empty counts as unset. */
export async function resolveConfiguration(inputs: ConfigInputs): Promise<Configuration> {
  const {settings, typed, environment, command} = inputs
  const variables: Layer = new Map(Object.entries(environment).flatMap(([name, value]) => (value ? [[name, value]] : [])))
  const pathFrom = (name: string, ...layers: Layer[]) =>
    [typed.get(name)?.[0], ...layers.map((layer) => ownText(layer, name))].find(Boolean)
  const found: Layer = await readEnvFile('.env', 'may be missing')
  const envFile = pathFrom('env-file', variables, found)
  const named: Layer = envFile ? await readEnvFile(envFile) : new Map()
  const configFile = pathFrom('config', variables, named, found)
  const interpolate = (name: string) => variables.get(name) ?? named.get(name) ?? found.get(name)
  const file: ConfigFile | undefined =
    configFile && inputs.readsConfigFile ? await readConfigFile(configFile, {...inputs, interpolate}) : undefined

  return {
    values: new Map(settings.flatMap((setting) => given(setting)).map((entry) => [entry.name, entry])),
    overridden: settings.flatMap(overrides),
    notices: file?.notices ?? [],
    configShape: file?.shape,
    everyText: (setting) => candidates(setting).flatMap(({texts}) => texts),
    variables(name) {
      const layers = [
        [found, '.env'],
        [named, 'env file'],
        [variables, 'environment'],
      ] as const
      return new Map(
        layers.flatMap(([layer, kind]) =>
          [...layer].flatMap(([variable, text]) =>
            name.test(variable) && text ? [[variable, {texts: [text], origin: {kind, name: variable}}] as const] : [],
          ),
        ),
      )
    },
    collector: file?.collector,
    heldSecrets: [
      ...[variables, named, found].flatMap((layer) => heldSecrets(Object.fromEntries(layer))),
      ...(file?.collector?.sources ?? []).flatMap(({token}) => token?.text ?? []),
    ],
  }

  function given(setting: Setting): (Given & {name: string})[] {
    const strongest = candidates(setting)[0]
    return strongest ? [{name: setting.name, ...strongest}] : []
  }

  function candidates(setting: Setting): readonly Given[] {
    const layers: (Given | undefined)[] = [
      fromTexts(typed.get(setting.name), {kind: 'flag', name: `--${setting.name}`}),
      fromVariable(variables, setting, 'environment'),
      fromVariable(named, setting, 'env file'),
      file?.values.get(setting.name),
      fromVariable(found, setting, '.env'),
      setting.fallback === undefined ? undefined : {texts: [setting.fallback], origin: {kind: 'default', name: 'default'}},
    ]
    return layers.filter((layer) => layer !== undefined)
  }

  function ownText(layer: Layer, name: string): string | undefined {
    return lookUp(layer, {name, aliases: [], variables: []}, command)?.text
  }

  function fromVariable(layer: Layer, setting: Setting, kind: Origin['kind']): Given | undefined {
    const variable = lookUp(layer, setting, command)
    const texts = setting.isRepeatable ? variable?.text.split('\n') : variable && [variable.text]
    return fromTexts(texts, {kind, name: variable?.name ?? ''})
  }

  function overrides(setting: Setting): string[] {
    const hidden = file?.values.get(setting.name)
    const stronger = candidates(setting)[0]
    if (!hidden || (stronger?.origin.kind !== 'environment' && stronger?.origin.kind !== 'env file')) return []
    if (isDeepStrictEqual(stronger.texts, hidden.texts)) return [] // the file may name the very variable: token: ${INFLUX_TOKEN}
    return [`${stronger.origin.name} overrides ${hidden.origin.name} (${setting.name})`]
  }
}

/** The names of a setting's variables, the strongest first. */
export function variableNames(
  {name, aliases, variables}: Pick<Setting, 'name' | 'aliases' | 'variables'>,
  command: string,
): readonly string[] {
  const flags = [name, ...aliases].map(toVariable)
  return [...flags.map((flag) => `UCS_${toVariable(command)}_${flag}`), ...flags.map((flag) => `UCS_${flag}`), ...variables]
}

const toVariable = (name: string) => name.replace(/[^a-z0-9]+/gi, '_').toUpperCase()

function lookUp(
  layer: Layer,
  setting: Pick<Setting, 'name' | 'aliases' | 'variables'>,
  command: string,
): {name: string; text: string} | undefined {
  for (const name of variableNames(setting, command)) {
    const text = layer.get(name)
    if (text) return {name, text}
  }

  return undefined
}

function fromTexts(texts: readonly string[] | undefined, origin: Origin): Given | undefined {
  const filled = texts?.filter((text) => text !== '') ?? []
  return filled.length > 0 ? {texts: filled, origin} : undefined
}

async function readEnvFile(path: string, missing?: 'may be missing'): Promise<Layer> {
  try {
    return parseEnvFile(await readNamedFile(path, '--env-file'))
  } catch (error) {
    if (missing && error instanceof UsageError) return new Map()
    throw error
  }
}
