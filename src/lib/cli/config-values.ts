import type {Given} from '../runtime/given.ts'
import type {FlagSet} from './flag.ts'
import {redactUrls} from '../format/redact.ts'

export interface ShownValue {
  readonly flag: string
  /** As it was given; null where nothing was. */
  readonly value: string | null
  readonly origin: string | null
}

/** The values of flags as they may be shown. */
export function shownValues(flags: FlagSet, given: ReadonlyMap<string, Given>): readonly ShownValue[] {
  return Object.entries(flags).map(([flag, {rules}]) => {
    const found = given.get(flag)
    if (!found) return {flag, value: null, origin: null}
    const {kind, name} = found.origin
    const value = rules.isSecret ? '***' : redactUrls(found.texts.join(', '))
    return {flag, value, origin: kind === 'default' ? 'default' : `${kind} ${name}`}
  })
}
