import type {BooleanFlag, OptionFlag} from '@oclif/core/interfaces'
import {boolean as booleanFlag, string as stringFlag} from '@oclif/core/flags'
import type {Setting} from '../runtime/given.ts'
import {UsageError} from '../errors.ts'
import {parseBoolean} from '../format/boolean.ts'
import {parseDuration} from '../format/duration.ts'
import {parseSize} from '../format/size.ts'

/** What a flag of ours carries besides what oclif knows: how a text from anywhere becomes its value. */
export interface FlagRules<T> {
  /** Undefined: nobody gave one, and there is no default. Throws UsageError, which the caller completes with the origin. */
  decode(texts: readonly string[] | undefined): T
  /** Besides UCS_<COMMAND>_<FLAG> and UCS_<FLAG>. */
  readonly variables: readonly string[]
  /** Masked in every output. */
  readonly isSecret: boolean
  readonly fallback: string | undefined
  /** A variable of the seeds whose bad value is warned of and replaced by the default. */
  readonly lenientVariable: string | undefined
}

type OclifFlag = OptionFlag<string | undefined> | BooleanFlag<boolean>
export type Flag<T> = OclifFlag & {readonly rules: FlagRules<T>}
export type FlagSet = Readonly<Record<string, Flag<unknown>>>
export type Values<F extends FlagSet> = {readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never}

interface Common {
  /** A fragment in lower case. */
  readonly summary: string
  readonly group?: string
  readonly variables?: readonly string[]
  readonly aliases?: readonly string[]
  readonly isSecret?: boolean
  readonly lenientVariable?: string
  /** What to call the value in help: "FILE". */
  readonly value?: string
}

type Decoder<T> = (text: string) => T

/** A flag with a value. With a default the value is always there. */
export function valueFlag<T>(decode: Decoder<T>, options: Common & {readonly fallback: string}): Flag<T>
export function valueFlag<T>(decode: Decoder<T>, options: Common): Flag<T | undefined>
export function valueFlag<T>(decode: Decoder<T>, options: Common & {readonly fallback?: string}): Flag<T | undefined> {
  const rules: FlagRules<T | undefined> = {
    decode: (texts) => (texts === undefined ? undefined : decode(theOnly(texts))),
    ...common(options, options.fallback),
  }
  return Object.assign(stringFlag({...display(options), ...(options.fallback === undefined ? {} : {default: options.fallback})}), {rules})
}

interface ListOptions extends Common {
  /** The one value of a list that nobody gave. */
  readonly fallback?: string
  /** Takes all words up to the next flag. */
  readonly isGreedy?: boolean
}

/** A flag that may be given several times; in a variable the values stand on lines of their own. */
export function listFlag<T>(decode: Decoder<T>, options: ListOptions): Flag<readonly T[]> {
  const {fallback, isGreedy = false} = options
  const rules: FlagRules<readonly T[]> = {decode: (texts = []) => texts.map(decode), ...common(options, fallback)}
  const flag = stringFlag({
    ...display(options),
    multiple: true,
    multipleNonGreedy: !isGreedy,
    ...(fallback === undefined ? {} : {default: [fallback]}),
  })
  return Object.assign(flag, {rules}) as unknown as Flag<readonly T[]>
}

/** The same flag, for a command whose users know it by more variables; those come after its own. */
export function withVariables<T>(flag: Flag<T>, more: readonly string[]): Flag<T> {
  const variables = [...flag.rules.variables, ...more]
  return Object.assign({...flag}, {env: variables.join(', '), rules: {...flag.rules, variables}})
}

/** A flag that is on or off; one that is on by default is switched off by --no-. */
export function toggleFlag(options: Common & {readonly isOnByDefault?: boolean}): Flag<boolean> {
  const {isOnByDefault = false} = options
  const rules: FlagRules<boolean> = {
    decode: (texts) => decodeBoolean(theOnly(texts!)),
    ...common(options, String(isOnByDefault)),
  }
  return Object.assign(booleanFlag({...display(options), allowNo: isOnByDefault}), {rules})
}

/** A list in a config file may hold several. */
function theOnly(texts: readonly string[]): string {
  const [only, ...others] = texts
  if (others.length > 0) throw new UsageError('expected one value')
  return only!
}

function common({variables = [], isSecret = false, lenientVariable}: Common, fallback: string | undefined) {
  return {variables, isSecret, fallback, lenientVariable}
}

/** `env` is for help alone: values are resolved by us, from every origin. */
function display({summary, group, variables = [], aliases = [], value}: Common) {
  return {
    summary,
    ...(group ? {helpGroup: group} : {}),
    ...(variables.length > 0 ? {env: variables.join(', ')} : {}),
    ...(aliases.length > 0 ? {aliases: [...aliases]} : {}),
    ...(value ? {helpValue: value} : {}),
  }
}

export function toSetting(name: string, flag: Flag<unknown>): Setting {
  const {variables, fallback} = flag.rules
  return {
    name,
    aliases: flag.aliases ?? [],
    variables,
    fallback,
    isRepeatable: flag.type === 'option' && flag.multiple === true,
  }
}

// Decoders. What is wrong with a text they say as the end of a sentence: "--rows: expected …".

export const text: Decoder<string> = (given) => given

export function oneOf<const T extends string>(choices: readonly T[]): Decoder<T> {
  return (given) => {
    const choice = choices.find((candidate) => candidate === given.toLowerCase())
    if (choice === undefined) throw new UsageError(`expected ${orList(choices)}`)
    return choice
  }
}

export function integer({min, max = Number.MAX_SAFE_INTEGER}: {min: number; max?: number}): Decoder<number> {
  return (given) => {
    const value = Number(given)
    if (!/^\d+$/.test(given.trim()) || value < min || value > max) {
      throw new UsageError(
        max === Number.MAX_SAFE_INTEGER ? `expected a whole number from ${min} on` : `expected a whole number from ${min} to ${max}`,
      )
    }

    return value
  }
}

/** Milliseconds. */
export const duration: Decoder<number> = (given) => {
  const milliseconds = parseDuration(given.trim())
  if (milliseconds === undefined) throw new UsageError('expected a duration such as 500ms, 2s, 5m, 1h or 30d; a bare number means seconds')
  return milliseconds
}

/** The same where none at all would make no sense. */
export const someDuration: Decoder<number> = (given) => {
  const milliseconds = duration(given)
  if (milliseconds === 0) throw new UsageError('expected a duration above 0, such as 500ms or 30s')
  return milliseconds
}

/** Bytes, at least one. */
export const size: Decoder<number> = (given) => {
  const bytes = parseSize(given.trim())
  if (!bytes) throw new UsageError('expected a size such as 512KB or 10MB')
  return bytes
}

/** Split at the first equals sign. */
export const nameAndValue: Decoder<readonly [name: string, value: string]> = (given) => {
  const at = given.indexOf('=')
  if (at < 1 || at === given.length - 1) throw new UsageError('expected NAME=VALUE')
  return [given.slice(0, at), given.slice(at + 1)]
}

export const httpUrl: Decoder<URL> = (given) => {
  const url = URL.canParse(given) ? new URL(given) : undefined
  if (!url || !/^https?:$/.test(url.protocol)) throw new UsageError('expected an address such as http://localhost:8086')
  return url
}

function decodeBoolean(given: string): boolean {
  const value = parseBoolean(given)
  if (value === undefined) throw new UsageError('expected true or false')
  return value
}

const orList = (choices: readonly string[]) => [choices.slice(0, -1).join(', '), choices.at(-1)].filter(Boolean).join(' or ')
