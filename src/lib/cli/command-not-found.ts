import type {Hook} from '@oclif/core/hooks'
import {UsageError} from '../errors.ts'
import {nearest} from '../format/nearest.ts'
import {errorText} from './report.ts'

/** Only the first word is repeated: what follows may be a secret. */
const hook: Hook.CommandNotFound = async function ({config, id, argv = []}) {
  const name = id.split(':', 1)[0]!
  const meant = nearest(
    name,
    config.commandIDs.map((known) => known.replaceAll(':', ' ')),
  )
  const error = new UsageError(`there is no command "${name}"`, {
    suggestion: meant ? `Did you mean ucs ${meant}?` : 'ucs --help lists the commands',
  })
  if (argv.includes('--json')) {
    const {code, message, suggestion} = error
    process.stdout.write(
      `${JSON.stringify({command: name, ok: false, exitCode: 2, durationMilliseconds: 0, error: {code, message, suggestion}})}\n`,
    )
  } else process.stderr.write(`${errorText(error)}\n`)
  process.exit(error.exitCode)
}

export default hook
