import type {Configuration} from '../runtime/config.ts'
import type {Given} from '../runtime/given.ts'
import type {Flag, FlagSet, Values} from './flag.ts'
import {UcsError, UsageError} from '../errors.ts'
import {ORIGINS} from '../runtime/given.ts'
import {toSetting} from './flag.ts'

/** The values of a command's flags, and where each came from. */
export interface Settings<F extends FlagSet> {
  readonly values: Values<F>
  readonly given: ReadonlyMap<string, Given>
  /** Sentences about values that were replaced by defaults. */
  readonly warnings: readonly string[]
  /** Every secret that any origin holds, also a weaker one's. */
  readonly secrets: readonly string[]
}

/** Turns texts into values. Throws UsageError that names the flag or variable of the first bad one. */
export function decodeSettings<F extends FlagSet>(flags: F, configuration: Pick<Configuration, 'values' | 'everyText'>): Settings<F> {
  const warnings: string[] = []
  const given = new Map(configuration.values)
  const values = Object.entries(flags).map(([name, flag]) => [name, decode(name, flag)])
  return {values: Object.fromEntries(values) as Values<F>, given, warnings, secrets: secretsOf(flags, configuration)}

  function decode(name: string, {rules}: Flag<unknown>): unknown {
    const own = given.get(name)
    try {
      return rules.decode(own?.texts)
    } catch (error) {
      if (!(error instanceof UcsError) || !own) throw error
      const {kind, name: origin} = own.origin
      const sentence = `${kind === 'flag' ? `--${name}` : origin}: ${error.message}` // without the value: it may be a secret in the wrong place
      if (origin !== rules.lenientVariable) throw new UsageError(sentence, {cause: error, suggestion: error.suggestion})
      warnings.push(`${sentence}; using ${rules.fallback}`)
      given.set(name, {texts: [rules.fallback!], origin: {kind: 'default', name: 'default'}})
      return rules.decode([rules.fallback!])
    }
  }
}

function secretsOf(flags: FlagSet, configuration: Pick<Configuration, 'values' | 'everyText'>): readonly string[] {
  const secret = Object.entries(flags).filter(([, flag]) => flag.rules.isSecret)
  return secret.flatMap(([name, flag]) => configuration.everyText(toSetting(name, flag)))
}

/**
 * Of settings that exclude each other, the one with the strongest origin; undefined when none is given.
 * Two of the same origin are a mistake.
 */
export function strongestOf(given: ReadonlyMap<string, Given>, names: readonly string[]): string | undefined {
  const present = names.flatMap((name) => {
    const kind = given.get(name)?.origin.kind
    return kind === undefined ? [] : [{name, rank: ORIGINS.indexOf(kind)}]
  })
  const [first, second] = present.sort((a, b) => a.rank - b.rank)
  if (first && second && first.rank === second.rank) throw new UsageError(`--${first.name} and --${second.name} exclude each other`)
  return first?.name
}
