import {string as stringArg} from '@oclif/core/args'
import type {FlagSet} from '../../lib/cli/flag.ts'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {firstWordAt} from '../../lib/cli/typed.ts'
import {letterLines} from '../../lib/jobs/letter-file.ts'
import {UsageError} from '../../lib/errors.ts'

export default class DeadLettersReplay extends BaseCommand {
  static override summary = 'Put dead letters through their command again, and keep those that fail again.'
  static override description = `The command is the one that wrote the letters; its flags follow the file, and its variables and files count as ever.
Of a message of which one row was rejected only that row is written. What succeeds leaves the file, at once at the end of the run.`
  static override examples = [
    {
      description: 'After the bucket was mended',
      command: '<%= config.bin %> <%= command.id %> dead-letters/kafka-to-influx.ndjson --token-file /run/secrets/influx',
    },
    {
      description: 'See what would be written now',
      command: '<%= config.bin %> <%= command.id %> dead-letters/kafka-to-influx.ndjson --dry-run',
    },
  ]

  static override args = {file: stringArg({description: 'file of dead letters', required: true, ignoreStdin: true})}
  static override flags = {}

  async run(): Promise<void> {
    const flags = REPLAYABLE.map((command) => this.config.findCommand(command, {must: true}).flags)
    const fileAt = firstWordAt(this.argv, Object.assign({}, ...flags) as FlagSet, 'Name the file before the flags')
    const file = this.argv[fileAt]
    if (file === undefined || file.startsWith('-')) throw new UsageError('FILE is missing', {suggestion: 'See --help'})
    await this.config.runCommand(await commandOf(file), ['--input', `letters:${file}`, ...this.argv.toSpliced(fileAt, 1)])
  }
}

/** Commands whose input can come from its letters. */
const REPLAYABLE = ['kafka-to-influx', 'kafka-to-clickhouse', 'prom-to-influx']

/** The first that can; letters of other commands stay where they are. */
async function commandOf(file: string): Promise<string> {
  let other: string | undefined
  for await (const {record} of letterLines(file)) {
    if (record && REPLAYABLE.includes(record.command)) return record.command
    other ??= record?.command
  }

  if (other === undefined) throw new UsageError(`${file} holds no letters`, {suggestion: 'Name a file of dead letters'})
  throw new UsageError(`${file} holds letters of ${other}, which reads no messages`, {
    suggestion: `Print its rows with ucs dead-letters list ${file} --values, mend them, and send them as a file of their own`,
  })
}
