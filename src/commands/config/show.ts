import {string as stringArg} from '@oclif/core/args'
import type {FlagSet} from '../../lib/cli/flag.ts'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {shownValues} from '../../lib/cli/config-values.ts'
import {toggleFlag} from '../../lib/cli/flag.ts'
import {generalFlags} from '../../lib/cli/flags.ts'
import {formatTable} from '../../lib/cli/table.ts'
import {firstWords} from '../../lib/cli/typed.ts'
import {unknownCommand} from '../../lib/cli/unknown-command.ts'

export default class ConfigShow extends BaseCommand {
  static override summary = 'Print the values that a command would run with.'
  static override description = `Takes the command's own flags as well, so that they can be tried out.
Values come from, strongest first: flag, environment, --env-file, --config, ./.env, default. Secrets are shown as ***.`
  static override examples = [
    {description: 'Where does each value come from?', command: '<%= config.bin %> <%= command.id %> kafka-to-influx --origin'},
    {description: 'With a flag and a file', command: '<%= config.bin %> <%= command.id %> produce --env-file prod.env --rows 10'},
  ]

  static override args = {
    command: stringArg({description: 'the command, such as produce', required: true, ignoreStdin: true, multiple: true}),
  }
  static override flags = {
    origin: toggleFlag({summary: 'show where each value comes from'}),
  }

  async run(): Promise<void> {
    const {name, flags} = await this.targetCommand()
    const {values, report, log} = await this.start(ConfigShow, flags)
    const {given, warnings} = await this.resolve(flags, name)
    for (const message of warnings) log.warn('config.replaced', {message})
    const shown = shownValues(flags, given)
    report.own['values'] = () => Object.fromEntries(shown.map(({flag, ...rest}) => [flag, rest]))
    if (values.json) return this.finish()
    const rows = shown.map(({flag, value, origin}) => [flag, value ?? '', ...(values.origin ? [origin ?? ''] : [])])
    this.print(await formatTable(['flag', 'value', ...(values.origin ? ['origin'] : [])], rows))
  }

  /** The command that the words name; its flags have to be known before anything is parsed. */
  private async targetCommand(): Promise<{name: string; flags: FlagSet}> {
    const words = firstWords(this.argv, {...generalFlags, ...ConfigShow.flags})
    if (words.length === 0) return {name: this.commandName(), flags: {}} // the parser says what is wrong
    const found = this.config.commands.find(({id}) => id === words.join(':'))
    if (!found) throw unknownCommand(words.join(':'), this.config.commandIDs)
    const {flags, baseFlags} = await found.load()
    return {name: found.id.replaceAll(':', ' '), flags: {...baseFlags, ...flags} as unknown as FlagSet}
  }
}
