import type {LogEvent} from '../core/types.ts'

/** What a transform noticed in records that it could nevertheless use: counted, and warned of once a name. */
export interface Observations {
  /** `kind` is the log's event, "field.skipped"; `name` is what it happened to. */
  note(kind: string, name: string, detail?: Readonly<Record<string, unknown>>): void
  /** By kind and name. */
  readonly counts: Readonly<Record<string, Readonly<Record<string, number>>>>
}

/** Names come from the data: past this many of a kind they are counted together, so that memory stays bounded. */
const MAX_NAMES = 1000
const OTHERS = '(others)'

export function createObservations(warn: LogEvent): Observations {
  const counts: Record<string, Record<string, number>> = {}
  const sizes: Record<string, number> = {}
  return {
    counts,
    note(kind, name, detail = {}) {
      const names = (counts[kind] ??= Object.create(null) as Record<string, number>)
      const size = (sizes[kind] ??= 0)
      const counted = name in names || size < MAX_NAMES ? name : OTHERS
      if (names[counted] === undefined) {
        sizes[kind] = size + 1
        warn(kind, {...(counted === '' ? {} : {name: counted}), ...detail})
      }

      names[counted] = (names[counted] ?? 0) + 1
    },
  }
}
