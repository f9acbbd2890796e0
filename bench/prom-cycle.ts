import {spawn} from 'node:child_process'
import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {createInterface} from 'node:readline'
import {startHttpProxy} from '../test/services/http-proxy.ts'
import {delayed} from '../test/services/http-treatments.ts'
import {startPrometheus} from '../test/services/prometheus.ts'
import type {Bench} from './bench.ts'
import {createBucket} from './influx.ts'
import {median, row} from './measure.ts'

const QUERIES = 20
const LATENCY_MILLISECONDS = 50
const CYCLES = 20

/** From a moment to the last query's end, stored: twenty queries at a server that is 50 ms away, and with InfluxDB as far away as well. */
export async function benchPromCycle({influx}: Bench): Promise<void> {
  const prometheus = await startPrometheus()
  const near = await startHttpProxy(prometheus.url, {keepsRequests: false})
  const target = await startHttpProxy(influx.url, {keepsRequests: false})
  near.setTreatment(() => delayed(LATENCY_MILLISECONDS))
  row([`${QUERIES} queries, ${LATENCY_MILLISECONDS} ms each`, 'median ms', 'worst ms'])
  try {
    for (const [name, url] of [
      ['InfluxDB near', influx.url],
      ['InfluxDB as far', target.url],
    ] as const) {
      if (url === target.url) target.setTreatment(() => delayed(LATENCY_MILLISECONDS))
      const bucket = await createBucket(influx, `cycle-${Date.now()}`)
      const milliseconds = await cyclesOf(near.url, {...influx, url}, bucket)
      row([name, Math.round(median(milliseconds)), Math.max(...milliseconds)])
    }
  } finally {
    await Promise.all([near.close(), target.close()])
    await prometheus.stop()
  }
}

async function cyclesOf(prometheus: string, influx: Bench['influx'], bucket: string): Promise<number[]> {
  const state = await mkdtemp(join(tmpdir(), 'ucs-bench-'))
  const queries = Array.from({length: QUERIES}, (_, index) => `sum(prometheus_http_requests_total) + ${index}`)
  const servers = ['--prometheus-url', prometheus, '--influx-url', influx.url, '--influx-org', influx.org, '--influx-bucket', bucket]
  const args = [
    'bin/run.js',
    'prom-to-influx',
    '--interval',
    '1',
    '--log-format',
    'json',
    '--state-dir',
    state,
    ...servers,
    '--queries',
    ...queries,
  ]
  const child = spawn(process.execPath, args, {env: {...process.env, INFLUX_TOKEN: influx.token}, stdio: ['ignore', 'ignore', 'pipe']})
  const found: number[] = []
  for await (const line of createInterface({input: child.stderr})) {
    const {event, milliseconds, succeeded} = JSON.parse(line) as {event: string; milliseconds: number; succeeded: number}
    if (event !== 'cycle') continue
    if (succeeded !== QUERIES) throw new Error(line)
    found.push(milliseconds)
    if (found.length > CYCLES) child.kill('SIGTERM')
  }

  await rm(state, {recursive: true})
  return found.slice(1, CYCLES + 1) // the first has connections to make
}
