import {type ChildProcess, spawn} from 'node:child_process'
import {once} from 'node:events'
import {createWriteStream} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import type {JsonResult} from '../../src/lib/cli/report.ts'

const PROGRAM = fileURLToPath(new URL('../../bin/run.js', import.meta.url))
const BROKEN = fileURLToPath(new URL('ack-before-write.mjs', import.meta.url))

export interface ConsumerOptions {
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Where they leave their logs, consumer-1.log and so on. */
  readonly cwd: string
  /** Proves that the suite sees a loss. */
  readonly acksBeforeWrite: boolean
}

/** Processes of `ucs` that are started again whenever they end, as a supervisor does. */
export interface Consumers {
  add(): void
  /** SIGKILL to one of them. Resolves with what it was called in its group, if it had joined. */
  kill(index: number): Promise<string | undefined>
  /** Ends one of them as an operator would. */
  end(index: number): Promise<void>
  /** What one of them is called in its group, if it has joined. */
  memberId(index: number): string | undefined
  /** Ends them all as an operator would. */
  stop(): Promise<void>
  /** What each run that could speak has said at its end. */
  readonly results: readonly JsonResult[]
  /** How the runs have ended so far: exit codes, and null for those that were killed. */
  readonly exits: readonly (number | null)[]
}

interface Member {
  memberId: string | undefined
}

const RESTART_MILLISECONDS = 200

export function startConsumers({args, env, cwd, acksBeforeWrite}: ConsumerOptions): Consumers {
  const running = new Map<ChildProcess, Member>()
  const supervised: Promise<void>[] = []
  const results: JsonResult[] = []
  const exits: (number | null)[] = []
  let started = 0
  let isOver = false

  return {
    results,
    exits,
    add: () => void supervised.push(supervise()),
    async kill(index) {
      const [child, member] = choose(index)
      await signal(child, 'SIGKILL')
      return member?.memberId
    },
    end: (index) => signal(choose(index)[0], 'SIGTERM'),
    memberId: (index) => choose(index)[1]?.memberId,
    async stop() {
      isOver = true
      for (const child of running.keys()) child.kill('SIGTERM')
      await Promise.all(supervised)
    },
  }

  /** Nothing when all of them are down. */
  function choose(index: number): [child?: ChildProcess, member?: Member] {
    const children = [...running]
    return children[index % children.length] ?? []
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
    const member: Member = {memberId: undefined}
    running.set(child, member)
    child.stderr.pipe(createWriteStream(join(cwd, `consumer-${++started}.log`)))
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

async function signal(child: ChildProcess | undefined, name: NodeJS.Signals): Promise<void> {
  if (!child) return
  const closed = once(child, 'close')
  child.kill(name)
  await closed
}
