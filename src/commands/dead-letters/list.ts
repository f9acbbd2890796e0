import {string as stringArg} from '@oclif/core/args'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {integer, toggleFlag, valueFlag} from '../../lib/cli/flag.ts'
import {letterTables, messageLine} from '../../lib/cli/letter-tables.ts'
import {summariseLetters} from '../../lib/jobs/summarise-letters.ts'

export default class DeadLettersList extends BaseCommand {
  static override summary = 'Show which records were put aside, and why.'
  static override description = 'A letter that was written twice counts once.'
  static override examples = [
    {
      description: 'How many of which reason, and the last twenty',
      command: '<%= config.bin %> <%= command.id %> dead-letters/kafka-to-influx.ndjson',
    },
    {
      description: 'The messages themselves, one a line, to mend them and send them on',
      command: '<%= config.bin %> <%= command.id %> dead-letters/kafka-to-influx.ndjson --values > messages.ndjson',
    },
  ]

  static override args = {file: stringArg({description: 'file of dead letters', required: true, ignoreStdin: true})}
  static override flags = {
    last: valueFlag(integer({min: 0}), {summary: 'how many letters to show', fallback: '20', value: 'N'}),
    values: toggleFlag({summary: 'print the messages, one a line, and nothing else'}),
  }

  async run(): Promise<void> {
    const {args, values, report, log} = await this.start(DeadLettersList)
    const file = args['file']!
    const summary = await summariseLetters(file, values.last, values.values ? (record) => this.print(messageLine(record)) : undefined)
    if (summary.unreadable > 0) log.warn('letters.unreadable', {file, lines: summary.unreadable})
    report.own['letters'] = () => summary
    if (!values.json && !values.values) this.print(await letterTables(summary))
    this.finish()
  }
}
