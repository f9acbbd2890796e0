import {once} from 'node:events'
import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import {connect} from 'node:net'
import {describe, expect, it, onTestFinished} from 'vitest'
import type {HealthOptions} from '../../src/lib/runtime/health.ts'
import {createLedger} from '../../src/lib/core/ledger.ts'
import {AuthError, UnavailableError} from '../../src/lib/errors.ts'
import {redactor} from '../../src/lib/format/redact.ts'
import {startHealthServer} from '../../src/lib/runtime/health.ts'
import {createVitals} from '../../src/lib/runtime/vitals.ts'

const START = Date.UTC(2020, 6, 12)

/** The health of a run whose state a test can change. */
async function serve(options: Partial<HealthOptions> = {}) {
  const time = {now: START}
  const clock = {now: () => time.now, sleep: () => Promise.reject(new Error('nobody sleeps here'))}
  const ledger = createLedger()
  const state = {lag: 0 as number | undefined, isConnected: true, gone: 0}
  const counts = [{key: 'gone', metric: 'ucs_records_gone_total', help: 'Records that are gone.', value: () => state.gone}]
  const observations: Record<string, Record<string, number>> = {}
  const {vitals, observer} = createVitals({ledger, clock, counts, observations, lag: () => state.lag, isConnected: () => state.isConnected})
  const server = await startHealthServer({
    command: 'kafka-to-influx',
    vitals,
    clock,
    host: '127.0.0.1',
    port: 0,
    stallMilliseconds: 66_000,
    redact: (text) => text.replaceAll('S3cret', '***'),
    ...options,
  })
  onTestFinished(() => server.close())
  const get = async (path: string) => {
    const response = await fetch(`http://${server.address}${path}`)
    return {status: response.status, type: response.headers.get('content-type'), body: await response.text()}
  }
  /** Metrics without their comments, by name and labels. */
  const metrics = async () => {
    const lines = (await get('/metrics')).body.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]))
  }
  return {server, ledger, observer, observations, state, time, get, metrics}
}

describe('numbers of a command', () => {
  const own = {
    series: [
      {kind: 'counter', metric: 'ucs_source_rows_total', help: 'Rows.', labels: ['source'], values: () => [[{source: 'a'}, 3] as const]},
      {kind: 'gauge', metric: 'ucs_source_up', help: 'Up.', labels: ['source'], values: () => [[{source: 'a'}, 1] as const]},
    ] as const,
    metrics: () => ({sources_count: 1, note: 'S3cret'}),
  }
  const serveOwn = async () => {
    const clock = {now: () => START, sleep: () => Promise.reject(new Error('nobody sleeps here'))}
    return serve({vitals: createVitals({ledger: createLedger(), clock, ...own, lag: () => 0, isConnected: () => true}).vitals})
  }

  it('are among the metrics, by their labels', async () => {
    const {metrics} = await serveOwn()
    const found = await metrics()
    expect(found.get('ucs_source_rows_total{source="a",command="kafka-to-influx"}')).toBe(3)
    expect(found.get('ucs_source_up{source="a",command="kafka-to-influx"}')).toBe(1)
  })

  it.each([
    ['/metrics.json', {}],
    ['/metrics', {accept: 'application/json'}],
  ])('are JSON at %s for %j, without secrets', async (path, headers) => {
    const {server} = await serveOwn()
    const answer = await fetch(`http://${server.address}${path}`, {headers})
    expect([answer.headers.get('content-type'), await answer.json()]).toEqual([
      'application/json; charset=utf-8',
      {sources_count: 1, note: '***'},
    ])
  })

  it('are Prometheus text for whoever asks for JSON where a command has none', async () => {
    const {server} = await serve()
    const answer = await fetch(`http://${server.address}/metrics`, {headers: {accept: 'application/json'}})
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain/)
    expect((await fetch(`http://${server.address}/metrics.json`)).status).toBe(404)
  })
})

