import {rm, writeFile} from 'node:fs/promises'
import {createWriteStream} from 'node:fs'
import {finished} from 'node:stream/promises'
import {once} from 'node:events'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import type {Bench} from './bench.ts'
import type {Run} from './measure.ts'
import {startPrometheus} from '../test/services/prometheus.ts'
import {createBucket, pointsWritten, postBodies} from './influx.ts'
import {interleaved, median, row, timed} from './measure.ts'

const SERIES = Number(process.env['SERIES'] ?? 200)
const HOURS = Number(process.env['HOURS'] ?? 24)
const ROUNDS = Number(process.env['ROUNDS'] ?? 3)
const STEP_SECONDS = 15
const BATCH = 5000
const IN_FLIGHT = 2

interface History {
  /** Seconds since the epoch. */
  readonly from: number
  readonly to: number
  readonly points: number
}

/** One query over a day: ucs, Telegraf, and the limit, both halves of the work at the same time, each as fast as it goes by itself. */
export async function benchPromToInflux({influx, telegraf}: Bench): Promise<void> {
  const to = Math.floor(Date.now() / 1000 / STEP_SECONDS) * STEP_SECONDS - 60
  const steps = (HOURS * 3600) / STEP_SECONDS
  const history: History = {from: to - (steps - 1) * STEP_SECONDS, to, points: steps * SERIES}
  const file = join(tmpdir(), `history-${process.pid}.txt`)
  await writeHistory(file, history)
  const prometheus = await startPrometheus({history: {file}}).finally(() => rm(file))
  const {url} = prometheus
  const bucket = (name: string, round: number) => createBucket(influx, `backfill-${name}-${round}-${Date.now()}`)

  try {
    const bodies = readyBodies(history)
    const results = await interleaved<Run>(ROUNDS, {
      'both halves': async (round) => {
        const begun = performance.now()
        const name = await bucket('limit', round)
        await Promise.all([readAll(url, history), postBodies(influx, name, bodies, IN_FLIGHT)])
        return {seconds: (performance.now() - begun) / 1000, peakMegabytes: 0, exitCode: 0, output: ''}
      },
      ucs: async (round) => runUcs(url, influx, history, await bucket('ucs', round)),
      ...(telegraf
        ? {telegraf: async (round: number) => runTelegraf(telegraf, url, influx, history, await bucket('telegraf', round))}
        : {}),
    })

    const seconds = (name: string) => median(results[name]!.map((run) => run.seconds))
    row(['', 'seconds', 'points/s', 'peak MB'])
    for (const [name, runs] of Object.entries(results)) {
      const peak = median(runs.map((run) => run.peakMegabytes))
      row([name, seconds(name).toFixed(2), Math.round(history.points / seconds(name)), Math.round(peak)])
    }

    row(['ucs against both halves', `${((seconds('both halves') / seconds('ucs')) * 100).toFixed(0)} %`])
    if (telegraf) row(['ucs against telegraf', `${(seconds('telegraf') / seconds('ucs')).toFixed(2)} ×`])
  } finally {
    await prometheus.stop()
  }
}

function* samplesOf({from, to}: History, series: number): Generator<readonly [second: number, value: string]> {
  for (let second = from; second <= to; second += STEP_SECONDS) yield [second, (Math.sin(second / 600 + series) * 100).toFixed(6)]
}

async function writeHistory(file: string, history: History): Promise<void> {
  const output = createWriteStream(file)
  output.write('# TYPE load gauge\n')
  for (let series = 0; series < SERIES; series++) {
    const labels = `instance="host${series}.example.com:9100",job="node",zone="zone-${series % 4}"`
    const lines = [...samplesOf(history, series)].map(([second, value]) => `load{${labels}} ${value} ${second}\n`)
    if (!output.write(lines.join(''))) await once(output, 'drain')
  }

  output.end('# EOF\n')
  await finished(output)
}

function readyBodies(history: History): Buffer[] {
  const bodies: Buffer[] = []
  let lines: string[] = []
  for (let series = 0; series < SERIES; series++) {
    for (const [second, value] of samplesOf(history, series)) {
      lines.push(`load,instance=host${series}.example.com:9100,job=node,zone=zone-${series % 4} value=${value} ${second}000000000\n`)
      if (lines.length < BATCH) continue
      bodies.push(Buffer.from(lines.join('')))
      lines = []
    }
  }

  return lines.length > 0 ? [...bodies, Buffer.from(lines.join(''))] : bodies
}

/** All of the answer, as curl would read it. */
async function readAll(url: string, {from, to}: History): Promise<void> {
  const answer = await fetch(`${url}/api/v1/query_range?query=load&start=${from}&end=${to}&step=${STEP_SECONDS}`, {
    headers: {'Accept-Encoding': 'identity'},
  })
  if (!answer.ok) throw new Error(`Prometheus answered ${answer.status}`)
  for await (const _ of answer.body!);
}

async function runUcs(url: string, influx: Bench['influx'], {from, to, points}: History, bucket: string): Promise<Run> {
  const time = (second: number) => new Date(second * 1000).toISOString()
  const past = ['--from', time(from), '--to', time(to), '--step', String(STEP_SECONDS), '--state-dir', join(tmpdir(), `state-${bucket}`)]
  const target = ['--influx-url', influx.url, '--influx-org', influx.org, '--influx-bucket', bucket]
  const command = [
    process.execPath,
    'bin/run.js',
    'prom-to-influx',
    '--prometheus-url',
    url,
    '--queries',
    'load',
    ...past,
    ...target,
    '--json',
  ] as const
  const run = await timed(command, {env: {INFLUX_TOKEN: influx.token}})
  if (!run.output.includes(`"written":${points}`)) throw new Error(run.output)
  return run
}

/** It has neither cursor nor end: it asks once, for a time before now, and is stopped when the server has counted all points. */
async function runTelegraf(telegraf: string, url: string, influx: Bench['influx'], history: History, bucket: string): Promise<Run> {
  const config = join(tmpdir(), `${bucket}.conf`)
  const ago = (second: number) => `${Math.round(Date.now() / 1000) - second}s`
  await writeFile(
    config,
    `[agent]
  interval = "10s"
  flush_interval = "1s"
  metric_batch_size = ${BATCH}
  metric_buffer_limit = 2000000
  omit_hostname = true
  quiet = true
[[inputs.promql]]
  url = "${url}"
  timeout = "60s"
  [[inputs.promql.range]]
    query = "load"
    start = "${ago(history.from)}"
    end = "${ago(history.to)}"
    step = "${STEP_SECONDS}s"
[[outputs.influxdb_v2]]
  urls = ["${influx.url}"]
  token = "${influx.token}"
  organization = "${influx.org}"
  bucket = "${bucket}"
  content_encoding = "identity"
`,
  )
  const before = await pointsWritten(influx)
  const run = await timed([telegraf, '--config', config, '--once'])
  await rm(config)
  const stored = (await pointsWritten(influx)) - before
  if (stored < history.points * 0.99) throw new Error(`Telegraf has written ${stored} of ${history.points} points: ${run.output}`)
  return run
}
