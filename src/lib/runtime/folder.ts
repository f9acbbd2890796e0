import {mkdirSync, statSync} from 'node:fs'
import {dirname} from 'node:path'

/**
 * Makes a folder and those above it, where they are missing. What Node has for this never returns where the system answers ENOENT
 * although the folder above exists, as `/proc` does.
 */
export function makeFolder(path: string, mode = 0o777): void {
  if (isFolder(path)) return
  makeFolder(dirname(path), mode)
  try {
    mkdirSync(path, {mode})
  } catch (error) {
    if (!isFolder(path)) throw error // another process may have been faster
  }
}

const isFolder = (path: string) => statSync(path, {throwIfNoEntry: false})?.isDirectory() ?? false
