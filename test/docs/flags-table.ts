import {readdirSync} from 'node:fs'
import {fileURLToPath} from 'node:url'
import type {Command} from '@oclif/core/command'
import {format, resolveConfig} from 'prettier'
import type {Flag, FlagSet} from '../../src/lib/cli/flag.ts'
import {toSetting} from '../../src/lib/cli/flag.ts'
import {generalFlags} from '../../src/lib/cli/flags.ts'
import {variableNames} from '../../src/lib/runtime/config.ts'

const COMMANDS = fileURLToPath(new URL('../../src/commands/', import.meta.url))
export const FLAGS_PAGE = fileURLToPath(new URL('../../docs/flags.md', import.meta.url))

const INTRODUCTION = `# Flags

All flags of all commands, with their variables, the strongest first, and their defaults. Stronger still is each variable with the name of the command in it:
\`UCS_BROKER\` is for every command, \`UCS_PRODUCE_BROKER\` for \`ucs produce\`. [configuration.md](configuration.md) tells what else a value may come from.

This page is made from the commands: \`npm run docs\` writes it anew.
`

/** The page that lists every flag, as it has to be. */
export async function flagsPage(): Promise<string> {
  const commands = await allCommands()
  const sections = [
    section('Every command', '', generalFlags),
    ...commands.map(({words, usage, flags}) => section(`ucs ${[...words, ...usage].join(' ')}`, words.join(' '), flags)),
  ]
  const text = [INTRODUCTION, ...sections].join('\n')
  return format(text, {...(await resolveConfig(FLAGS_PAGE)), parser: 'markdown'})
}

interface DescribedCommand {
  readonly words: readonly string[]
  readonly usage: readonly string[]
  readonly flags: FlagSet
}

async function allCommands(): Promise<readonly DescribedCommand[]> {
  const files = readdirSync(COMMANDS, {recursive: true, encoding: 'utf8'}).filter((file) => file.endsWith('.ts'))
  return Promise.all(
    files.sort().map(async (file) => {
      const {default: command} = (await import(`${COMMANDS}${file}`)) as {default: Command.Class}
      const words = file.replace(/(\/index)?\.ts$/, '').split('/')
      const usage = Object.entries(command.args).map(([name, {required}]) => (required ? name.toUpperCase() : `[${name.toUpperCase()}]`))
      return {words, usage, flags: (command.flags ?? {}) as unknown as FlagSet}
    }),
  )
}

function section(title: string, command: string, flags: FlagSet): string {
  const rows = Object.entries(flags).map(([name, flag]) => row(name, flag, command))
  const table = rows.length > 0 ? ['| flag | variables | default | |', '| --- | --- | --- | --- |', ...rows] : ['Only those.']
  return `## ${title}\n\n${table.join('\n')}\n`
}

function row(name: string, flag: Flag<unknown>, command: string): string {
  const {fallback} = flag.rules
  const words = [name, ...(flag.aliases ?? [])].map((word) => `--${flag.type === 'boolean' && flag.allowNo ? '[no-]' : ''}${word}`)
  const own = `UCS_${command.replaceAll(/[ -]/g, '_').toUpperCase()}_`
  const variables = variableNames(toSetting(name, flag), command).filter((variable) => !variable.startsWith(own))
  const shown = flag.type === 'boolean' ? (fallback === 'true' ? 'on' : 'off') : fallback
  const cells = [
    words.map(code).join(', '),
    variables.map(code).join(', '),
    shown === undefined ? '' : code(shown),
    (flag.summary ?? '').replaceAll('<', '\\<'),
  ]
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

const code = (text: string) => `\`${text}\``
