import {accessSync, constants} from 'node:fs'
import {homedir} from 'node:os'
import {delimiter, join} from 'node:path'

/** Where install.sh puts the servers. */
export const servicesFolder = () => process.env.UCS_SERVICES || join(homedir(), '.cache', 'ucs-services')

export function commandOnPath(name: string): string | undefined {
  const candidates = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name))
  return candidates.find(isExecutable)
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export const notInstalled = (name: string, remedy = '') => new Error(`${name} is not installed${remedy && `: ${remedy}`}`)
