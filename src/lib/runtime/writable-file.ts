import type {Stats} from 'node:fs'
import {access, constants, stat} from 'node:fs/promises'
import {dirname, resolve} from 'node:path'
import {IoError, UsageError} from '../errors.ts'

/**
 * Whether a file that the user has named can be written, without making it or a folder above it.
 * Rejects with UsageError where the name is that of a folder, with IoError where the disk or its permissions are against it.
 */
export async function checkWritable(path: string, flag: string): Promise<void> {
  try {
    const found = await statOf(path)
    if (found?.isDirectory() || path.endsWith('/'))
      throw new UsageError(`${path} is a folder and not a file`, {suggestion: `Name a file with ${flag}`})
    if (found) await access(path, constants.W_OK)
    if (!found || found.isFile()) await access(await nearestFolder(path), constants.W_OK | constants.X_OK) // its lock lies beside it
  } catch (cause) {
    if (cause instanceof UsageError) throw cause
    throw new IoError(`cannot write ${path}: ${(cause as Error).message}`, {
      cause,
      suggestion: `Make its folder writable for this user, or name another file with ${flag}`,
    })
  }
}

/** The lowest folder above that is there: those between would be made. */
async function nearestFolder(path: string): Promise<string> {
  let folder = dirname(resolve(path))
  while (!(await statOf(folder))) folder = dirname(folder)
  return folder
}

async function statOf(path: string): Promise<Stats | undefined> {
  return stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
}
