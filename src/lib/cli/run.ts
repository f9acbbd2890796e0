import {enableCompileCache} from 'node:module'
import {fileURLToPath} from 'node:url'
import {UcsError} from '../errors.ts'
import {boundHeap} from '../runtime/heap.ts'
import {outputError} from '../runtime/output-error.ts'
import {heldSecrets, redactor} from '../format/redact.ts'
import {errorText, exitCodeOf} from './report.ts'

/** Where the program begins. Never resolves: the process ends with the command's exit code. */
export async function run({ignoreManifest = false} = {}): Promise<void> {
  enableCompileCache()
  boundHeap()
  process.on('uncaughtException', (error) => {
    process.stderr.write(`${redactor(heldSecrets(process.env))(errorText(error))}\n`)
    process.exit(exitCodeOf(error))
  })
  process.once('beforeExit', () => {
    process.stderr.write('error: nothing is left to wait for, and the command is not done\n  this is a bug in ucs: please report it\n')
    process.exit(1)
  })
  const [{run: runCommand}] = await Promise.all([import('@oclif/core/run'), import('@oclif/core/command')])
  const outputs = watchOutputs()
  const root = fileURLToPath(new URL('../../..', import.meta.url))
  const typed = process.argv.slice(2)
  const args = typed[0] === 'help' ? [...typed.slice(1), '--help'] : typed
  try {
    await runCommand(args, {root, ignoreManifest})
  } catch (error) {
    if (error instanceof UcsError) {
      // of help: a command tells its own
      process.stderr.write(`${errorText(error)}\n`)
      process.exit(error.exitCode)
    }

    const {handle} = await import('@oclif/core/handle')
    await handle(error as Error)
  }

  await flushed(process.stdout)
  await new Promise(setImmediate) // the event of a failed write comes after the write
  if (!isTalk(args)) outputs.check()
  process.exit()
}

/** Help and the version are for people, who may have read enough. */
const isTalk = (args: readonly string[]) => args.length === 0 || args.some((arg) => ['--help', '-h', '--version', '-v'].includes(arg))

/** A write that failed is an event. oclif would throw it, and end the process with a stack trace. */
function watchOutputs(): {check(): void} {
  let failure: NodeJS.ErrnoException | undefined
  process.stdout.removeAllListeners('error').on('error', (error: NodeJS.ErrnoException) => (failure ??= error))
  process.stderr.on('error', () => {}) // there is nobody left to tell
  return {
    check() {
      if (!failure || process.exitCode) return
      const error = outputError('standard output', failure)
      process.stderr.write(`${errorText(error)}\n`)
      process.exitCode = error.exitCode
    },
  }
}

/** Where writes are not synchronous, the last of them has to leave before the process ends; a reader that is gone takes nothing. */
async function flushed(output: NodeJS.WriteStream): Promise<void> {
  if (output.destroyed || output.writableLength === 0) return
  await new Promise<void>((resolve) => {
    for (const event of ['drain', 'close', 'error']) output.once(event, () => resolve())
  })
}
