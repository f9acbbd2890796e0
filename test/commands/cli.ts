import {type ChildProcess, spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdtempSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {onTestFinished} from 'vitest'
import type {JsonResult} from '../../src/lib/cli/report.ts'

export const PROGRAM = fileURLToPath(new URL('../../bin/run.js', import.meta.url))

export interface CliResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** The one object of `--json`. */
  json(): JsonResult
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly input?: string | Buffer
}

/** A test that fails leaves its endless run behind. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Runs the built program as a user would, in an environment of its own. */
export async function ucs(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const {child, result} = startUcs(args, options)
  child.stdin.on('error', () => {}) // it may end before it has read everything
  child.stdin.end(options.input)
  return result
}

/** The same, without waiting for its end: for signals and for reading its output as it comes. */
export function startUcs(args: readonly string[], {env = {}, cwd = temporaryFolder()}: CliOptions = {}) {
  const child = spawn(process.execPath, [PROGRAM, ...args], {cwd, env: {PATH: process.env['PATH'], HOME: cwd, NO_COLOR: '1', ...env}})
  running.add(child)
  child.once('close', () => running.delete(child))
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const result = once(child, 'close').then(([code]): CliResult => ({
    code: code as number | null,
    stdout,
    stderr,
    json: () => JSON.parse(stdout) as JsonResult,
  }))
  return {child, result, output: () => ({stdout, stderr})}
}

/** A folder that goes when the test does. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ucs-test-'))
  onTestFinished(() => rmSync(folder, {recursive: true, force: true}))
  return folder
}
