import {string as stringArg} from '@oclif/core/args'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {generalFlags} from '../../lib/cli/flags.ts'
import {firstWords} from '../../lib/cli/typed.ts'
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
    const [file] = firstWords(this.argv, generalFlags)
    if (file === undefined) {
      await this.start(DeadLettersReplay) // the parser says what is wrong
      return
    }

    const command = await commandOf(file)
    const others = this.argv.toSpliced(this.argv.indexOf(file), 1)
    await this.config.runCommand(command.replaceAll(' ', ':'), ['--input', `letters:${file}`, ...others])
  }
}

/** Commands that read messages can read them from their letters. */
const REPLAYABLE = ['kafka-to-influx', 'kafka-to-clickhouse']

async function commandOf(file: string): Promise<string> {
  for await (const {record} of letterLines(file)) {
    if (!record) continue
    if (REPLAYABLE.includes(record.command)) return record.command
    throw new UsageError(`${file} holds letters of ${record.command}, which reads no messages`, {
      suggestion: `Print its rows with ucs dead-letters list ${file} --values, mend them, and send them as a file of their own`,
    })
  }

  throw new UsageError(`${file} holds no letters`, {suggestion: 'Name a file of dead letters'})
}
