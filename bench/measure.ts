import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {readFile} from 'node:fs/promises'

/** What one run of a whole process took. */
export interface Run {
  readonly seconds: number
  readonly peakMegabytes: number
  readonly exitCode: number | null
  readonly output: string
}

export interface TimedOptions {
  /** The program has no end of its own: it is ended when this resolves, which is what is timed. */
  readonly until?: () => Promise<void>
  readonly env?: Readonly<Record<string, string>>
}

/** Starts a program and waits for its end. */
export async function timed(command: readonly [string, ...string[]], {until, env = {}}: TimedOptions = {}): Promise<Run> {
  const [program, ...args] = command
  const begun = performance.now()
  const child = spawn(program, args, {env: {...process.env, ...env}, stdio: ['ignore', 'pipe', 'pipe']})
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (piece: Buffer) => (output = (output + piece.toString()).slice(-4000)))
  let peakMegabytes = 0
  const watch = setInterval(() => void peakOf(child.pid!).then((peak) => (peakMegabytes = Math.max(peakMegabytes, peak))), 50)
  const ended = once(child, 'close') as Promise<[number | null]>
  if (until) await Promise.race([until(), ended])
  const untilDone = performance.now()
  if (until && child.exitCode === null) child.kill('SIGTERM')
  const [exitCode] = await ended
  clearInterval(watch)
  return {seconds: ((until ? untilDone : performance.now()) - begun) / 1000, peakMegabytes, exitCode, output}
}

/** Linux keeps the high-water mark of a process's memory. */
const peakOf = (pid: number) => memoryOf(pid, /VmHWM:\s+(\d+) kB/)

/** What it has at the moment. */
export const residentMegabytes = (pid: number) => memoryOf(pid, /VmRSS:\s+(\d+) kB/)

/** 0 when it is no more. */
async function memoryOf(pid: number, line: RegExp): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(line.exec(status)?.[1] ?? 0) / 1024
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[sorted.length >> 1]!
}

/** Rounds in which each contender runs once, so that a drifting machine is fair to all. */
export async function interleaved<T>(
  rounds: number,
  contenders: Readonly<Record<string, (round: number) => Promise<T>>>,
): Promise<Record<string, T[]>> {
  const results: Record<string, T[]> = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const [name, run] of Object.entries(contenders)) results[name]!.push(await run(round))
  }

  return results
}

export function row(cells: readonly (string | number)[]): void {
  console.log(cells.map((cell, index) => (index === 0 ? String(cell).padEnd(34) : String(cell).padStart(14))).join(''))
}
