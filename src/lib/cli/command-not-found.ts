import type {Hook} from '@oclif/core/hooks'
import {generalFlags} from './flags.ts'
import {describeError, errorText} from './report.ts'
import {unknownCommand} from './unknown-command.ts'

const hook: Hook.CommandNotFound = async function ({config, id, argv = []}) {
  const error = unknownCommand(id, config.commandIDs)
  const {exitCode} = error
  if ([id, ...argv].includes('--json') || isOn(process.env['UCS_JSON'])) {
    const first = id.split(':', 1)[0]!
    const command = config.commandIDs.some((known) => known.split(':', 1)[0] === first) ? first : '' // what else was typed may be a secret
    process.stdout.write(`${JSON.stringify({command, ok: false, exitCode, durationMilliseconds: 0, error: describeError(error)})}\n`)
  } else process.stderr.write(`${errorText(error)}\n`)
  process.exit(exitCode)
}

function isOn(variable: string | undefined): boolean {
  try {
    return Boolean(variable) && generalFlags.json.rules.decode([variable!])
  } catch {
    return false
  }
}

export default hook