describe('/healthz', () => {
  it('is 200 as long as the process answers, whatever its state', async () => {
    const {get, state, observer} = await serve()
    state.isConnected = false
    observer.retrying?.(new AuthError('token refused'))
    expect(await get('/healthz')).toEqual({status: 200, type: 'text/plain; charset=utf-8', body: 'ok\n'})
  })
})

describe('/readyz', () => {
  it('is 200 once all is connected, and 503 with the reason before', async () => {
    const {get, state} = await serve()
    state.isConnected = false
    expect(await get('/readyz')).toMatchObject({status: 503, body: 'not connected\n'})
    state.isConnected = true
    expect(await get('/readyz')).toMatchObject({status: 200, body: 'ok\n'})
  })

  it('is 503 while paused', async () => {
    const {get, observer} = await serve()
    observer.retrying?.(new AuthError('token refused'))
    expect(await get('/readyz')).toMatchObject({status: 503, body: 'paused: token refused\n'})
    observer.recovered?.()
    expect(await get('/readyz')).toMatchObject({status: 200})
  })

  it('is 503 when there is lag and nothing was settled for too long', async () => {
    const {get, state, time} = await serve()
    state.lag = 3
    time.now += 66_000
    expect(await get('/readyz')).toMatchObject({status: 200})
    time.now += 1
    expect(await get('/readyz')).toMatchObject({status: 503, body: 'stalled: 3 records wait, and none was settled for 66 s\n'})
  })
})

describe('/health', () => {
  it('is what the collector of the seeds answers before its first cycle', async () => {
    const {get, state} = await serve()
    state.isConnected = false
    expect(await get('/health')).toEqual({status: 503, type: 'application/json; charset=utf-8', body: '{"status":"initializing"}\n'})
  })

  it('is healthy, with the keys of the seeds, from the first connection on', async () => {
    const {get, ledger, observer, time} = await serve()
    expect(JSON.parse((await get('/health')).body)).toMatchObject({status: 'healthy', last_collection: null})
    ledger.written = 7
    observer.settled?.({messages: 7, milliseconds: 3})
    time.now += 5000
    const {status, body} = await get('/health')
    expect(status).toBe(200)
    expect(JSON.parse(body)).toEqual({
      status: 'healthy',
      timestamp: '2020-07-12T00:00:05.000Z',
      metrics_collected_total: 7,
      last_collection: '2020-07-12T00:00:00.000Z',
    })
  })

  it('is degraded, with the problem, when the run is not ready', async () => {
    const {get, observer} = await serve()
    observer.retrying?.(new AuthError('token refused'))
    const {status, body} = await get('/health')
    expect(status).toBe(503)
    expect(JSON.parse(body)).toMatchObject({status: 'degraded', problem: 'paused: token refused'})
  })

  it('is degraded, not initializing, when a connection is lost after the first batch', async () => {
    const {get, observer, state} = await serve()
    observer.settled?.({messages: 1, milliseconds: 3})
    state.isConnected = false
    expect(JSON.parse((await get('/health')).body)).toMatchObject({status: 'degraded', problem: 'not connected'})
  })
})

