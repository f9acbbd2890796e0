import {spawnSync} from 'node:child_process'
import {chmodSync, mkdirSync, writeFileSync} from 'node:fs'
import {delimiter, join} from 'node:path'
import {PROGRAM, temporaryFolder} from './cli.ts'

export interface ShellResult {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a script as a user would, in an empty folder, with `ucs` on the path and nothing else in the environment. */
export function runScript(script: string, env: Readonly<Record<string, string>> = {}): ShellResult {
  const cwd = temporaryFolder()
  const bin = join(cwd, 'bin')
  mkdirSync(bin)
  writeFileSync(join(bin, 'ucs'), `#!/bin/sh\nexec "${process.execPath}" "${PROGRAM}" "$@"\n`)
  chmodSync(join(bin, 'ucs'), 0o755)
  const path = [bin, process.env['PATH']].join(delimiter)
  const {status, stdout, stderr} = spawnSync('bash', ['-euo', 'pipefail', '-c', script], {
    cwd,
    env: {PATH: path, HOME: cwd, NO_COLOR: '1', ...env},
    encoding: 'utf8',
  })
  return {status, stdout, stderr}
}
