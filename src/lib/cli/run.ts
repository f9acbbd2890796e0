import {enableCompileCache} from 'node:module'
import {fileURLToPath} from 'node:url'

/** Where the program begins. Resolves never: the process ends with the command's exit code. */
export async function run(importUrl: string, {ignoreManifest = false} = {}): Promise<void> {
  enableCompileCache()
  const {execute} = await import('@oclif/core/execute')
  const root = fileURLToPath(new URL('..', importUrl))
  const typed = process.argv.slice(2)
  const args = typed[0] === 'help' ? [...typed.slice(1), '--help'] : typed
  await execute({args, loadOptions: {root, ignoreManifest}})
  process.exit()
}