describe('/metrics', () => {
  it('are the ledger, the lag, what is in flight, the counts of the source, the retries and the latencies, in the text format of Prometheus', async () => {
    const {get, metrics, ledger, observer, state, time} = await serve()
    Object.assign(ledger, {read: 100, written: 90, rows: 95, filtered: 3, rejected: 2, unacknowledged: 5, collapsed: 4})
    Object.assign(ledger.filteredBy, {tombstone: 3})
    Object.assign(ledger.rejectedBy, {'bad json': 1, 'bad timestamp': 1})
    for (const milliseconds of [20, 2000]) {
      observer.launched?.()
      observer.settled?.({messages: 1, milliseconds})
    }

    observer.launched?.()
    observer.retrying?.(new UnavailableError('refused'))
    Object.assign(state, {lag: 12, gone: 60})
    time.now += 1500
    const label = 'command="kafka-to-influx"'
    const found = await metrics()
    expect(Object.fromEntries([...found].filter(([name]) => !name.includes('_batch_')))).toEqual({
      [`ucs_messages_read_total{${label}}`]: 100,
      [`ucs_messages_written_total{${label}}`]: 90,
      [`ucs_rows_written_total{${label}}`]: 95,
      [`ucs_rows_collapsed_total{${label}}`]: 4,
      [`ucs_messages_filtered_total{reason="tombstone",${label}}`]: 3,
      [`ucs_messages_rejected_total{reason="bad json",${label}}`]: 1,
      [`ucs_messages_rejected_total{reason="bad timestamp",${label}}`]: 1,
      [`ucs_retries_total{${label}}`]: 1,
      [`ucs_messages_unacknowledged{${label}}`]: 5,
      [`ucs_batches_in_flight{${label}}`]: 1,
      [`ucs_records_gone_total{${label}}`]: 60,
      [`ucs_lag_records{${label}}`]: 12,
      [`ucs_seconds_since_last_settled{${label}}`]: 1.5,
      [`ucs_paused{${label}}`]: 0,
    })
    expect(found.get(`ucs_batch_seconds_count{${label}}`)).toBe(2)
    expect(found.get(`ucs_batch_seconds_sum{${label}}`)).toBeCloseTo(2.02)
    expect(found.get(`ucs_batch_seconds_bucket{le="0.03",${label}}`)).toBe(1)
    expect((await get('/metrics')).type).toBe('text/plain; version=0.0.4; charset=utf-8')
  })

  it('tell what was noticed, by kind and name, and mask what is secret in a name', async () => {
    const {metrics, observations} = await serve()
    const label = 'command="kafka-to-influx"'
    const noticed = async () => [...(await metrics())].filter(([name]) => name.startsWith('ucs_observations_total'))
    expect(await noticed()).toEqual([])
    Object.assign(observations, {'label.missing': {'': 2}, 'field.skipped': {S3cret: 1}})
    await noticed()
    observations['label.missing']![''] = 3
    expect(await noticed()).toEqual([
      [`ucs_observations_total{what="label.missing",name="",${label}}`, 3],
      [`ucs_observations_total{what="field.skipped",name="***",${label}}`, 1],
    ])
  })

  it('follow the run from scrape to scrape, and count each latency once', async () => {
    const {metrics, ledger, observer} = await serve()
    const label = 'command="kafka-to-influx"'
    for (const read of [1, 5, 5]) {
      ledger.read = read
      observer.settled?.({messages: 1, milliseconds: 1})
      expect((await metrics()).get(`ucs_messages_read_total{${label}}`)).toBe(read)
    }

    expect((await metrics()).get(`ucs_batch_seconds_count{${label}}`)).toBe(3)
  })

  it('say that a run is paused', async () => {
    const {metrics, observer} = await serve()
    observer.retrying?.(new AuthError('token refused'))
    expect((await metrics()).get('ucs_paused{command="kafka-to-influx"}')).toBe(1)
  })

  it('have no lag where it is not known', async () => {
    const {metrics, state} = await serve()
    state.lag = undefined
    expect([...(await metrics()).keys()].filter((name) => name.startsWith('ucs_lag_records'))).toEqual([])
  })

  it('escape what a reason holds', async () => {
    const {get, ledger} = await serve()
    ledger.rejectedBy['say "no"\\\nucs_fake 1'] = 1
    const {body} = await get('/metrics')
    expect(body).toContain('{reason="say \\"no\\"\\\\\\nucs_fake 1",command="kafka-to-influx"} 1')
    expect(body).not.toMatch(/^ucs_fake/m)
  })
})

