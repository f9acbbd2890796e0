#!/usr/bin/env node
// Runs the sources as they stand: compiles them first, and does not trust the manifest of the last build.
import {spawnSync} from 'node:child_process'
import {fileURLToPath} from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const compiled = spawnSync(
  process.execPath,
  ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json', '--incremental', '--tsBuildInfoFile', 'dist/.tsbuildinfo'],
  {
    cwd: root,
    stdio: ['ignore', 2, 2],
  },
)
if (compiled.status !== 0) process.exit(compiled.status ?? 1)
const cli = await import('../dist/lib/cli/run.js')
await cli.run({ignoreManifest: true})
