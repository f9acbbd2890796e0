import {UsageError} from '../errors.ts'
import {nearest} from '../format/nearest.ts'

/** What is wrong with words that name no command. Both are oclif's, "config:show". No word is repeated that names no topic: it may be a secret. */
export function unknownCommand(id: string, ids: readonly string[]): UsageError {
  const first = id.split(':', 1)[0]!
  const complete = ids.find((known) => id.startsWith(`${known}:`))
  const isTopic = ids.some((known) => known.startsWith(`${first}:`))
  if (complete && !isTopic) {
    const command = spaced(complete)
    return new UsageError(`there is an argument too many after ${command}`, {suggestion: `ucs ${command} --help`})
  }

  if (first.startsWith('-')) return new UsageError('a command comes before its flags', {suggestion: 'ucs --help lists the commands'})
  const names = ids.map(spaced)
  const meant = nearest(spaced(id), names) ?? nearest(first, names)
  return new UsageError(isTopic ? `there is no such command of ucs ${first}` : 'there is no such command', {
    suggestion: meant ? `Did you mean ucs ${meant}?` : `ucs ${isTopic ? `${first} ` : ''}--help lists the commands`,
  })
}

const spaced = (id: string) => id.replaceAll(':', ' ')