describe('the status page', () => {
  it('shows the state and the ledger', async () => {
    const {get, ledger, observer} = await serve()
    Object.assign(ledger, {read: 7, written: 5, rejected: 2})
    ledger.rejectedBy['bad json'] = 2
    observer.settled?.({messages: 7, milliseconds: 3})
    const {status, type, body} = await get('/')
    expect({status, type}).toEqual({status: 200, type: 'text/html; charset=utf-8'})
    for (const [name, value] of [
      ['state', 'ready'],
      ['read', '7'],
      ['written', '5'],
      ['rejected', '2'],
      ['rejected: bad json', '2'],
      ['last settled', '0.0 s ago'],
    ])
      expect(body).toContain(`<tr><th>${name}</th><td>${value}</td></tr>`)
  })

  it('runs nothing that data brings along', async () => {
    const {get, ledger, observer} = await serve({command: '<b>'})
    ledger.rejectedBy['<script>alert("1")</script>'] = 1
    observer.retrying?.(new AuthError('<img src=x onerror="alert(1)">'))
    const {body} = await get('/')
    expect(body).not.toMatch(/<script|<img|<b>/)
    expect(body).toContain('&#60;script&#62;alert(&#34;1&#34;)&#60;/script&#62;')
  })
})

describe('every page', () => {
  it.each(['/readyz', '/metrics', '/health', '/'])('%s shows no secret', async (path) => {
    const {get, ledger, observer} = await serve()
    observer.retrying?.(new AuthError('http://user:S3cret@influxdb refused the token S3cret'))
    ledger.rejectedBy['S3cret'] = 1
    const {body} = await get(path)
    expect(body).not.toContain('S3cret')
    expect(body).toContain('***')
  })

  it.each(['/readyz', '/metrics', '/health', '/'])('%s shows no secret in an escaped form', async (path) => {
    const {get, ledger, observer} = await serve({redact: redactor(['a<b>"&\\c'])})
    observer.retrying?.(new AuthError('the token a<b>"&\\c is refused'))
    ledger.rejectedBy['a<b>"&\\c'] = 1
    const {body} = await get(path)
    expect(body).toContain('***')
    expect(body).not.toMatch(/a(<|&#60;)b/)
  })

  it('keeps its numbers although a secret looks like one', async () => {
    const {get, metrics, ledger} = await serve({redact: redactor(['1234'])})
    ledger.read = 1234
    ledger.written = 1234
    expect((await metrics()).get('ucs_messages_read_total{command="kafka-to-influx"}')).toBe(1234)
    expect(JSON.parse((await get('/health')).body)).toMatchObject({metrics_collected_total: 1234})
  })

  it.each(['/healthz?full=1', '/readyz?', '/?a=/b'])('%s takes a query', async (path) => {
    expect((await (await serve()).get(path)).status).toBe(200)
  })

  it.each(['/nothing', '/healthz/', '//', '/constructor'])('%s is 404, with the list of pages', async (path) => {
    const {status, body} = await (await serve()).get(path)
    expect(status).toBe(404)
    expect(body.split('\n')).toEqual(['/healthz', '/readyz', '/metrics', '/health', '/', ''])
  })
})

describe('the server', () => {
  it('names host, port and remedy when the port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void other.close())
    await once(other, 'listening')
    const {port} = other.address() as AddressInfo
    await expect(serve({port})).rejects.toMatchObject({
      code: 'IO',
      message: expect.stringContaining(`cannot serve health on 127.0.0.1:${port}: listen EADDRINUSE`) as string,
      suggestion: 'Name another port with --health-port',
    })
  })

  it('closes although a client is in the middle of a request', async () => {
    const {server, get} = await serve()
    const [host, port] = server.address.split(':') as [string, string]
    const client = connect(Number(port), host).on('error', () => {}) // it is cut off, which the system may call a reset
    client.resume().write('GET /healthz HTTP/1.1\r\nHost: x\r\n')
    await once(client, 'connect')
    await get('/healthz')
    const gone = once(client, 'close')
    await server.close()
    await gone
    await expect(fetch(`http://${server.address}/healthz`)).rejects.toThrow()
  })
})
