import {BaseCommand} from '../../lib/cli/base-command.ts'
import {bucketsFlags, listBuckets, withBuckets} from '../../lib/cli/buckets.ts'
import {text, valueFlag} from '../../lib/cli/flag.ts'
import {writeLines} from '../../lib/cli/write-lines.ts'
import {formatBucketFile} from '../../lib/runtime/bucket-file.ts'

export default class BucketsExport extends BaseCommand {
  static override summary = 'Print the buckets of an organisation as the file that buckets create takes.'
  static override description = "The server's own buckets, whose names begin with _, are left out: every organisation has them."
  static override examples = [
    {description: 'Keep them under version control', command: '<%= config.bin %> <%= command.id %> --output buckets.json'},
    {
      description: 'The same buckets on another server',
      command:
        '<%= config.bin %> <%= command.id %> --influx-url http://old:8086 | <%= config.bin %> buckets create - --influx-url http://new:8086',
    },
  ]

  static override flags = {
    output: valueFlag(text, {summary: 'file to write; - is standard output', fallback: '-', value: 'FILE'}),
    ...bucketsFlags,
  }

  async run(): Promise<void> {
    const session = await this.start(BucketsExport)
    const {values, report} = session
    const found = (await withBuckets(session, listBuckets)).filter(({isSystem}) => !isSystem)
    await writeLines(values.output, [[formatBucketFile(found).trimEnd()]])
    report.own['exported'] = () => found.map(({name}) => name)
    this.finish(values.output === '-' ? '' : `wrote ${found.length} buckets to ${values.output}`)
  }
}
