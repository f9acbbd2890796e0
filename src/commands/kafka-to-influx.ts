import {BaseCommand} from '../lib/cli/base-command.ts'
import {
  batchFlags,
  deliveryFlags,
  dryRunFlag,
  healthFlags,
  influxBucketFlag,
  influxFlags,
  inputFlag,
  kafkaFlags,
  limitFlags,
  offsetGapFlag,
  topicFlag,
  typeConflictFlag,
} from '../lib/cli/flags.ts'
import {groupFlag, isEndlessInput, openMessages} from '../lib/cli/messages.ts'
import {openInfluxSink} from '../lib/cli/influx-sink.ts'
import {pointFlags, pointTransform} from '../lib/cli/points.ts'
import {planWithSink, runStream, streamOptions} from '../lib/cli/stream.ts'

export default class KafkaToInflux extends BaseCommand {
  static override summary = 'Write messages of a Kafka topic to InfluxDB.'
  static override description = `Every message is written, filtered or put into the dead letters, and counted; its offset is committed after that.
Without a limit the command runs until it gets a signal, then writes what it has read and ends.`
  static override examples = [
    {
      description: 'SWaT readings from a broker to the bucket swat_db, until stopped',
      command: '<%= config.bin %> <%= command.id %> --broker kafka:9092 --influx-url http://influxdb:8086 --token-file /run/secrets/influx',
    },
    {
      description: 'Everything that is in the topic now, then end: for cron and CI',
      command: '<%= config.bin %> <%= command.id %> --until-end',
    },
    {
      description: 'See what would be written, without writing it or needing a broker',
      command:
        '<%= config.bin %> produce --preset swat --file swat.csv --output - | <%= config.bin %> <%= command.id %> --input - --dry-run',
    },
  ]

  static override flags = {
    ...inputFlag,
    ...pointFlags,
    ...dryRunFlag,
    ...limitFlags,
    ...kafkaFlags,
    ...topicFlag('ics-sensor-data'),
    ...groupFlag('kafka_to_influx_group'),
    ...influxFlags,
    ...influxBucketFlag('swat_db'),
    ...batchFlags({size: 5000}),
    ...deliveryFlags('kafka-to-influx'),
    ...typeConflictFlag,
    ...offsetGapFlag,
    ...healthFlags,
  }

  async run(): Promise<void> {
    const session = await this.start(KafkaToInflux)
    const {values, given, report} = session
    const command = this.commandName()
    await runStream(session, streamOptions(command, values, isEndlessInput(values)), async (runtime, retry) => {
      const {transform, observations} = pointTransform(values, runtime)
      report.own['observations'] = () => observations.counts
      const messages = await openMessages(values, given, {command, transform, runtime, retry})
      return planWithSink({...messages, observations}, () => openInfluxSink(values, given, runtime))
    })
    this.finish()
  }
}
