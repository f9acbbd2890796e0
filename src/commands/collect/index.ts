import {BaseCommand} from '../../lib/cli/base-command.ts'
import {collectFlags} from '../../lib/cli/collect-flags.ts'
import {openCollector} from '../../lib/cli/collect.ts'
import {runWork, streamOptions} from '../../lib/cli/stream.ts'
import {boundHeapLater} from '../../lib/runtime/heap.ts'

const YOUNG_GENERATION_BYTES = 48 * 2 ** 20

export default class Collect extends BaseCommand {
  static override summary = 'Collect points of many InfluxDB servers into one.'
  static override description = `Servers come from the variables SERVER_A_URL, SERVER_A_TOKEN, SERVER_A_ORG and SERVER_A_BUCKET, or any other letter or word, or from a collect.yaml.
Each query of each bucket has its own cursor, which moves when the central server has stored what was read: what was missed is asked for later.
One server that is away stops no other. Without --once the command runs until it gets a signal.`
  static override examples = [
    {description: 'With the .env and the config/queries.yaml of this folder, every minute', command: '<%= config.bin %> <%= command.id %>'},
    {
      description: 'The last day first, then every minute',
      command: '<%= config.bin %> <%= command.id %> --config collect.yaml --from -24h',
    },
    {description: 'Copy points as they are, once, for cron', command: '<%= config.bin %> <%= command.id %> --mode raw --once'},
    {description: 'See what would be written now', command: '<%= config.bin %> <%= command.id %> --once --dry-run'},
  ]

  static override flags = collectFlags

  async run(): Promise<void> {
    boundHeapLater(YOUNG_GENERATION_BYTES)
    const session = await this.start(Collect)
    const {values} = session
    const options = streamOptions('collect', values, !values.once)
    const health = values.once ? undefined : options.health
    await runWork(session, {...options, health}, (runtime, policy) => openCollector(session, runtime, policy))
    this.finish()
  }
}
