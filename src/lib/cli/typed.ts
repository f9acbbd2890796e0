import type {Flag, FlagSet} from './flag.ts'
import {UsageError} from '../errors.ts'
import {editDistance, nearest} from '../format/nearest.ts'

/** What was typed, and nothing from anywhere else. */
export interface Typed {
  readonly flags: ReadonlyMap<string, readonly string[]>
  readonly args: Readonly<Record<string, string | undefined>>
  /** Words that are no flags, in order. */
  readonly words: readonly string[]
}

/** The same flags with their values left as text, and without defaults and variables: those are ours to resolve. */
export function bareFlags(flags: FlagSet): Record<string, object> {
  const asTyped = async (value: unknown) => Promise.resolve(value)
  return Object.fromEntries(
    Object.entries(flags).map(([name, {rules: _, ...flag}]) => [name, {...flag, parse: asTyped, default: undefined, env: undefined}]),
  )
}

export function typedFlags(parsed: Readonly<Record<string, unknown>>): Typed['flags'] {
  const texts = Object.entries(parsed).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, [value].flat().map(String)] as const],
  )
  return new Map(texts)
}

/** The words before the first flag, or after flags that are known: what follows a stranger may be its value, and a secret. */
export function firstWords(argv: readonly string[], known: FlagSet): readonly string[] {
  const begin = firstWordAt(argv, known, 'Name the command before its flags')
  const end = argv.findIndex((word, index) => index >= begin && word.startsWith('-'))
  return argv.slice(begin, end === -1 ? undefined : end)
}

/** Where the first word is that is no flag and no value of one. `otherwise` is what to suggest at a stranger. */
export function firstWordAt(argv: readonly string[], known: FlagSet, otherwise: string): number {
  let begin = 0
  while (argv[begin]?.startsWith('--')) {
    const flag = knownFlag(argv[begin]!.slice(2), known)
    if (!flag && !argv[begin]!.includes('=')) throw unknownFlag(argv[begin]!, known, otherwise)
    begin += flag?.type === 'option' ? 2 : 1
  }

  return begin
}

function knownFlag(name: string, known: FlagSet): Flag<unknown> | undefined {
  const named = known[name] ?? Object.values(known).find(({aliases}) => aliases?.includes(name))
  const negated = known[name.replace(/^no-/, '')]
  return named ?? (negated?.type === 'boolean' && negated.allowNo ? negated : undefined)
}

/** A parser's error without what was typed: a value may be a secret in the wrong place. */
export function translateParseError(error: unknown, flags: FlagSet): unknown {
  const {flags: unknown, args, message} = error as {flags?: readonly string[]; args?: readonly (string | {name: string})[]; message: string}
  if (Array.isArray(unknown)) return unknownFlag(unknown[0] as string, flags)
  if (Array.isArray(args)) {
    const missing = args.flatMap((arg: string | {name: string}) => (typeof arg === 'string' ? [] : [arg.name.toUpperCase()]))
    return missing.length > 0
      ? new UsageError(`${missing.join(' ')} is missing`, {suggestion: 'See --help'})
      : new UsageError('there is an argument too many', {suggestion: 'Put a value with spaces in quotes; see --help'})
  }

  if (/^Flag --[\w-]+ /.test(message)) return new UsageError(message.split('\n', 1)[0]!.replace(/^Flag /, ''), {suggestion: 'See --help'})
  return error
}

/** Of a stranger no more is repeated than what is surely the name of a flag, misspelt: a value may be glued to it, "--tokenS3cret". */
function unknownFlag(typed: string, flags: FlagSet, otherwise = 'See --help'): UsageError {
  const name = typed.replace(/=.*/s, '')
  const known = Object.entries(flags).flatMap(([flag, {aliases = []}]) => [flag, ...aliases].map((alias) => `--${alias}`))
  const glued = known.filter((flag) => name.startsWith(flag)).sort((a, b) => b.length - a.length)[0]
  const meant = nearest(name, known)
  const isMisspelling = /^--[a-z][a-z-]*$/.test(name) && meant !== undefined && meant !== glued && isNear(name, meant)
  if (glued !== undefined && !isMisspelling) {
    return new UsageError('there is no such flag', {suggestion: `Did you mean ${glued}? A value follows its flag after a space or =`})
  }

  return new UsageError(isMisspelling ? `there is no flag ${name}` : 'there is no such flag', {
    suggestion: meant ? `Did you mean ${meant}?` : otherwise,
  })
}

/** Two letters apart, as "rwos" is from "rows", or with a needless "no-". */
const isNear = (name: string, meant: string) => editDistance(name, meant) <= 2 || name === meant.replace(/^--/, '--no-')
