import type {Hook} from '@oclif/core/hooks'
import {describeError, errorText} from './report.ts'
import {unknownCommand} from './unknown-command.ts'

/** Only the first word is repeated: what follows may be a secret. */
const hook: Hook.CommandNotFound = async function ({config, id, argv = []}) {
  const name = id.split(':', 1)[0]!
  const error = unknownCommand(name, config.commandIDs)
  const {exitCode} = error
  if (argv.includes('--json')) {
    process.stdout.write(`${JSON.stringify({command: name, ok: false, exitCode, durationMilliseconds: 0, error: describeError(error)})}\n`)
  } else process.stderr.write(`${errorText(error)}\n`)
  process.exit(exitCode)
}

export default hook
