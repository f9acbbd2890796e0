import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import type {Clock} from '../core/types.ts'
import type {Vitals} from './vitals.ts'
import {IoError} from '../errors.ts'
import {notReady} from './vitals.ts'

export interface HealthOptions {
  readonly command: string
  readonly vitals: Vitals
  readonly clock: Clock
  readonly host: string
  readonly port: number
  /** How long records may wait without any being settled before the run counts as stalled. */
  readonly stallMilliseconds: number
  /** Masks secrets. */
  readonly redact: (text: string) => string
}

export interface HealthServer {
  readonly address: string
  close(): Promise<void>
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

const TEXT = 'text/plain; charset=utf-8'
const JSON_TYPE = 'application/json; charset=utf-8'
const HTML = 'text/html; charset=utf-8'

/** `/healthz` alive, `/readyz` working, `/metrics` for Prometheus, `/health` as the seeds have it, `/` for people. */
export async function startHealthServer(options: HealthOptions): Promise<HealthServer> {
  const {vitals, clock, host, port, stallMilliseconds, redact} = options
  const metrics = await createMetrics(options)
  const problem = () => {
    const found = notReady(vitals, clock.now(), stallMilliseconds)
    return found === undefined ? undefined : redact(found)
  }
  const {metrics: ownMetrics} = vitals
  const jsonMetrics = ownMetrics && ((): Answer => ({status: 200, type: JSON_TYPE, body: `${redact(JSON.stringify(ownMetrics()))}\n`}))
  const routes: Readonly<Record<string, () => Answer | Promise<Answer>>> = {
    '/healthz': () => ({status: 200, type: TEXT, body: 'ok\n'}),
    '/readyz': () => ({status: problem() ? 503 : 200, type: TEXT, body: `${problem() ?? 'ok'}\n`}),
    '/metrics': async () => ({status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: await metrics()}),
    ...(jsonMetrics ? {'/metrics.json': jsonMetrics} : {}),
    '/health': () => seedHealth(vitals, clock, problem()),
    '/': () => ({status: 200, type: HTML, body: statusPage(options, problem())}),
  }

  const server = createServer((request, response) => {
    const path = (request.url ?? '/').replace(/\?.*/, '')
    const wantsJson = path === '/metrics' && request.headers.accept?.startsWith('application/json')
    const route = wantsJson && jsonMetrics ? jsonMetrics : routes[path]
    void (async () => {
      const answer = route ? await route() : {status: 404, type: TEXT, body: `${Object.keys(routes).join('\n')}\n`}
      response.writeHead(answer.status, {'Content-Type': answer.type, 'Cache-Control': 'no-store'}).end(answer.body)
    })().catch(() => response.writeHead(500).end())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: Error) =>
      reject(
        new IoError(`cannot serve health on ${host}:${port}: ${cause.message}`, {
          cause,
          suggestion: 'Name another port with --health-port',
        }),
      ),
    )
    server.listen(port, host, resolve)
  })
  const {address, port: bound} = server.address() as AddressInfo
  return {
    address: `${address.includes(':') ? `[${address}]` : address}:${bound}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** 503 until the first batch is settled or the run is connected, then what the collector of the seeds answers. */
function seedHealth(vitals: Vitals, clock: Clock, problem: string | undefined): Answer {
  const {ledger, settledAt} = vitals
  if (settledAt === undefined && !vitals.isConnected())
    return {status: 503, type: JSON_TYPE, body: `${JSON.stringify({status: 'initializing'})}\n`}
  const report = vitals.report?.() ?? {}
  const isBad = problem !== undefined || report['status'] === 'critical'
  const body = {
    status: 'healthy',
    timestamp: new Date(clock.now()).toISOString(),
    metrics_collected_total: ledger.written,
    last_collection: settledAt === undefined ? null : new Date(settledAt).toISOString(),
    ...report,
    ...(problem ? {status: 'degraded', problem} : {}),
  }
  return {status: isBad ? 503 : 200, type: JSON_TYPE, body: `${JSON.stringify(body)}\n`}
}

type Labels = Readonly<Record<string, string>>

/** A registry that reads the vitals when it is scraped. */
async function createMetrics({command, vitals, clock, redact}: HealthOptions): Promise<() => Promise<string>> {
  const {Counter, Gauge, Histogram, Registry} = await import('@prometheus-io/client')
  const registry = new Registry()
  registry.setDefaultLabels({command})
  const registers = [registry]
  const {ledger} = vitals

  const gauge = (name: string, help: string, value: () => number | undefined) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        const current = value()
        if (current === undefined)
          this.remove() // a gauge begins as 0, which is not the same as not known
        else this.set(current)
      },
    })
  const counters = (name: string, help: string, labelNames: readonly string[], counts: () => readonly (readonly [Labels, number])[]) =>
    new Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers,
      collect() {
        this.reset()
        for (const [labels, count] of counts()) this.inc(labels, count)
      },
    })
  const gauges = (name: string, help: string, labelNames: readonly string[], levels: () => readonly (readonly [Labels, number])[]) =>
    new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers,
      collect() {
        this.reset()
        for (const [labels, level] of levels()) this.set(labels, level)
      },
    })
  const counter = (name: string, help: string, value: () => number) => counters(name, help, [], () => [[{}, value()]])
  const byReason = (name: string, help: string, counts: Readonly<Record<string, number>>) =>
    counters(name, help, ['reason'], () => Object.entries(counts).map(([reason, count]) => [{reason: redact(reason)}, count]))

  counter('ucs_messages_read_total', 'Messages read.', () => ledger.read)
  counter('ucs_messages_written_total', 'Messages whose rows are stored.', () => ledger.written)
  counter('ucs_rows_written_total', 'Rows stored.', () => ledger.rows)
  counter('ucs_rows_collapsed_total', 'Rows that another of the same batch overwrote.', () => ledger.collapsed)
  byReason('ucs_messages_filtered_total', 'Messages left out, by reason.', ledger.filteredBy)
  byReason('ucs_messages_rejected_total', 'Messages in the dead letters, by reason.', ledger.rejectedBy)
  counters(
    'ucs_observations_total',
    'What was noticed in records that could be used all the same, such as label.missing.',
    ['what', 'name'],
    () =>
      Object.entries(vitals.observations).flatMap(([what, names]) =>
        Object.entries(names).map(([name, count]) => [{what, name: redact(name)}, count] as const),
      ),
  )
  for (const {metric, help, value} of vitals.counts) counter(metric, help, value)
  for (const {kind, metric, help, labels, values} of vitals.series) {
    if (kind === 'counter') counters(metric, help, labels, values)
    else gauges(metric, help, labels, values)
  }

  counter('ucs_retries_total', 'Writes that failed and were tried again.', () => vitals.retries)
  gauge('ucs_messages_unacknowledged', 'Messages read and not settled yet.', () => ledger.unacknowledged)
  gauge('ucs_batches_in_flight', 'Batches that are being written or wait for their acknowledgement.', () => vitals.inFlight)
  gauge('ucs_lag_records', 'Records that wait in our partitions behind what was settled.', () => vitals.lag())
  gauge(
    'ucs_seconds_since_last_settled',
    'Seconds since a batch was settled.',
    () => (clock.now() - (vitals.settledAt ?? vitals.startedAt)) / 1000,
  )
  gauge('ucs_paused', '1 while a refused token or a missing target is waited out.', () => Number(vitals.paused !== undefined))
  const latency = new Histogram({
    name: 'ucs_batch_seconds',
    help: 'From the first attempt to write a batch to its acknowledgement.',
    buckets: [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30],
    registers,
  })

  return () => {
    for (const milliseconds of vitals.takeLatencies()) latency.observe(milliseconds / 1000)
    return registry.metrics()
  }
}

function statusPage({command, vitals, clock, redact}: HealthOptions, problem: string | undefined): string {
  const {ledger} = vitals
  const since = vitals.settledAt === undefined ? 'never' : `${((clock.now() - vitals.settledAt) / 1000).toFixed(1)} s ago`
  const rows: readonly (readonly [string, string | number])[] = [
    ['state', problem ?? 'ready'],
    ['running since', new Date(vitals.startedAt).toISOString()],
    ['read', ledger.read],
    ['written', ledger.written],
    ['rows', ledger.rows],
    ['filtered', ledger.filtered],
    ['rejected', ledger.rejected],
    ['unacknowledged', ledger.unacknowledged],
    ['lag', vitals.lag() ?? 'not known'],
    ['last settled', since],
    ['retries', vitals.retries],
    ['batches in flight', vitals.inFlight],
    ...vitals.counts.map(({key, value}) => [key, value()] as const),
    ...Object.entries(ledger.rejectedBy).map(([reason, count]) => [`rejected: ${redact(reason)}`, count] as const),
  ]
  const cells = rows.map(([name, value]) => `<tr><th>${escapeHtml(name)}</th><td>${escapeHtml(String(value))}</td></tr>`).join('\n')
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5"><title>ucs ${escapeHtml(command)}</title>
<style>body{font:16px/1.5 system-ui;margin:2rem}th{text-align:left;padding-right:2rem;font-weight:500}td{font-variant-numeric:tabular-nums}.bad{color:#b00}</style></head>
<body><h1>ucs ${escapeHtml(command)}</h1><p class="${problem ? 'bad' : 'good'}">${escapeHtml(problem ?? 'ready')}</p><table>
${cells}
</table></body></html>
`
}

const escapeHtml = (text: string) => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
