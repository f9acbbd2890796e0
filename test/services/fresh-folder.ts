import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

/** A server gets a folder, and removes it when it is stopped. If it does not even start, the folder is removed here. */
export async function inFreshFolder<T>(name: string, start: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), `ucs-${name}-`))
  try {
    return await start(folder)
  } catch (error) {
    await removeFolder(folder)
    throw error
  }
}

export const removeFolder = (folder: string) => rm(folder, {recursive: true, force: true, maxRetries: 3})
