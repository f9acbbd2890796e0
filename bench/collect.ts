import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import type {Bench} from './bench.ts'
import type {Run} from './measure.ts'
import {type InfluxServer, startInflux} from '../test/services/influxd.ts'
import {createBucket, postBodies} from './influx.ts'
import {interleaved, median, row, timed} from './measure.ts'

const HOSTS = Number(process.env['HOSTS'] ?? 100)
const SECONDS = Number(process.env['SECONDS'] ?? 2000)
const ROUNDS = Number(process.env['ROUNDS'] ?? 3)
const FIELDS = ['usage_idle', 'usage_iowait', 'usage_nice', 'usage_system', 'usage_user']
const POINTS = HOSTS * SECONDS * FIELDS.length
const BATCH = 10_000
const IN_FLIGHT = 2
const BUCKET = 'telegraf'

interface History {
  /** Seconds since the epoch. */
  readonly from: number
  readonly to: number
}

/** Points of one server to another as they are: ucs, and the limit, both halves of the work at the same time, each as fast as it goes by itself. */
export async function benchCollect({influx}: Bench): Promise<void> {
  const to = Math.floor(Date.now() / 60_000 - 1) * 60
  const history: History = {from: to - SECONDS, to}
  const source = await startInflux()
  try {
    await createBucket(source, BUCKET)
    await postBodies(source, BUCKET, bodiesOf(history, 'a line a moment'), IN_FLIGHT)
    const bodies = bodiesOf(history, 'a line a value')
    const bucket = (name: string, round: number) => createBucket(influx, `collect-${name}-${round}-${Date.now()}`)
    const results = await interleaved<Run>(ROUNDS, {
      'both halves': async (round) => {
        const begun = performance.now()
        const name = await bucket('limit', round)
        await Promise.all([readAll(source, history), postBodies(influx, name, bodies, IN_FLIGHT)])
        return {seconds: (performance.now() - begun) / 1000, peakMegabytes: 0, exitCode: 0, output: ''}
      },
      ucs: async (round) => runUcs(source, influx, history, await bucket('ucs', round)),
    })

    const seconds = (name: string) => median(results[name]!.map((run) => run.seconds))
    row(['', 'seconds', 'points/s', 'peak MB'])
    for (const [name, runs] of Object.entries(results)) {
      const peak = median(runs.map((run) => run.peakMegabytes))
      row([name, seconds(name).toFixed(2), Math.round(POINTS / seconds(name)), Math.round(peak)])
    }

    row(['ucs against both halves', `${((seconds('both halves') / seconds('ucs')) * 100).toFixed(0)} %`])
  } finally {
    await source.stop()
  }
}

function bodiesOf({from, to}: History, kind: 'a line a value' | 'a line a moment'): Buffer[] {
  const bodies: Buffer[] = []
  let lines: string[] = []
  const add = (line: string) => {
    lines.push(line)
    if (lines.length < BATCH) return
    bodies.push(Buffer.from(lines.join('')))
    lines = []
  }
  for (let host = 0; host < HOSTS; host++) {
    const series = `cpu,cpu=cpu-total,host=host-${host}.example.com`
    if (kind === 'a line a moment') {
      for (let second = from; second < to; second++)
        add(`${series} ${FIELDS.map((field, index) => `${field}=${valueAt(host, index, second)}`).join(',')} ${second}000000000\n`)
    } else {
      for (const [index, field] of FIELDS.entries())
        for (let second = from; second < to; second++) add(`${series} ${field}=${valueAt(host, index, second)} ${second}000000000\n`)
    }
  }

  return lines.length > 0 ? [...bodies, Buffer.from(lines.join(''))] : bodies
}

const valueAt = (host: number, field: number, second: number) => (Math.sin(second / 600 + host + field) * 50 + 50).toFixed(6)

/** All of the answer, as curl would read it. */
async function readAll({url, org, token}: InfluxServer, {from, to}: History): Promise<void> {
  const query = `from(bucket: "${BUCKET}") |> range(start: ${from}, stop: ${to}) |> drop(columns: ["_start", "_stop"])`
  const answer = await fetch(`${url}/api/v2/query?org=${org}`, {
    method: 'POST',
    headers: {Authorization: `Token ${token}`, 'Content-Type': 'application/json', 'Accept-Encoding': 'identity'},
    body: JSON.stringify({query, dialect: {annotations: ['datatype', 'group', 'default']}}),
  })
  if (!answer.ok) throw new Error(`InfluxDB answered ${answer.status}`)
  for await (const _ of answer.body!);
}

async function runUcs(source: InfluxServer, influx: Bench['influx'], {from}: History, bucket: string): Promise<Run> {
  const folder = await mkdtemp(join(tmpdir(), 'collect-'))
  const env = {
    SERVER_A_URL: source.url,
    SERVER_A_ORG: source.org,
    SERVER_A_TOKEN: source.token,
    SERVER_A_BUCKET: BUCKET,
    INFLUXDB_CENTRAL_URL: influx.url,
    INFLUXDB_CENTRAL_ORG: influx.org,
    INFLUXDB_CENTRAL_TOKEN: influx.token,
    UCS_STATE_DIR: folder,
    UCS_LOG_FILE: join(folder, 'collector.log'),
  }
  const args = ['--mode', 'raw', '--once', '--from', new Date(from * 1000).toISOString(), '--bucket-map', `${BUCKET}=${bucket}`, '--json']
  const run = await timed([process.execPath, 'bin/run.js', 'collect', ...args], {env})
  await rm(folder, {recursive: true})
  if (!run.output.includes(`"written":${POINTS}`)) throw new Error(run.output)
  return run
}
