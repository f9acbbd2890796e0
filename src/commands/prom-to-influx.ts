import type {Runtime} from '../lib/core/types.ts'
import {BaseCommand} from '../lib/cli/base-command.ts'
import {openDeadLetters} from '../lib/cli/dead-letters.ts'
import {withVariables} from '../lib/cli/flag.ts'
import {
  batchFlags,
  deliveryFlags,
  dryRunFlag,
  generalFlags,
  healthFlags,
  influxBucketFlag,
  influxFlags,
  kafkaFlags,
  typeConflictFlag,
} from '../lib/cli/flags.ts'
import {openInfluxSink, withoutKey} from '../lib/cli/influx-sink.ts'
import {catchUpFlags, healthCheckFlag, prometheusFlags, queryFlags, sampleFlags, sampleInputFlag} from '../lib/cli/prometheus-flags.ts'
import {isEndlessPolling, openPrometheus, pointTransform, queriesOf} from '../lib/cli/prometheus.ts'
import {isLetters, openSampleLetters, rawSample} from '../lib/cli/sample-letters.ts'
import {scheduleFlags} from '../lib/cli/schedule.ts'
import {refuseUnfinishedEtl} from '../lib/cli/unfinished-etl.ts'
import {boundHeapLater} from '../lib/runtime/heap.ts'
import {batchLimits, planWithSink, runStream, streamOptions} from '../lib/cli/stream.ts'

const {interval, ...otherSchedule} = scheduleFlags({interval: '15'})
const bucket = influxBucketFlag('prometheus')

const YOUNG_GENERATION_BYTES = 64 * 2 ** 20

export default class PromToInflux extends BaseCommand {
  static override summary = 'Write what queries of Prometheus find to InfluxDB.'
  static override description = `All queries of a cycle are asked for the same moment, side by side. A moment that was missed, because a server or this program was away,
is asked for later, so that the series have no gaps; --from asks for the past before the first cycle.
Without --once or --from the command runs until it gets a signal.`
  static override examples = [
    {
      description: 'Two queries every 30 seconds, until stopped',
      command: `<%= config.bin %> <%= command.id %> --prometheus-url http://prometheus:9090 --influx-url http://influxdb:8086 --token-file /run/secrets/influx --interval 30 --queries 'up' 'rate(http_requests_total[5m])'`,
    },
    {
      description: 'The pipeline of an etl.yaml',
      command: '<%= config.bin %> <%= command.id %> --config config/etl.yaml',
    },
    {
      description: 'The last day of one query, in steps of 15 seconds; goes on where it was cut short',
      command: `<%= config.bin %> <%= command.id %> --queries node_load1 --from -24h --step 15`,
    },
    {
      description: 'See what would be written now',
      command: '<%= config.bin %> <%= command.id %> --once --dry-run',
    },
  ]

  static override flags = {
    ...sampleInputFlag,
    ...queryFlags,
    ...dryRunFlag,
    ...prometheusFlags,
    ...sampleFlags,
    interval: withVariables(interval, ['ETL_INTERVAL_SECONDS']),
    ...otherSchedule,
    ...catchUpFlags,
    ...influxFlags,
    'influx-url': withVariables(influxFlags['influx-url'], ['INFLUXDB_URL']),
    'influx-org': withVariables(influxFlags['influx-org'], ['INFLUXDB_ORG']),
    'influx-bucket': withVariables(bucket['influx-bucket'], ['INFLUXDB_BUCKET']),
    token: withVariables(influxFlags.token, ['INFLUXDB_TOKEN']),
    ...batchFlags({size: 10_000}),
    ...deliveryFlags('prom-to-influx'),
    ...typeConflictFlag,
    ...healthFlags,
    ...healthCheckFlag,
    ...kafkaFlags,
    'log-level': withVariables(generalFlags['log-level'], ['ETL_LOG_LEVEL']),
  }

  async run(): Promise<void> {
    boundHeapLater(YOUNG_GENERATION_BYTES)
    const session = await this.start(PromToInflux)
    const {values, given, report} = session
    refuseUnfinishedEtl(session, values['dry-run'])
    const command = this.commandName()
    const isReplay = isLetters(values.input)
    const options = streamOptions(command, values, !isReplay && isEndlessPolling(values))
    const openSink = (runtime: Runtime) => openInfluxSink(values, given, runtime)
    report.own['points'] = () => report.ledger?.rows ?? 0
    if (isReplay) {
      await runStream(session, options, async (runtime) => {
        const letters = await openSampleLetters(values, {command, runtime, transform: pointTransform(values, runtime.clock)})
        return planWithSink(letters, () => openSink(runtime))
      })
      return this.finish()
    }

    await runStream(session, options, async (runtime, policy) => {
      const metrics = await openPrometheus(values, given, {queries: queriesOf(values, given), policy, runtime})
      const {source, observations} = metrics
      report.own['observations'] = () => observations.counts
      report.own['sources'] = metrics.sources
      return planWithSink(
        {
          ...metrics,
          lag: () => source.lag(),
          isConnected: () => source.isConnected(),
          batch: batchLimits(values),
          ...(await openDeadLetters(values, given, {command, source, raw: rawSample, isDryRun: values['dry-run']}, runtime)),
          leftover: (count) => (count === 0 ? '' : `${count} samples were not written, they will be asked for again`),
        },
        async () => metrics.watched(withoutKey(await openSink(runtime))), // a moment of a series has one value
      )
    })
    this.finish()
  }
}
