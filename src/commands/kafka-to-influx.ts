import type {RawMessage} from '../lib/core/types.ts'
import {BaseCommand} from '../lib/cli/base-command.ts'
import {kafkaSettings} from '../lib/cli/connections.ts'
import {openDeadLetters} from '../lib/cli/dead-letters.ts'
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
  topicFlag,
  typeConflictFlag,
} from '../lib/cli/flags.ts'
import {groupFlag, isEndlessInput, leftoverOf, openMessages} from '../lib/cli/messages.ts'
import {openInfluxSink} from '../lib/cli/influx-sink.ts'
import {pointFlags, pointTransform} from '../lib/cli/points.ts'
import {batchLimits, runStream, streamOptions} from '../lib/cli/stream.ts'

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
    ...healthFlags,
  }

  async run(): Promise<void> {
    const session = await this.start(KafkaToInflux)
    const {values, given, report} = session
    await runStream(session, streamOptions(this.commandName(), values, isEndlessInput(values)), async (runtime, policy) => {
      const {transform, observations} = pointTransform(values, runtime)
      report.own['observations'] = () => observations.counts
      const {source, lag, isConnected} = await openMessages(values, given, runtime, policy)
      const sink = await openInfluxSink(values, given, runtime)
      const letters = await openDeadLetters({
        where: values['dead-letter'],
        isDryRun: values['dry-run'],
        command: this.commandName(),
        describe: (position) => source.describe(position),
        raw: (value) => value as RawMessage,
        kafka: () => kafkaSettings(values, given),
        clock: runtime.clock,
        log: runtime.log,
      })
      return {
        source,
        transform,
        batch: batchLimits(values),
        sink,
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
