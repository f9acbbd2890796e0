import {UsageError} from '../errors.ts'
import {nearest} from '../format/nearest.ts'

/** `ids` are oclif's, "config:show". */
export function unknownCommand(name: string, ids: readonly string[]): UsageError {
  const meant = nearest(
    name,
    ids.map((id) => id.replaceAll(':', ' ')),
  )
  return new UsageError(`there is no command "${name}"`, {
    suggestion: meant ? `Did you mean ucs ${meant}?` : 'ucs --help lists the commands',
  })
}
