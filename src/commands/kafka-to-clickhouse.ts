import type {RawMessage} from '../lib/core/types.ts'
import {BaseCommand} from '../lib/cli/base-command.ts'
import {openClickHouseSink, rowFlags, tableStatement} from '../lib/cli/clickhouse-sink.ts'
import {kafkaSettings} from '../lib/cli/connections.ts'
import {openDeadLetters} from '../lib/cli/dead-letters.ts'
import {
  batchFlags,
  clickhouseFlags,
  deliveryFlags,
  dryRunFlag,
  healthFlags,
  inputFlag,
  kafkaFlags,
  limitFlags,
  topicFlag,
} from '../lib/cli/flags.ts'
import {groupFlag, isEndlessInput, leftoverOf, openMessages} from '../lib/cli/messages.ts'
import {batchLimits, runStream, streamOptions} from '../lib/cli/stream.ts'
import {timestampParser} from '../lib/format/timestamp.ts'
import {toRow} from '../lib/transforms/to-row.ts'

export default class KafkaToClickhouse extends BaseCommand {
  static override summary = 'Write sensor events of a Kafka topic to ClickHouse.'
  static override description = `Makes the table when it is missing. Every event is written or put into the dead letters, and counted; its offset is committed after that.
Without a limit the command runs until it gets a signal, then writes what it has read and ends.`
  static override examples = [
    {
      description: 'From a broker to a server, until stopped',
      command: '<%= config.bin %> <%= command.id %> --broker kafka:9092 --clickhouse-host clickhouse-server',
    },
    {
      description: 'Without any server: from a CSV into the embedded engine',
      command:
        '<%= config.bin %> produce --device all --rows all --pause 0 --output - | <%= config.bin %> <%= command.id %> --input - --embedded ./data/clickhouse',
    },
    {description: 'The statement that makes the table', command: '<%= config.bin %> <%= command.id %> --print-ddl'},
  ]

  static override flags = {
    ...inputFlag,
    ...dryRunFlag,
    ...rowFlags,
    ...limitFlags,
    ...kafkaFlags,
    ...topicFlag('sensor_data'),
    ...groupFlag('sensor-consumer'),
    ...clickhouseFlags,
    ...batchFlags({size: 10_000}),
    ...deliveryFlags('kafka-to-clickhouse'),
    ...healthFlags,
  }

  async run(): Promise<void> {
    const session = await this.start(KafkaToClickhouse)
    const {values, given, log} = session
    if (values['print-ddl']) return this.print(tableStatement(values))
    await runStream(session, streamOptions(this.commandName(), values, isEndlessInput(values)), async (runtime, policy) => {
      const {source, lag, isConnected} = await openMessages(values, given, runtime, policy)
      const letters = await openDeadLetters({
        where: values['dead-letter'],
        isDryRun: values['dry-run'],
        command: this.commandName(),
        describe: (position) => source.describe(position),
        raw: (value) => value as RawMessage,
        kafka: () => kafkaSettings(values, given),
        clock: runtime.clock,
        log,
      })
      return {
        source,
        transform: toRow({onMissing: values['on-missing'], parseTimestamp: timestampParser('auto', undefined)}),
        batch: batchLimits(values),
        sink: await openClickHouseSink(values, given, runtime),
        deadLetter: letters.deadLetter,
        deadLettersAt: () => letters.where(),
        lag,
        isConnected,
        leftover: leftoverOf(values),
      }
    })
    this.finish()
  }
}
