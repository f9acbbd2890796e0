import {link, mkdir, readFile, rename, rm, writeFile} from 'node:fs/promises'
import {hostname} from 'node:os'
import {dirname} from 'node:path'
import {IoError, LockedError} from '../errors.ts'

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
    await mkdir(dirname(path), {recursive: true})
    await writeFile(draft, JSON.stringify(mine), {flag: 'wx', mode: 0o600})
    if (!(await linked(draft, path))) {
      const found = await readFile(path, 'utf8').catch(() => '')
      const holder = parseHolder(found)
      const suggestion = 'Wait for that run to end'
      if (holder && (await isAlive(holder)))
        throw new LockedError(`${path} is held by process ${holder.pid} on ${holder.host}`, {suggestion})
      await removeStale(path, found, draft)
      if (!(await linked(draft, path))) throw new LockedError(`${path} was taken by another process at the same moment`, {suggestion})
    }
  } catch (cause) {
    if (cause instanceof LockedError) throw cause
    throw new IoError(`cannot lock ${path}: ${(cause as Error).message}`, {cause})
  } finally {
    await rm(draft, {force: true})
  }

  return {release: () => rm(path, {force: true})}
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

/** Of two that found the same stale lock, the second may have moved the first one's new lock aside: then it puts it back. */
async function removeStale(path: string, found: string, draft: string): Promise<void> {
  const aside = `${draft}.stale`
  try {
    await rename(path, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }

  if ((await readFile(aside, 'utf8')) !== found) await linked(aside, path)
  await rm(aside, {force: true})
}

function parseHolder(text: string): Holder | undefined {
  try {
    return JSON.parse(text) as Holder
  } catch {
    return undefined // released in the meantime, or no lock of ours
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
