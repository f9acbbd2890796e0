import {open, readFile, rename, rm} from 'node:fs/promises'
import {createHash} from 'node:crypto'
import {dirname, join} from 'node:path'
import type {Checkpoint} from '../core/types.ts'
import {IoError} from '../errors.ts'
import {makeFolder} from './folder.ts'

/** What a cursor file holds. */
interface Saved {
  readonly version: 1
  readonly key: string
  readonly cursor: string
}

export interface FileCheckpoint extends Checkpoint {
  /** There is nothing to go on from any more. */
  forget(key: string): Promise<void>
  /** Where a run that has the key to itself holds its lock. */
  lockPath(key: string): string
}

/** Cursors as files of mode 0600 in a folder, one a key: written aside, synced, and renamed into place. */
export function createFileCheckpoint(folder: string): FileCheckpoint {
  return {
    async load(key) {
      const path = pathOf(key)
      try {
        const saved = JSON.parse(await readFile(path, 'utf8')) as Saved
        if (saved.version !== 1) throw new Error(`version ${String(saved.version)} is not one that this release knows`)
        return saved.cursor
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
        throw new IoError(`cannot read the cursor in ${path}: ${(cause as Error).message}`, {cause})
      }
    },
    async save(key, cursor) {
      const path = pathOf(key)
      try {
        makeFolder(dirname(path), 0o700)
        await writeDurably(path, `${JSON.stringify({version: 1, key, cursor} satisfies Saved)}\n`)
      } catch (cause) {
        throw new IoError(`cannot save the cursor in ${path}: ${(cause as Error).message}`, {cause})
      }
    },
    async forget(key) {
      const path = pathOf(key)
      await rm(path, {force: true}).catch((cause: Error) => {
        throw new IoError(`cannot remove the cursor in ${path}: ${cause.message}`, {cause})
      })
    },
    lockPath: (key) => `${pathOf(key)}.lock`,
  }

  function pathOf(key: string): string {
    const readable = key.replaceAll(/[^\w.-]+/g, '_').slice(0, 60)
    return join(folder, `${readable}-${createHash('sha256').update(key).digest('hex').slice(0, 12)}.json`)
  }
}

/** After it resolves a power cut leaves the new content, before it the old; never something between. */
async function writeDurably(path: string, content: string): Promise<void> {
  const draft = `${path}.${process.pid}.draft`
  try {
    const file = await open(draft, 'w', 0o600)
    const written = (async () => {
      await file.writeFile(content)
      await file.sync()
    })()
    await written.finally(() => file.close())
    await rename(draft, path)
  } catch (error) {
    await rm(draft, {force: true}).catch(() => {}) // a full disk leaves an empty one
    throw error
  }

  const folder = await open(dirname(path), 'r')
  await folder.sync().finally(() => folder.close())
}
