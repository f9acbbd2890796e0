/*
 * Kafka to InfluxDB: ucs, Telegraf, and the limit (ready-made bodies, as many writes in flight), on one topic and server,
 * in turn, each round into buckets of its own.
 *
 *   UCS_TEST_KAFKA=127.0.0.1:9092 UCS_TEST_INFLUX=http://127.0.0.1:8086 UCS_TEST_INFLUX_TOKEN=… [TELEGRAF=path] node bench/kafka-to-influx.ts
 */
import {writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {request} from 'node:http'
import {Agent} from 'node:http'
import type {Run} from './measure.ts'
import {sampleLines} from '../src/lib/jobs/sample-data.ts'
import {isSwatHeader, swatRowToEvent} from '../src/lib/transforms/row-to-event.ts'
import {toPoint} from '../src/lib/transforms/to-point.ts'
import {timestampParser} from '../src/lib/format/timestamp.ts'
import {createObservations} from '../src/lib/transforms/observations.ts'
import {createKafkaProducer} from '../src/lib/clients/kafka/producer.ts'
import {systemClock} from '../src/lib/runtime/clock.ts'
import {interleaved, median, row, timed} from './measure.ts'

const MESSAGES = Number(process.env['MESSAGES'] ?? 300_000)
const ROUNDS = Number(process.env['ROUNDS'] ?? 3)
const IN_FLIGHT = 2
const BATCH = 5000
const kafka = process.env['UCS_TEST_KAFKA'] ?? '127.0.0.1:9092'
const influx = new URL(process.env['UCS_TEST_INFLUX'] ?? 'http://127.0.0.1:8086')
const token = process.env['UCS_TEST_INFLUX_TOKEN'] ?? ''
const org = process.env['UCS_TEST_INFLUX_ORG'] ?? 'ucs'
const telegraf = process.env['TELEGRAF']
const topic = `bench-${MESSAGES}-${Date.now()}`

const log = {debug() {}, info() {}, warn() {}, error() {}}
const [header = '', ...rows] = [...sampleLines('swat', MESSAGES, 1)].flat()
const columns = header.split(',').map((column) => column.trim())
if (!isSwatHeader(columns)) throw new Error('the sample has changed')
const toEvent = swatRowToEvent({columns, delimiter: ',', keyed: false})
const position = {partition: 'bench', offset: 0n}
const events = rows.map((line) => {
  const outcome = toEvent({fields: line.split(','), problem: undefined}, position)
  return 'rows' in outcome ? outcome.rows[0]!.value : ''
})
/** Numbers instead of text: Telegraf's JSON parser takes numbers as fields. */
const numbered = events.map((event) => event.replace(/":"(-?\d+(?:\.\d+)?)"/g, '":$1'))

await fill()
const bodies = readyBodies()
const results = await interleaved<Run & {rate: number}>(ROUNDS, {
  'ready-made bodies': (round) => rated(() => postBodies(`limit-${round}`)),
  ucs: (round) => rated(async () => runUcs(`ucs-${round}`, round)),
  ...(telegraf
    ? {
        'telegraf, gzip': (round: number) => rated(() => runTelegraf(`telegraf-gzip-${round}`, 'gzip')),
        'telegraf, identity': (round: number) => rated(() => runTelegraf(`telegraf-${round}`, 'identity')),
      }
    : {}),
})

row(['', 'seconds', 'messages/s', 'peak MB'])
for (const [name, runs] of Object.entries(results)) {
  const seconds = median(runs.map((run) => run.seconds))
  row([name, seconds.toFixed(2), Math.round(MESSAGES / seconds), Math.round(median(runs.map((run) => run.peakMegabytes)))])
}

const secondsOf = (name: string) => median(results[name]!.map((run) => run.seconds))
row(['ucs against ready-made bodies', `${((secondsOf('ready-made bodies') / secondsOf('ucs')) * 100).toFixed(0)} %`])
for (const name of Object.keys(results).filter((name) => name.startsWith('telegraf')))
  row([`ucs against ${name}`, `${(secondsOf(name) / secondsOf('ucs')).toFixed(2)} ×`])
process.exit()

async function rated(run: () => Promise<Run>): Promise<Run & {rate: number}> {
  const result = await run()
  return {...result, rate: MESSAGES / result.seconds}
}

async function fill(): Promise<void> {
  const settings = {brokers: [kafka], connectTimeoutMilliseconds: 5000, tls: undefined, sasl: undefined}
  const producer = createKafkaProducer(settings, {topic, clock: systemClock, log})
  for (let first = 0; first < numbered.length; first += 500) {
    await producer.send(numbered.slice(first, first + 500).map((value) => ({key: null, value})))
  }

  await producer.close()
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
  const made: Buffer[] = []
  for (let first = 0; first < events.length; first += BATCH) {
    const lines = events.slice(first, first + BATCH).flatMap((value) => {
      const outcome = transform({value: Buffer.from(value), key: null, headers: undefined, timestamp: undefined}, position)
      return 'rows' in outcome ? outcome.rows.map(({bytes}) => bytes) : []
    })
    made.push(Buffer.concat(lines))
  }

  return made
}

async function api(method: string, path: string, body?: object): Promise<string> {
  const answer = await fetch(new URL(path, influx), {
    method,
    headers: {Authorization: `Token ${token}`},
    ...(body ? {body: JSON.stringify(body)} : {}),
  })
  return answer.text()
}

async function createBucket(name: string): Promise<string> {
  const {orgs} = JSON.parse(await api('GET', `/api/v2/orgs?org=${org}`)) as {orgs: {id: string}[]}
  const bucket = `${topic}-${name}`
  await api('POST', '/api/v2/buckets', {orgID: orgs[0]!.id, name: bucket, retentionRules: []})
  return bucket
}

async function postBodies(name: string): Promise<Run> {
  const bucket = await createBucket(name)
  const agent = new Agent({keepAlive: true})
  const begun = performance.now()
  let next = 0
  const lane = async () => {
    while (next < bodies.length) await post(agent, bucket, bodies[next++]!)
  }

  await Promise.all(Array.from({length: IN_FLIGHT}, lane))
  agent.destroy()
  return {seconds: (performance.now() - begun) / 1000, peakMegabytes: 0, exitCode: 0, output: ''}
}

function post(agent: Agent, bucket: string, body: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const path = `/api/v2/write?org=${org}&bucket=${bucket}&precision=ns`
    const outgoing = request({
      agent,
      method: 'POST',
      hostname: influx.hostname,
      port: influx.port,
      path,
      headers: {Authorization: `Token ${token}`, 'Content-Length': body.length},
    })
    outgoing.on('response', (response) =>
      response.resume().on('end', () => (response.statusCode === 204 ? resolve() : reject(new Error(String(response.statusCode))))),
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

async function runUcs(name: string, round: number): Promise<Run> {
  const bucket = await createBucket(name)
  const args = [
    '--broker',
    kafka,
    '--topic',
    topic,
    '--group',
    `ucs-${round}`,
    '--influx-url',
    influx.href,
    '--influx-org',
    org,
    '--influx-bucket',
    bucket,
    '--until-end',
    '--json',
  ]
  const run = await timed([process.execPath, 'bin/run.js', 'kafka-to-influx', ...args], undefined, {INFLUX_TOKEN: token})
  if (!run.output.includes(`"written":${MESSAGES}`)) throw new Error(run.output)
  return run
}

async function runTelegraf(name: string, encoding: string): Promise<Run> {
  const bucket = await createBucket(name)
  const config = join(tmpdir(), `${bucket}.conf`)
  await writeFile(
    config,
    `[agent]
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
  urls = ["${influx.origin}"]
  token = "${token}"
  organization = "${org}"
  bucket = "${bucket}"
  content_encoding = "${encoding}"
`,
  )
  const before = await pointsWritten()
  return timed([telegraf!, '--config', config], async () => {
    while ((await pointsWritten()) - before < MESSAGES) await new Promise((resolve) => setTimeout(resolve, 100))
  })
}

/** The server's own counter. */
async function pointsWritten(): Promise<number> {
  return Number(/^storage_writer_ok_points_sum\S* (\S+)$/m.exec(await api('GET', '/metrics'))?.[1] ?? 0)
}
