import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {setTimeout as sleep} from 'node:timers/promises'
import {createKafkaProducer} from '../src/lib/clients/kafka/producer.ts'
import {systemClock} from '../src/lib/runtime/clock.ts'
import {fluxRows} from '../test/integration/flux-rows.ts'
import {startInflux} from '../test/services/influxd.ts'
import type {Bench} from './bench.ts'
import {createBucket} from './influx.ts'
import {residentMegabytes, row} from './measure.ts'
import {silent, swatEvents} from './topic.ts'

const OUTAGE_SECONDS = Number(process.env['OUTAGE_SECONDS'] ?? 300)
const MESSAGES_A_SECOND = Number(process.env['MESSAGES_A_SECOND'] ?? 2000)
const CALM_SECONDS = 30
const TICK_MILLISECONDS = 100
const MESSAGES_AT_ONCE = 500

/** Waits at the start: what memory a run takes shows when it has much to do. */
const BACKLOG = 100_000

/** InfluxDB is killed under load, comes back later, and everything must be there: with what memory, and how soon? */
export async function benchOutage({kafka}: Bench): Promise<void> {
  const influx = await startInflux()
  const name = `bench-outage-${Date.now()}`
  await createBucket(influx, name)
  const load = startLoad(kafka, name)
  while (load.sent() < BACKLOG) await sleep(100)
  const flags = ['--broker', kafka, '--topic', name, '--influx-url', influx.url, '--influx-org', influx.org, '--influx-bucket', name]
  const env = {...process.env, INFLUX_TOKEN: influx.token}
  const child = spawn(process.execPath, ['bin/run.js', 'kafka-to-influx', ...flags, '--json'], {env, stdio: ['ignore', 'pipe', 'ignore']})
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))

  try {
    const before = await peakDuring(child.pid!, () => sleep(CALM_SECONDS * 1000))
    let during = 0
    await influx.restart({
      signal: 'SIGKILL',
      async whileDown() {
        during = await peakDuring(child.pid!, () => sleep(OUTAGE_SECONDS * 1000))
      },
    })
    const back = performance.now()
    const waiting = load.sent()
    const after = await peakDuring(child.pid!, async () => {
      while ((await stored()) < load.sent() - MESSAGES_A_SECOND) await sleep(500)
    })
    const seconds = (performance.now() - back) / 1000
    const sent = await load.stop()
    while ((await stored()) < sent && child.exitCode === null) await sleep(500)
    child.kill('SIGTERM')
    await once(child, 'close')
    row(['InfluxDB down for', `${OUTAGE_SECONDS} s`])
    row(['peak MB before, during, after', Math.round(before), Math.round(during), Math.round(after)])
    row(['caught up after', `${seconds.toFixed(0)} s`])
    row(['sent when it was back', waiting])
    row(['sent, stored, exit code', sent, await stored(), child.exitCode ?? 'killed'])
    console.log(output.trim())
  } finally {
    child.kill('SIGKILL')
    await influx.stop()
  }

  async function stored(): Promise<number> {
    const count = `from(bucket: "${name}") |> range(start: 2000-01-01T00:00:00Z) |> filter(fn: (r) => r._field == "FIT101") |> group() |> count()`
    return Number((await fluxRows(influx, count))[0]?.['_value'] ?? 0)
  }
}

/** Readings one second apart, so many a second. */
function startLoad(broker: string, topic: string): {sent(): number; stop(): Promise<number>} {
  const settings = {brokers: [broker], connectTimeoutMilliseconds: 5000, tls: undefined, sasl: undefined}
  const producer = createKafkaProducer(settings, {topic, clock: systemClock, log: silent})
  const events = swatEvents(Number.MAX_SAFE_INTEGER)
  let sent = 0
  let isOver = false
  const running = (async () => {
    while (sent < BACKLOG) await send(MESSAGES_AT_ONCE)
    for (const begun = performance.now(); !isOver; await sleep(TICK_MILLISECONDS)) {
      const due = BACKLOG + Math.floor(((performance.now() - begun) / 1000) * MESSAGES_A_SECOND)
      if (due > sent) await send(due - sent)
    }
  })()

  async function send(count: number): Promise<void> {
    await producer.send(Array.from({length: count}, () => ({key: null, value: events.next().value as string})))
    sent += count
  }

  return {
    sent: () => sent,
    async stop() {
      isOver = true
      await running
      await producer.close()
      return sent
    },
  }
}

/** The most that the process has in memory while the work goes on. */
async function peakDuring(pid: number, work: () => Promise<unknown>): Promise<number> {
  let peak = 0
  const watch = setInterval(() => void residentMegabytes(pid).then((now) => (peak = Math.max(peak, now))), 1000)
  await work().finally(() => clearInterval(watch))
  return peak
}
