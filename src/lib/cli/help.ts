import type {Command} from '@oclif/core/command'
import type {HelpSectionRenderer} from '@oclif/core/help'
import {CommandHelp, Help} from '@oclif/core/help'
import {variableNames} from '../runtime/config.ts'
import {unknownCommand} from './unknown-command.ts'

/** oclif's help, with the general flags last, and a section that lists the variables of every flag, the strongest first. */
class UcsCommandHelp extends CommandHelp {
  protected override usage(): string {
    const args = Object.values(this.command.args).map(({name, required}) => (required ? name.toUpperCase() : `[${name.toUpperCase()}]`))
    return ['$ ucs', this.command.id.replaceAll(':', ' '), ...args, '[FLAGS]'].join(' ')
  }

  protected override groupFlags(flags: Command.Flag.Any[]) {
    const {mainFlags, flagGroups} = super.groupFlags(flags)
    const {GENERAL: general, ...others} = flagGroups
    return {mainFlags, flagGroups: general ? {...others, GENERAL: general} : others}
  }

  protected override sections() {
    const command = this.command.id.replaceAll(':', ' ')
    const generate: HelpSectionRenderer = ({flags}, header) => {
      const rows = flags.map(({name, aliases = [], env}): [string, string] => {
        const variables = env?.split(', ') ?? []
        return [`--${name}`, variableNames({name, aliases, variables}, command).join(', ')]
      })
      return [{header, body: rows}]
    }

    return [...super.sections(), {header: 'ENVIRONMENT', generate}]
  }
}

export default class UcsHelp extends Help {
  protected override CommandHelpClass = UcsCommandHelp

  override async showHelp(argv: string[]): Promise<void> {
    try {
      await super.showHelp(argv)
    } catch {
      throw unknownCommand(argv.filter((word) => !word.startsWith('-')).join(':'), this.config.commandIDs)
    }
  }
}
