import {BaseCommand} from '../../lib/cli/base-command.ts'
import {bucketRecord, bucketTable} from '../../lib/cli/bucket-texts.ts'
import {bucketsFlags, listBuckets, withBuckets} from '../../lib/cli/buckets.ts'

export default class BucketsList extends BaseCommand {
  static override summary = 'List the buckets of an organisation.'
  static override description =
    'Those that the token may read, with what they are called, how long they keep data, and how long one shard lasts.'
  static override examples = [
    {description: 'A table', command: '<%= config.bin %> <%= command.id %> --influx-org pod --token-file /run/secrets/influx'},
    {description: 'For a script', command: `<%= config.bin %> <%= command.id %> --json | jq -r '.buckets[].name'`},
  ]

  static override flags = {...bucketsFlags}

  async run(): Promise<void> {
    const session = await this.start(BucketsList)
    const found = await withBuckets(session, listBuckets)
    session.report.own['buckets'] = () => found.map(bucketRecord)
    if (!session.values.json) this.print(await bucketTable(found, process.stdout.columns))
    this.finish()
  }
}
