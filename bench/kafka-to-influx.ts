import {rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import type {Run} from './measure.ts'
import type {Bench} from './bench.ts'
import {timestampParser} from '../src/lib/format/timestamp.ts'
import {createObservations} from '../src/lib/transforms/observations.ts'
import {toPoint} from '../src/lib/transforms/to-point.ts'
import {createBucket, pointsWritten, postBodies} from './influx.ts'
import {interleaved, median, row, timed} from './measure.ts'
import {fillTopic, swatEvents} from './topic.ts'

const MESSAGES = Number(process.env['MESSAGES'] ?? 300_000)
const ROUNDS = Number(process.env['ROUNDS'] ?? 3)
const IN_FLIGHT = 2
const BATCH = 5000

/** One topic to one server: ucs, Telegraf, and the limit, ready-made bodies with as many writes in flight. Each run has a bucket of its own. */
export async function benchKafkaToInflux(bench: Bench): Promise<void> {
  const topic = `bench-${MESSAGES}-${Date.now()}`
  await fillTopic(bench.kafka, topic, swatEvents(MESSAGES))
  const bodies = readyBodies()
  const bucket = (name: string, round: number) => createBucket(bench.influx, `${topic}-${name}-${round}`)

  const results = await interleaved<Run>(ROUNDS, {
    'ready-made bodies': async (round) => {
      const seconds = await postBodies(bench.influx, await bucket('limit', round), bodies, IN_FLIGHT)
      return {seconds, peakMegabytes: 0, exitCode: 0, output: ''}
    },
    ucs: async (round) => runUcs(bench, {topic, group: `ucs-${round}`, bucket: await bucket('ucs', round), messages: MESSAGES}),
    ...(bench.telegraf
      ? {
          'telegraf, gzip': async (round: number) => runTelegraf(bench, topic, await bucket('telegraf-gzip', round), 'gzip'),
          'telegraf, identity': async (round: number) => runTelegraf(bench, topic, await bucket('telegraf', round), 'identity'),
        }
      : {}),
  })

  const seconds = (name: string) => median(results[name]!.map((run) => run.seconds))
  row(['', 'seconds', 'messages/s', 'peak MB'])
  for (const [name, runs] of Object.entries(results)) {
    row([name, seconds(name).toFixed(2), Math.round(MESSAGES / seconds(name)), Math.round(median(runs.map((run) => run.peakMegabytes)))])
  }

  row(['ucs against ready-made bodies', `${((seconds('ready-made bodies') / seconds('ucs')) * 100).toFixed(0)} %`])
  for (const name of Object.keys(results).filter((name) => name.startsWith('telegraf')))
    row([`ucs against ${name}`, `${(seconds(name) / seconds('ucs')).toFixed(2)} ×`])
}

export interface UcsRun {
  readonly topic: string
  readonly group: string
  readonly bucket: string
  readonly messages: number
}

export async function runUcs({kafka, influx}: Bench, {topic, group, bucket, messages}: UcsRun): Promise<Run> {
  const flags = ['--broker', kafka, '--topic', topic, '--group', group, '--influx-url', influx.url, '--influx-org', influx.org]
  const command = [process.execPath, 'bin/run.js', 'kafka-to-influx', ...flags, '--influx-bucket', bucket, '--until-end', '--json'] as const
  const run = await timed(command, {env: {INFLUX_TOKEN: influx.token}})
  if (!run.output.includes(`"written":${messages}`)) throw new Error(run.output)
  return run
}

function readyBodies(): Buffer[] {
  const transform = toPoint({
    measurement: 'swat_sensor_data',
    tags: {},
    tagFields: [],
    excludeFields: [],
    timestampField: undefined,
    labelField: 'auto',
    parse: timestampParser('auto', 'UTC'),
    onBadTimestamp: 'reject',
    now: () => 0,
    observations: createObservations(() => {}),
  })
  const lines = [...swatEvents(MESSAGES)].flatMap((value) => {
    const message = {value: Buffer.from(value), key: null, headers: undefined, timestamp: undefined}
    const outcome = transform(message, {partition: 'bench', offset: 0n})
    return 'rows' in outcome ? outcome.rows.flatMap((line) => ('bytes' in line ? [line.bytes] : [])) : []
  })
  return Array.from({length: Math.ceil(lines.length / BATCH)}, (_, index) => Buffer.concat(lines.slice(index * BATCH, (index + 1) * BATCH)))
}

/** Telegraf has no end of its own: it is stopped when the server has counted all points. */
async function runTelegraf({kafka, influx, telegraf}: Bench, topic: string, bucket: string, encoding: string): Promise<Run> {
  const config = join(tmpdir(), `${bucket}.conf`)
  await writeFile(config, telegrafConfig({kafka, influx, topic, bucket, encoding}))
  const before = await pointsWritten(influx)
  const run = await timed([telegraf!, '--config', config], {
    async until() {
      while ((await pointsWritten(influx)) - before < MESSAGES) await new Promise((resolve) => setTimeout(resolve, 100))
    },
  })
  await rm(config)
  return run
}

const telegrafConfig = ({
  kafka,
  influx,
  topic,
  bucket,
  encoding,
}: Pick<Bench, 'kafka' | 'influx'> & Record<'topic' | 'bucket' | 'encoding', string>) => `[agent]
  interval = "1s"
  flush_interval = "1s"
  metric_batch_size = ${BATCH}
  metric_buffer_limit = 100000
  omit_hostname = true
  quiet = true
[[inputs.kafka_consumer]]
  brokers = ["${kafka}"]
  topics = ["${topic}"]
  consumer_group = "${bucket}"
  kafka_version = "3.6.0"
  offset = "oldest"
  max_undelivered_messages = 20000
  data_format = "json"
  json_time_key = "Timestamp"
  json_time_format = "2/1/2006 3:04:05 PM"
  tag_keys = ["Normal_Attack"]
  name_override = "swat_sensor_data"
[[outputs.influxdb_v2]]
  urls = ["${influx.url}"]
  token = "${influx.token}"
  organization = "${influx.org}"
  bucket = "${bucket}"
  content_encoding = "${encoding}"
`
