import {type ChildProcess, spawn} from 'node:child_process'
import {once} from 'node:events'
import {fileURLToPath} from 'node:url'
import type {JsonResult} from '../../src/lib/cli/report.ts'

const PROGRAM = fileURLToPath(new URL('../../bin/run.js', import.meta.url))
const BROKEN = fileURLToPath(new URL('ack-before-write.mjs', import.meta.url))

export interface ConsumerOptions {
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** Proves that the suite sees a loss. */
  readonly acksBeforeWrite: boolean
}

/** Processes of `ucs` that are started again whenever they end, as a supervisor does. */
export interface Consumers {
  add(): void
  /** SIGKILL to one of them. Resolves with what it was called in its group, if it had joined. */
  kill(index: number): Promise<string | undefined>
  /** Ends them all as an operator would. Resolves with what each run that could speak has said at its end. */
  stop(): Promise<readonly JsonResult[]>
  /** How the runs have ended so far: exit codes, and null for those that were killed. */
  readonly exits: readonly (number | null)[]
}

const RESTART_MILLISECONDS = 200

export function startConsumers({args, env, cwd, acksBeforeWrite}: ConsumerOptions): Consumers {
  const running = new Map<ChildProcess, {memberId: string | undefined}>()
  const supervised: Promise<void>[] = []
  const results: JsonResult[] = []
  const exits: (number | null)[] = []
  let isOver = false

  return {
    exits,
    add: () => void supervised.push(supervise()),
    async kill(index) {
      const children = [...running]
      const chosen = children[index % children.length]
      if (!chosen) return undefined
      const [child, member] = chosen
      child.kill('SIGKILL')
      await once(child, 'close')
      return member.memberId
    },
    async stop() {
      isOver = true
      for (const child of running.keys()) child.kill('SIGTERM')
      await Promise.all(supervised)
      return results
    },
  }

  async function supervise(): Promise<void> {
    while (!isOver) {
      await runOnce()
      if (!isOver) await new Promise((resolve) => setTimeout(resolve, RESTART_MILLISECONDS))
    }
  }

  async function runOnce(): Promise<void> {
    const preload = acksBeforeWrite ? ['--import', BROKEN] : []
    const environment = {PATH: process.env['PATH'], HOME: cwd, ...env}
    const child = spawn(process.execPath, [...preload, PROGRAM, ...args], {cwd, env: environment, stdio: ['ignore', 'pipe', 'pipe']})
    const member = {memberId: undefined as string | undefined}
    running.set(child, member)
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      member.memberId = /"memberId":"([^"]+)"/.exec(text)?.[1] ?? member.memberId
    })
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    const [code] = (await once(child, 'close')) as [number | null]
    running.delete(child)
    exits.push(code)
    if (stdout !== '') results.push(JSON.parse(stdout) as JsonResult)
  }
}
