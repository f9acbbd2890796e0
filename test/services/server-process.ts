import {type ChildProcess, spawn} from 'node:child_process'
import {once} from 'node:events'
import {open, readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'
import {removeFolder} from './fresh-folder.ts'
import {guardAgainstOrphan} from './orphan-guard.ts'

const READY_MILLISECONDS = 60_000
const PROBE_EVERY_MILLISECONDS = 50
const STOP_MILLISECONDS = 15_000

export interface ServerRecipe {
  readonly name: string
  /** The server's own, with all that it writes; removed by `stop`. */
  readonly folder: string
  readonly command: string
  readonly args: readonly string[]
  /** Asked again and again until it answers true. That it rejects means: not yet. */
  isReady(): Promise<boolean>
}

export interface ServerProcess {
  /** Another one after a restart. */
  readonly pid: number
  /** Ends the server and removes its folder. */
  stop(): Promise<void>
  /** The same data at the same address. Resolves when it is ready again. */
  restart(options?: RestartOptions): Promise<void>
}

export interface RestartOptions {
  /** SIGKILL for a crash. */
  readonly signal?: 'SIGTERM' | 'SIGKILL'
  /** The outage lasts as long as this. */
  readonly whileDown?: () => Promise<void>
}

/** Resolves when the server is ready; else it is ended, and the error ends with what it logged last. */
export async function startServer(recipe: ServerRecipe): Promise<ServerProcess> {
  let running = await launch(recipe)

  return {
    get pid() {
      return running.pid
    },
    async stop() {
      await running.end('SIGTERM')
      await removeFolder(recipe.folder)
    },
    async restart({signal = 'SIGTERM', whileDown} = {}) {
      await running.end(signal)
      await whileDown?.()
      running = await launch(recipe)
    },
  }
}

interface Running {
  readonly pid: number
  end(signal: NodeJS.Signals): Promise<void>
}

async function launch(recipe: ServerRecipe): Promise<Running> {
  const log = await open(logOf(recipe), 'a')
  const child = spawn(recipe.command, recipe.args, {stdio: ['ignore', log.fd, log.fd]})
  try {
    await once(child, 'spawn')
  } finally {
    await log.close()
  }

  const pid = child.pid!
  const guard = guardAgainstOrphan(pid, recipe.folder)
  const end = async (signal: NodeJS.Signals) => {
    await endProcess(child, signal)
    guard.release()
  }

  try {
    await untilReady(recipe, child)
  } catch (error) {
    await end('SIGKILL')
    throw error
  }

  return {pid, end}
}

async function untilReady(recipe: ServerRecipe, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + READY_MILLISECONDS
  while (!(await recipe.isReady().catch(() => false))) {
    if (hasEnded(child)) throw new Error(`${recipe.name} ended at once: ${await lastLines(recipe)}`)
    if (performance.now() > deadline) {
      throw new Error(`${recipe.name} was not ready after ${READY_MILLISECONDS / 1000} s: ${await lastLines(recipe)}`)
    }

    await sleep(PROBE_EVERY_MILLISECONDS)
  }
}

async function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (hasEnded(child)) return
  const ended = once(child, 'exit')
  child.kill(signal)
  const impatience = setTimeout(() => child.kill('SIGKILL'), STOP_MILLISECONDS)
  await ended
  clearTimeout(impatience)
}

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

const logOf = ({folder}: ServerRecipe) => join(folder, 'server.log')

async function lastLines(recipe: ServerRecipe): Promise<string> {
  const lines = (await readFile(logOf(recipe), 'utf8')).trimEnd().split('\n')
  return lines.slice(-8).join('\n')
}
