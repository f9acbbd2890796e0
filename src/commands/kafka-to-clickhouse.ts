import {BaseCommand} from '../lib/cli/base-command.ts'
import {openClickHouseSink, rowFlags, tableStatement} from '../lib/cli/clickhouse-sink.ts'
import {keepInputFromEngine} from '../lib/cli/connections.ts'
import {
  batchFlags,
  clickhouseFlags,
  deliveryFlags,
  dryRunFlag,
  healthFlags,
  inputFlag,
  kafkaFlags,
  limitFlags,
  offsetGapFlag,
  topicFlag,
} from '../lib/cli/flags.ts'
import {groupFlag, isEndlessInput, openMessages} from '../lib/cli/messages.ts'
import {planWithSink, runStream, streamOptions} from '../lib/cli/stream.ts'
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
    ...offsetGapFlag,
    ...healthFlags,
  }

  async run(): Promise<void> {
    const session = await this.start(KafkaToClickhouse)
    const {values, given, report} = session
    if (values['print-ddl']) return this.print(tableStatement(values))
    const command = this.commandName()
    await runStream(session, streamOptions(command, values, isEndlessInput(values)), async (runtime, retry) => {
      const transform = toRow({onMissing: values['on-missing'], parseTimestamp: timestampParser('auto', undefined)})
      if (!values['dry-run']) await keepInputFromEngine(values.input, given)
      const messages = await openMessages(values, given, {command, transform, runtime, retry})
      return planWithSink(messages, () => openClickHouseSink(values, given, runtime, report))
    })
    this.finish()
  }
}
