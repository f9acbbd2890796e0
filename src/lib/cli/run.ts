import {enableCompileCache} from 'node:module'
import {fileURLToPath} from 'node:url'

/** Where the program begins. Never resolves: the process ends with the command's exit code. */
export async function run(importUrl: string, {ignoreManifest = false} = {}): Promise<void> {
  enableCompileCache()
  process.once('beforeExit', () => {
    process.stderr.write('error: nothing is left to wait for, and the command is not done\n  this is a bug in ucs: please report it\n')
    process.exit(1)
  })
  const {execute} = await import('@oclif/core/execute')
  const root = fileURLToPath(new URL('..', importUrl))
  const typed = process.argv.slice(2)
  const args = typed[0] === 'help' ? [...typed.slice(1), '--help'] : typed
  await execute({args, loadOptions: {root, ignoreManifest}})
  process.exit()
}
