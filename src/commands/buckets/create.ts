import {string as stringArg} from '@oclif/core/args'
import {BaseCommand} from '../../lib/cli/base-command.ts'
import {planTable, planText} from '../../lib/cli/bucket-texts.ts'
import {bucketsFlags, withBuckets} from '../../lib/cli/buckets.ts'
import {createBuckets} from '../../lib/cli/create-buckets.ts'
import {toggleFlag} from '../../lib/cli/flag.ts'
import {dryRunFlag} from '../../lib/cli/flags.ts'
import {planBuckets} from '../../lib/jobs/create-buckets.ts'
import {readBucketFile} from '../../lib/runtime/bucket-file.ts'

export default class BucketsCreate extends BaseCommand {
  static override summary = 'Create the buckets of a file that are missing, and leave the others as they are.'
  static override description = `The file is a list in JSON: [{"name": "Water", "description": "litres", "retention": "30d", "shardDuration": "1d"}].
Only the name is needed; without a retention the data is kept for ever. The whole file is checked before the server is asked for anything.`
  static override examples = [
    {
      description: 'What buckets.json lists',
      command: '<%= config.bin %> <%= command.id %> --influx-url http://influxdb:8086 --influx-org pod --token-file /run/secrets/influx',
    },
    {description: 'What would be done, and which buckets differ', command: '<%= config.bin %> <%= command.id %> site.json --dry-run'},
    {description: 'Give those that are there the retention of the file', command: '<%= config.bin %> <%= command.id %> site.json --update'},
  ]

  static override args = {
    file: stringArg({description: 'list of buckets; - is standard input', default: 'buckets.json', ignoreStdin: true}),
  }
  static override flags = {
    update: toggleFlag({summary: 'change the description, retention and shard duration of buckets that differ from the file'}),
    ...dryRunFlag,
    ...bucketsFlags,
  }

  async run(): Promise<void> {
    const session = await this.start(BucketsCreate)
    const {values, args, log} = session
    const {buckets: wanted, notices} = await readBucketFile(args['file']!)
    for (const message of notices) log.warn('bucket.name', {message})
    if (!values['dry-run']) return this.finish(await createBuckets(session, wanted))
    const steps = await withBuckets(session, (buckets) => planBuckets({...buckets, wanted, updates: values.update}))
    this.print(await planTable(steps))
    this.finish(planText(steps))
  }
}
