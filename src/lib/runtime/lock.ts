import {link, readFile, rename, rm, writeFile} from 'node:fs/promises'
import {hostname} from 'node:os'
import {dirname} from 'node:path'
import {IoError, LockedError} from '../errors.ts'
import {makeFolder} from './folder.ts'

/** A lock that is held. */
export interface Lock {
  release(): Promise<void>
}

interface Holder {
  readonly pid: number
  /** When the process began: a pid is used again, a pair of pid and beginning is not. */
  readonly began: string
  readonly host: string
}

/**
 * Takes the lock at this path, or rejects with LockedError and says who holds it.
 * A lock whose process is gone is taken over; one of another host counts as held.
 */
export async function acquireLock(path: string): Promise<Lock> {
  const mine: Holder = {pid: process.pid, began: (await beginningOf(process.pid)) ?? '', host: hostname()}
  const draft = `${path}.${process.pid}.${Math.trunc(performance.now() * 1000)}`
  try {
    makeFolder(dirname(path))
    await writeFile(draft, JSON.stringify(mine), {flag: 'wx', mode: 0o600})
    if (!(await linked(draft, path))) await takeOver(path, draft)
  } catch (cause) {
    if (cause instanceof LockedError) throw cause
    throw new IoError(`cannot lock ${path}: ${(cause as Error).message}`, {cause})
  } finally {
    await rm(draft, {force: true}).catch(() => {}) // what went wrong was said before
  }

  return {release: () => rm(path, {force: true})}
}

/**
 * Of several that find the same stale lock one may replace it: who holds the lock for that, which is one like any other.
 * Whoever comes to hold it later finds another lock than the stale one.
 */
async function takeOver(path: string, draft: string): Promise<void> {
  const found = await contentOf(path)
  const holder = found === undefined ? undefined : parseHolder(found)
  if (holder && (await isAlive(holder))) throw lockedBy(`is held by process ${holder.pid} on ${holder.host}`)
  const replacing = await acquireLock(`${path}.takeover`).catch((error: unknown) => {
    throw error instanceof LockedError ? lockedBy('is being taken by another process') : error
  })
  try {
    const isTaken = (await contentOf(path)) !== found || (found === undefined && !(await linked(draft, path)))
    if (isTaken) throw lockedBy('was taken by another process at the same moment')
    if (found !== undefined) await rename(draft, path)
  } finally {
    await replacing.release()
  }

  function lockedBy(whom: string): LockedError {
    return new LockedError(`${path} ${whom}`, {suggestion: 'Wait for that run to end'})
  }
}

/** A hard link either appears with its content or not at all, and never replaces anything. */
async function linked(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** Undefined: it was released in the meantime. */
async function contentOf(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
}

/** Undefined: no lock of ours, or one that a power cut left empty. */
function parseHolder(text: string): Holder | undefined {
  try {
    return JSON.parse(text) as Holder
  } catch {
    return undefined
  }
}

async function isAlive({pid, began, host}: Holder): Promise<boolean> {
  if (host !== hostname()) return true
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }

  const now = await beginningOf(pid)
  return now === undefined || began === '' || now === began
}

/** In clock ticks since the machine started; undefined where there is no /proc. */
async function beginningOf(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}
