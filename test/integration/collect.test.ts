import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {afterAll, beforeAll, describe, expect, onTestFinished, test, vi} from 'vitest'
import type {VerifiedJob} from '../../src/lib/cli/collect-verify.ts'
import {runScript} from '../commands/shell.ts'
import {freePorts} from '../services/free-ports.ts'
import {type HttpProxy, startHttpProxy} from '../services/http-proxy.ts'
import {hang, tearBeforeWrite} from '../services/http-treatments.ts'
import {describeWithOwn} from '../services/use.ts'
import {collectScene, type Pod, podLines, powerLines, startPod, telegrafLines} from './collect-scene.ts'
import {useFolders} from './folders.ts'

const EXAMPLE = fileURLToPath(new URL('../../examples/collector/', import.meta.url))
const MINUTE = 60_000
const WAIT = {timeout: 30_000, interval: 100}
const rfc = (milliseconds: number) => new Date(milliseconds).toISOString()

describeWithOwn('influx')('collect', () => {
  const newFolder = useFolders()
  let eight: Pod
  let thirty: Pod
  let central: Pod
  /** Where the data ends: a minute that is complete by now. */
  let end: number
  let orgs = 0

  beforeAll(async () => {
    ;[eight, thirty, central] = await Promise.all([startPod(), startPod(), startPod()])
    end = Math.floor(Date.now() / MINUTE - 1) * MINUTE
    await eight.open('default', ['telegraf'])
    await thirty.open('pod', ['pod_monitoring', 'power_monitoring'])
    await central.open('central', BUCKETS)
    await eight.write('default', 'telegraf', [...telegrafLines(end - 30 * MINUTE, end)])
    await thirty.write('pod', 'pod_monitoring', [...podLines(end - 30 * MINUTE, end)])
    await thirty.write('pod', 'power_monitoring', [...powerLines(end - 30 * MINUTE, end)])
  })
  afterAll(async () => {
    await Promise.all([eight, thirty, central].map((pod) => pod.stop()))
  })

  interface Addresses {
    readonly eight?: string
    readonly thirty?: string
    readonly central?: string
  }

  /** The seed's own file with addresses and tokens replaced. */
  const seedEnv = (urls: Addresses = {}) =>
    readFileSync(`${EXAMPLE}.env`, 'utf8')
      .replace('http://192.168.199.8:8086', urls.eight ?? eight.url)
      .replace('http://192.168.199.30:8086', urls.thirty ?? thirty.url)
      .replace('http://182.165.0.154:8086', urls.central ?? central.url)
      .replaceAll(/(_TOKEN)=.*/g, `$1=${eight.token}`)
  /** With a central organisation of its own. */
  const newScene = async (urls: Addresses = {}, files: Readonly<Record<string, string>> = {}, buckets: readonly string[] = BUCKETS) => {
    const org = `central-${orgs++}`
    await central.open(org, buckets)
    return {...collectScene(newFolder(), {'.env': seedEnv(urls), ...files}, {UCS_INFLUX_ORG: org}), org}
  }
  const newProxy = async (target: string): Promise<HttpProxy> => {
    const proxy = await startHttpProxy(target, {keepsRequests: false})
    onTestFinished(() => proxy.close())
    return proxy
  }
  const serve = async () => {
    const [port] = (await freePorts(1)) as [number]
    return {port, health: {UCS_HEALTH_PORT: String(port)}}
  }
  /** What the check queries of the seed answer. */
  const counted = async (org: string, bucket: string, host: string) => {
    const flux = `from(bucket: "${bucket}") |> range(start: -1h) |> filter(fn: (r) => r.host == "${host}") |> count()`
    const rows = await central.ask(org, flux)
    return rows
      .map(({_measurement, cpu, interface: device, path, pod, field, _field, _value}) =>
        [_measurement, cpu ?? device ?? path ?? pod, field, _field, _value].filter((part) => part !== undefined).join(' '),
      )
      .sort()
  }

  test("with the seed's .env collects each complete window of each series once, and the seed's check queries count them", async () => {
    const {run} = collectScene(newFolder(), {'.env': seedEnv()})
    const {code, json} = await run(['--once', '--json', '--from', rfc(end - 5 * MINUTE)])
    expect(code).toBe(0)
    expect(json()).toMatchObject({
      ledger: {read: 70, written: 70},
      points: 70,
      sources: [
        {name: 'server_a', points: 50},
        {name: 'server_b', points: 20},
      ],
    })
    expect(await counted('central', 'telegraf', 'pod_8')).toEqual([
      'cpu cpu-total usage_idle value 5',
      'cpu cpu0 usage_idle value 5',
      'disk / used value 5',
      'mem used value 5',
      'mem used_percent value 5',
      'net eth0 bytes_recv value 5',
      'net eth1 bytes_recv value 5',
      'system load1 value 5',
      'system uptime value 5',
      'system uptime_format value_string 5',
    ])
    expect(await counted('central', 'power_monitoring', 'pod_30')).toEqual(['mod_chair current value 5'])
    expect(await counted('central', 'pod_monitoring', 'pod_30')).toEqual([
      'pod a phase value_string 5',
      'pod a ready value_boolean 5',
      'pod a restarts value 5',
    ])
    const [first] = await central.ask(
      'central',
      'from(bucket: "telegraf") |> range(start: -1h) |> filter(fn: (r) => r.cpu == "cpu0") |> first()',
    )
    expect(first).toMatchObject({
      _time: rfc(end - 4 * MINUTE).replace('.000', ''),
      _value: '49.5',
      source_bucket: 'telegraf',
      host: 'pod_8',
    })
  })

  test('with the queries.yaml of the seed collects the same windows, each exactly once though it asks for five minutes', async () => {
    const queries = {'config/queries.yaml': readFileSync(`${EXAMPLE}config/queries.yaml`, 'utf8')}
    const {run, org} = await newScene({}, queries)
    for (const minutes of [5, 3]) expect((await run(['--once', '--from', rfc(end - minutes * MINUTE)])).code).toBe(0)
    expect(await counted(org, 'power_monitoring', 'pod_30')).toEqual(['mod_chair current value 5'])
    expect((await run(['verify'])).code).toBe(0)
  })

  test('loses nothing and doubles nothing: killed in the middle of a write, with a source away, with the central server away', async () => {
    const [proxies, {port, health}] = await Promise.all([Promise.all([eight, thirty, central].map(({url}) => newProxy(url))), serve()])
    const [toEight, , toCentral] = proxies as [HttpProxy, HttpProxy, HttpProxy]
    const [a, b, c] = proxies.map(({url}) => url) as [string, string, string]
    const {start, run} = await newScene({eight: a, thirty: b, central: c})
    await Promise.all([eight.open('live', ['telegraf']), thirty.open('live', ['pod_monitoring', 'power_monitoring'])])
    await eight.write('live', 'telegraf', [...telegrafLines(end - 30 * MINUTE, end)])
    await thirty.write('live', 'pod_monitoring', [...podLines(end - 30 * MINUTE, end)])
    const env = {SERVER_A_ORG: 'live', SERVER_B_ORG: 'live'}
    const feeding = setInterval(() => void feed(), 1000)
    onTestFinished(() => clearInterval(feeding))
    const feed = async () => {
      const now = Math.floor(Date.now() / 1000) * 1000
      await eight.write('live', 'telegraf', [...telegrafLines(now, now + 1000)])
      await thirty.write('live', 'pod_monitoring', [...podLines(now, now + 1000)])
    }
    const args = ['--interval', '1', '--every', '1s', '--lag', '1s', '--from', rfc(end - 30 * MINUTE), '--batch-size', '2000']

    let writes = 0
    toCentral.setTreatment(({path}) => (path.startsWith('/api/v2/write') && ++writes > 6 ? hang : undefined))
    const first = start(args, {env: {...env, ...health}})
    await vi.waitFor(() => expect(writes).toBeGreaterThan(7), WAIT)
    first.child.kill('SIGKILL')
    await first.result

    toCentral.setTreatment(() => undefined)
    const second = start(args, {env: {...env, ...health}})
    const rows = () => metric(port, 'ucs_rows_written_total')
    await until(port, 'ucs_rows_written_total', (count) => count > 20_000)
    toEight.setTreatment(() => tearBeforeWrite)
    await until(port, 'ucs_source_up{source="server_a"', 0)
    const before = await rows()
    await until(port, 'ucs_rows_written_total', (count) => count > before + 6) // of the other source
    toEight.setTreatment(() => undefined)
    await until(port, 'ucs_source_up{source="server_a"', 1)
    toCentral.setTreatment(() => tearBeforeWrite)
    await until(port, 'ucs_retries_total', (count) => count > 4)
    toCentral.setTreatment(() => undefined)
    const resumed = await rows()
    await until(port, 'ucs_rows_written_total', (count) => count > resumed + 100)
    clearInterval(feeding)
    const fedUntil = Date.now()
    await vi.waitFor(async () => expect(Date.now() - 1000 * (await metric(port, 'ucs_source_lag_seconds'))).toBeGreaterThan(fedUntil), WAIT)
    second.child.kill('SIGTERM')
    expect((await second.result).code).toBe(0)
    expect(second.output().stderr.match(/"event":"central.away"/g)).toHaveLength(1)

    const verified = await run(['verify', '--every', '1s', '--window', '1h', '--json'], {env})
    const jobs = verified.json()['jobs'] as VerifiedJob[]
    expect(jobs.flatMap(({differences}) => differences)).toEqual([])
    expect(verified.code).toBe(0)
    expect(jobs.reduce((sum, {points}) => sum + points, 0)).toBeGreaterThanOrEqual(13 * 30 * 60)
  })

  describe('copies points', () => {
    const at = (end: number, nanosecond: number) => `${end - 2 * MINUTE}`.slice(0, -3) + String(nanosecond).padStart(9, '0')

    test('with all of their digits, types and nanoseconds', async () => {
      const {run, org} = await newScene({}, {}, [...BUCKETS, 'copied'])
      await eight.open('exact', ['odd'])
      await eight.write('exact', 'odd', [
        `m,host=POD-8,path=C:\\\\x,name=a\\ b\\,c int=9007199254740993i,min=-9223372036854775808i,big=18446744073709551615u,float=0.1,yes=true ${at(end, 1)}`,
        `m,host=POD-8 text="say \\"hi\\", \\\\ ${'ü'.repeat(3)}\nline",empty="",float=1e+300,no=false ${at(end, 123_456_789)}`,
        `m,host=POD-8 int=-1i ${at(end, 999_999_999)}`,
      ])
      const env = {SERVER_A_ORG: 'exact', SERVER_A_BUCKET: 'odd'}
      const {code} = await run(['--mode', 'raw', '--once', '--bucket-map', 'odd=copied', '--from', rfc(end - 10 * MINUTE)], {env})
      expect(code).toBe(0)
      const all = (bucket: string) => `from(bucket: "${bucket}") |> range(start: -1h) |> drop(columns: ["_start", "_stop"])`
      const [there, here] = await Promise.all([eight.ask('exact', all('odd')), central.ask(org, all('copied'))])
      expect(there).toHaveLength(10)
      expect(here).toEqual(there)
      expect((await run(['verify', '--mode', 'raw', '--bucket-map', 'odd=copied'], {env})).code).toBe(0)
    })

    test('of two servers that have the same tags under the tag that is named', async () => {
      const {run} = await newScene()
      const env = {SERVER_B_URL: eight.url, SERVER_B_ORG: 'default', SERVER_B_BUCKET: 'telegraf', SERVER_B_BUCKET_2: 'telegraf'}
      const merged = await run(['--mode', 'raw', '--once'], {env})
      expect(merged.stderr).toContain('sources.merged')
      const tagged = await newScene()
      const {stderr, code} = await tagged.run(['--mode', 'raw', '--once', '--source-tag', 'pod', '--from', rfc(end - MINUTE)], {env})
      expect({code, isWarned: stderr.includes('sources.merged')}).toEqual({code: 0, isWarned: false})
      const flux =
        'from(bucket: "telegraf") |> range(start: -1h) |> filter(fn: (r) => r._field == "uptime") |> count() |> group() |> sort(columns: ["pod"])'
      expect((await central.ask(tagged.org, flux)).map(({pod}) => pod)).toEqual(['pod_30', 'pod_8'])
    })
  })

  describe('texts and booleans', () => {
    test.each([
      ['last', ['phase value_string 5', 'ready value_boolean 5', 'restarts value 5']],
      ['skip', ['restarts value 5']],
      ['keep', ['phase value_string 300', 'ready value_boolean 300', 'restarts value 5']],
    ])('--strings %s stores %j', async (strings, expected) => {
      const {run, org} = await newScene()
      expect((await run(['--once', '--strings', strings, '--from', rfc(end - 5 * MINUTE)])).code).toBe(0)
      expect((await counted(org, 'pod_monitoring', 'pod_30')).map((text) => text.replace('pod a ', ''))).toEqual(expected)
      expect((await run(['verify', '--strings', strings])).code).toBe(0)
    })

    test('break a query of one’s own that asks for their mean, and no other', async () => {
      const queries = `queries:
  all:
    flux_query: |
      from(bucket: "{{ bucket }}") |> range(start: {{ start }}, stop: {{ stop }}) |> aggregateWindow(every: {{ every }}, fn: {{ fn }}, createEmpty: false)
  power_monitoring:
`
      const {run} = await newScene({}, {'config/queries.yaml': queries})
      const {code, json} = await run(['--once', '--json', '--from', rfc(end - 5 * MINUTE)])
      expect(code).toBe(3)
      expect(json().error?.message).toMatch(/^3 of 4 queries failed.*unsupported input type for mean aggregate/)
      expect(json()).toMatchObject({ledger: {unacknowledged: 0}})
    })
  })

  describe('ends', () => {
    test('with 3 when one of two sources is away, and stores what the other has', async () => {
      const {run, org} = await newScene({eight: 'http://127.0.0.1:1'})
      const {code, json} = await run(['--once', '--json', '--retry-for', '0', '--from', rfc(end - 5 * MINUTE)])
      expect(code).toBe(3)
      expect(json()).toMatchObject({
        sources: [
          {name: 'server_a', ok: false, points: 0},
          {name: 'server_b', ok: true, points: 20},
        ],
      })
      expect(await counted(org, 'power_monitoring', 'pod_30')).toEqual(['mod_chair current value 5'])
    })

    test.each<[what: string, code: number, message: RegExp, env: Record<string, string>]>([
      ['all sources are away', 69, /ECONNREFUSED|refused/, {SERVER_A_URL: 'http://127.0.0.1:1', SERVER_B_URL: 'http://127.0.0.1:1'}],
      ['all tokens are wrong', 77, /401/, {SERVER_A_TOKEN: 'wrong', SERVER_B_TOKEN: 'wrong'}],
      ['the central token is wrong', 77, /401/, {INFLUXDB_CENTRAL_TOKEN: 'wrong'}],
      ['a bucket is missing in the central server', 69, /bucket "telegrafo" not found/, {UCS_BUCKET_MAP: 'telegraf=telegrafo'}],
      ['the central server is away', 69, /refused/i, {INFLUXDB_CENTRAL_URL: 'http://127.0.0.1:1'}],
      ['a server has no bucket', 2, /SERVER_C_BUCKET is missing/, {SERVER_C_URL: 'http://x', SERVER_C_TOKEN: 't', SERVER_C_ORG: 'o'}],
      ['an address is none', 2, /SERVER_A_URL: expected an address/, {SERVER_A_URL: 'pod-8'}],
    ])('when %s with %i', async (_, expected, message, env) => {
      const {run} = await newScene()
      const {code, json} = await run(['--once', '--json', '--retry-for', '0'], {env})
      expect({code, message: json().error?.message}).toEqual({code: expected, message: expect.stringMatching(message)})
    })

    test('with 3 when the central server refuses points, which are in the dead letters', async () => {
      const {run, org, folder} = await newScene()
      await central.write(org, 'power_monitoring', [`mod_chair,x=y value="text" ${end}000000`])
      const {code, json} = await run(['--once', '--json', '--from', rfc(end - 5 * MINUTE)])
      expect(code).toBe(3)
      expect(json().ledger).toMatchObject({rejected: 5, written: 65})
      const [letter] = readFileSync(join(folder, 'dead-letters/collect.ndjson'), 'utf8').trim().split('\n')
      expect(JSON.parse((JSON.parse(letter!) as {value: string}).value)).toMatchObject({
        _measurement: 'mod_chair',
        _field: 'current',
        _value: '7.5',
      })
    })

    test('with 75 when another run has its cursors', async () => {
      const {start, run} = await newScene()
      const {port, health} = await serve()
      const {child, result} = start(['--interval', '1'], {env: health})
      await until(port, 'ucs_cycles_total', (cycles) => cycles > 0)
      expect((await run(['--once'])).code).toBe(75)
      child.kill('SIGTERM')
      expect((await result).code).toBe(0)
    })
  })

  test('is shown by the example, which ends well', async () => {
    const org = `central-${orgs++}`
    await central.open(org, BUCKETS)
    const urls = {SERVER_A_URL: eight.url, SERVER_B_URL: thirty.url, INFLUXDB_CENTRAL_URL: central.url, INFLUXDB_CENTRAL_ORG: org}
    const tokens = {SERVER_A_TOKEN: eight.token, SERVER_B_TOKEN: thirty.token, INFLUXDB_CENTRAL_TOKEN: central.token}
    const {status, stdout, stderr} = runScript(`bash "${EXAMPLE}run.sh"`, {...urls, ...tokens, UCS_LOG_FILE: '/dev/null'})
    expect(status).toBe(0)
    expect(stdout).toMatch(/^interval +60 +\.env COLLECTOR_INTERVAL$/m)
    expect(stderr).toMatch(/collect verify: \d+ points of \d+ fields are the same on both sides/)
  })

  test('verify tells which points are missing, with 3', async () => {
    const {run, org} = await newScene()
    expect((await run(['verify'])).code).toBe(3) // nothing was collected yet
    expect((await run(['--once', '--from', rfc(end - 5 * MINUTE)])).code).toBe(0)
    const remove = {start: rfc(end - 3 * MINUTE), stop: rfc(end - MINUTE), predicate: '_measurement="mod_chair"'}
    await fetch(`${central.url}/api/v2/delete?org=${org}&bucket=power_monitoring`, {
      method: 'POST',
      headers: {authorization: `Token ${central.token}`, 'content-type': 'application/json'},
      body: JSON.stringify(remove),
    })
    const {code, stdout} = await run(['verify'])
    expect(code).toBe(3)
    expect(stdout).toMatch(/^query +field +source +central +difference\n\S+ +mod_chair\S+ value +5 +2 +-3$/m)
  })

  test('serves the health of the seed: initializing, then what each source does; and its metrics in both forms', async () => {
    const proxy = await newProxy(eight.url)
    let hangs = true
    proxy.setTreatment(() => (hangs ? hang : undefined))
    const {start} = await newScene({eight: proxy.url, thirty: proxy.url})
    const {port, health} = await serve()
    const {child, result} = start(['--interval', '1'], {
      env: {...health, SERVER_B_ORG: 'default', SERVER_B_BUCKET: 'telegraf', UCS_QUERY_TIMEOUT: '2s'},
    })
    const get = (path: string, headers: Record<string, string> = {}) => fetch(`http://127.0.0.1:${port}${path}`, {headers})
    await vi.waitFor(async () => {
      const answer = await get('/health')
      expect({status: answer.status, body: await answer.text()}).toEqual({status: 503, body: '{"status":"initializing"}\n'})
    }, WAIT)
    hangs = false
    await until(port, 'ucs_source_rows_total{source="server_a"', (rows) => rows > 0)
    const body = (await (await get('/health')).json()) as Record<string, unknown>
    expect(body).toMatchObject({
      collection_interval: 1,
      sources: {server_a: {enabled: true, buckets: ['telegraf'], stats: {last_hosts: ['pod_8']}}},
    })
    expect(Object.keys(body)).toEqual(expect.arrayContaining(['status', 'timestamp', 'metrics_collected_total', 'last_collection']))
    const json = {metrics_collected_total: expect.any(Number) as number, sources_count: 2, enabled_sources: ['server_a', 'server_b']}
    expect(await (await get('/metrics.json')).json()).toEqual(json)
    expect(await (await get('/metrics', {accept: 'application/json'})).json()).toEqual(json)
    expect(await (await get('/metrics')).text()).toContain('ucs_source_lag_seconds{source="server_a"')
    child.kill('SIGTERM')
    expect((await result).code).toBe(0)
  })

  test('takes a collect.yaml: sources by name, queries, maps, and flags', async () => {
    const config = `sources:
  north:
    url: ${eight.url}
    token: \${POD_TOKEN}
    org: default
    buckets: [telegraf]
central:
  url: ${central.url}
  token: \${POD_TOKEN}
bucket_map:
  telegraf:
host_map:
  POD-8: reactor
mode: aggregated
keep-tags: [cpu]
queries:
  loads:
    measurements: [cpu, net]
    fn: max
`
    const {run, org} = await newScene({}, {'collect.yaml': config})
    const env = {POD_TOKEN: eight.token}
    const {code, stderr} = await run(['--config', 'collect.yaml', '--once', '--from', rfc(end - 5 * MINUTE)], {env})
    expect(code).toBe(0)
    expect(stderr).toContain('its points go to metrics')
    expect(await counted(org, 'metrics', 'reactor')).toEqual([
      'cpu cpu-total usage_idle value 5',
      'cpu cpu0 usage_idle value 5',
      'net bytes_recv value 5', // of both interfaces together
    ])
    expect((await run(['verify', '--config', 'collect.yaml'], {env})).code).toBe(0)
  })
})

/** Until a run shows a value of a metric whose line begins so, or one that will do. */
async function until(port: number, name: string, wanted: number | ((value: number) => boolean)): Promise<void> {
  const isWanted = typeof wanted === 'number' ? (value: number) => value === wanted : wanted
  await vi.waitFor(async () => expect(await metric(port, name)).toSatisfy(isWanted), {timeout: 30_000, interval: 50})
}

async function metric(port: number, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  const line = text.split('\n').find((each) => each.startsWith(name))
  return Number(line?.slice(line.lastIndexOf(' ')))
}

const BUCKETS = ['telegraf', 'pod_monitoring', 'power_monitoring', 'metrics']
