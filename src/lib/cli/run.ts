import {enableCompileCache} from 'node:module'
import {fileURLToPath} from 'node:url'

/** Where the program begins. Never resolves: the process ends with the command's exit code. */
export async function run({ignoreManifest = false} = {}): Promise<void> {
  enableCompileCache()
  process.once('beforeExit', () => {
    process.stderr.write('error: nothing is left to wait for, and the command is not done\n  this is a bug in ucs: please report it\n')
    process.exit(1)
  })
  const {run: runCommand} = await import('@oclif/core/run')
  const root = fileURLToPath(new URL('../../..', import.meta.url))
  const typed = process.argv.slice(2)
  const args = typed[0] === 'help' ? [...typed.slice(1), '--help'] : typed
  try {
    await runCommand(args, {root, ignoreManifest})
  } catch (error) {
    const {handle} = await import('@oclif/core/handle')
    await handle(error as Error)
  }

  await flushed(process.stdout)
  process.exit()
}

/** Where writes are not synchronous, the last of them has to leave before the process ends; a reader that is gone takes nothing. */
async function flushed(output: NodeJS.WriteStream): Promise<void> {
  if (output.destroyed || output.writableLength === 0) return
  await new Promise<void>((resolve) => {
    for (const event of ['drain', 'close', 'error']) output.once(event, () => resolve())
  })
}
