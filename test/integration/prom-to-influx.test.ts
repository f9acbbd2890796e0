import {existsSync, readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {afterAll, beforeAll, describe, expect, test, vi} from 'vitest'
import {DEFAULT_QUERIES} from '../../src/lib/cli/prometheus-flags.ts'
import {type Exporter, startExporter} from '../services/exporter.ts'
import {openMetricsText} from '../services/exposition.ts'
import {freePorts} from '../services/free-ports.ts'
import {type HttpProxy, startHttpProxy} from '../services/http-proxy.ts'
import {answerWith, delayed, hang, tearBeforeWrite} from '../services/http-treatments.ts'
import {instantQuery} from '../services/prometheus-query.ts'
import {type PrometheusServer, startPrometheus} from '../services/prometheus.ts'
import {describeWith, describeWithOwn, useInflux} from '../services/use.ts'
import {useFolders} from './folders.ts'
import {ucs} from '../commands/cli.ts'
import {fluxRows} from './flux-rows.ts'
import {influxClient} from './influx-bucket.ts'
import {readiness, untilMetric} from './health.ts'
import {foundAt, gapsOf, momentsOf, prometheusScene} from './prometheus-scene.ts'

const ETL = fileURLToPath(new URL('../../examples/prometheus-etl', import.meta.url))
const HISTORY = {from: Date.UTC(2026, 0, 31, 8) / 1000, steps: 400, step: 15, series: 3}
const lastOf = ({from, steps, step}: typeof HISTORY) => from + (steps - 1) * step
const rfc = (seconds: number) => new Date(seconds * 1000).toISOString()

function* loads() {
  for (let series = 0; series < HISTORY.series; series++)
    for (let index = 0; index < HISTORY.steps; index++)
      yield {name: 'load', labels: {host: `h${series}`}, value: series * 1000 + index, time: HISTORY.from + index * HISTORY.step}
}

/** A quarter of them fail; of ten that are answered eight are within 0.1 s. */
function* requests() {
  const counters = [
    {name: 'http_requests_total', labels: {handler: '/', status: '200'}, each: 30},
    {name: 'http_requests_total', labels: {handler: '/', status: '500'}, each: 10},
    {name: 'http_request_duration_seconds_bucket', labels: {handler: '/', le: '0.1'}, each: 8},
    {name: 'http_request_duration_seconds_bucket', labels: {handler: '/', le: '1'}, each: 10},
    {name: 'http_request_duration_seconds_bucket', labels: {handler: '/', le: '+Inf'}, each: 10},
    {name: 'up', labels: {job: 'test-app', instance: 'app:80'}, each: 0},
  ]
  for (const {name, labels, each} of counters)
    for (let index = 0; index < HISTORY.steps; index++)
      yield {name, labels, value: name === 'up' ? 1 : index * each, time: HISTORY.from + index * HISTORY.step}
}

const METRICS = [
  {name: 'steady', labels: {job: 'a', time: 'noon', empty: ''}, value: 1},
  {name: 'odd', labels: {kind: 'nan'}, value: NaN},
  {name: 'odd', labels: {kind: 'plus'}, value: Infinity},
  {name: 'odd', labels: {kind: 'minus'}, value: -Infinity},
  {name: 'odd', labels: {kind: 'größe, "two" = 2'}, value: 2.5},
  {name: 'windows', labels: {volume: 'C:\\'}, value: 3},
  {name: 'lines', labels: {text: 'one\ntwo'}, value: 4},
  {name: 'first_total', type: 'counter', labels: {path: '/'}, value: 5},
  {name: 'second_total', type: 'counter', labels: {path: '/'}, value: 5},
  {name: 'temperature', labels: {room: 'attic'}, value: 900},
  {name: 'sizes', labels: {path: '/'}, histogram: {sum: 18.5, counts: [1, 2, 4]}},
] as const

describeWith('influx')('prom-to-influx', () => {
  describeWithOwn('prometheus')('with a Prometheus of its own', () => {
    const newFolder = useFolders()
    let exporter: Exporter
    let prometheus: PrometheusServer

    beforeAll(async () => {
      exporter = await startExporter(METRICS)
      prometheus = await startPrometheus({
        targets: [exporter.target],
        nativeHistograms: true,
        history: openMetricsText([...loads(), ...requests()]),
      })
      const isScraped = async () => (await instantQuery(prometheus.url, 'count_over_time(steady[1m]) > 2')).data.result.length > 0
      await vi.waitFor(async () => expect(await isScraped()).toBe(true), {timeout: 30_000, interval: 100})
    })
    afterAll(async () => {
      await prometheus.stop()
      await exporter.close()
    })

    const newScene = (url = prometheus.url, influx?: string) => prometheusScene(url, newFolder(), influx)
    const proxies: HttpProxy[] = []
    afterAll(() => Promise.all(proxies.map((proxy) => proxy.close())))
    const newProxy = async (target: string): Promise<HttpProxy> => {
      const proxy = await startHttpProxy(target)
      proxies.push(proxy)
      return proxy
    }
    const serve = async () => {
      const [port] = (await freePorts(1)) as [number]
      return {port, health: {HEALTH_CHECK_PORT: String(port)}}
    }

    describe.concurrent('in cycles', () => {
      test("runs the seed's own line: each sample of each cycle once, at the evaluation time, with all of its labels", async () => {
        const {bucket, start, stored, env} = await newScene()
        const {port, health} = await serve()
        const queries = ['up', 'rate(prometheus_http_requests_total[5m])']
        const {url, org, token} = useInflux()
        const line = ['--prometheus-url', prometheus.url, '--influx-url', url, '--influx-org', org, '--influx-bucket', bucket.name]
        const {child, result} = start([...line, '--token', token, '--interval', '1', '--queries', ...queries], {
          env: {...health, UCS_STATE_DIR: env['UCS_STATE_DIR']!},
        })
        await untilMetric(port, 'ucs_cycles_total', 4)
        expect(await readiness(port)).toEqual({status: 200, text: 'ok'})
        child.kill('SIGTERM')
        expect(await result).toMatchObject({code: 0, stdout: ''})

        const texts = await stored()
        const [first, ...rest] = momentsOf(texts)
        expect(rest.length).toBeGreaterThanOrEqual(3)
        expect(gapsOf(rest, 1)).toEqual([])
        expect(rest.every(Number.isInteger)).toBe(true)
        for (const moment of [first!, ...rest])
          expect(texts.filter((text) => text.endsWith(`@${moment}`))).toEqual(await foundAt(prometheus.url, queries, moment))
      })

      test('asks for the six queries of the seed when none is named, and writes what two of them find once', async () => {
        const {run, stored} = await newScene()
        const {code, stdout} = await run(['--once', '--json'])
        expect(code).toBe(0)
        const {sources} = JSON.parse(stdout) as {sources: {name: string}[]}
        expect(sources.map(({name}) => name)).toEqual(DEFAULT_QUERIES)
        const texts = await stored()
        const moments = momentsOf(texts)
        expect(moments).toHaveLength(1)
        expect(texts).toEqual(await foundAt(prometheus.url, DEFAULT_QUERIES, moments[0]!))
      })

      test('a query that hangs delays no other; what it missed is asked for when it answers again', async () => {
        const proxy = await newProxy(prometheus.url)
        const {start, stored, env} = await newScene(proxy.url)
        const {port, health} = await serve()
        let hangs = true
        proxy.setTreatment(({parameters}) => (hangs && parameters.get('query') === 'steady' ? hang : undefined))
        const args = ['--interval', '1', '--query-timeout', '2s', '--queries', 'up', 'steady']
        const {child, result} = start(args, {env: {...env, ...health}})
        await untilMetric(port, 'ucs_rows_written_total', (rows) => rows >= 8) // of `up` alone: two targets a cycle
        expect(momentsOf((await stored()).filter((text) => text.startsWith('steady')))).toEqual([])
        hangs = false
        await vi.waitFor(async () => {
          const texts = await stored()
          const [up, steady] = ['up', 'steady'].map((name) => momentsOf(texts.filter((text) => text.startsWith(name))))
          expect(steady!.length).toBeGreaterThan(4)
          expect(up!.filter((moment) => Number.isInteger(moment) && moment < steady!.at(-1)!)).toEqual(steady!.slice(0, -1))
        }, WAIT)
        child.kill('SIGTERM')
        expect((await result).code).toBe(0)
      })

      test('goes on where it was killed in the middle of a write: no moment is missing, and none is there twice', async () => {
        const proxy = await newProxy(useInflux().url)
        const {start, stored, env} = await newScene(prometheus.url, proxy.url)
        const {health} = await serve()
        const writes = () => proxy.requests.filter(({path, text}) => path.startsWith('/api/v2/write') && text !== '').length
        proxy.setTreatment(({text}) => (text !== '' && writes() > 3 ? hang : undefined))
        const args = ['--interval', '1', '--queries', 'up', 'rate(prometheus_http_requests_total[1m])', 'first_total']
        const first = start(args, {env: {...env, ...health}})
        await vi.waitFor(() => expect(writes()).toBeGreaterThan(4), WAIT)
        first.child.kill('SIGKILL')
        await first.result
        const killedAt = Date.now() / 1000
        proxy.setTreatment(() => undefined)
        await vi.waitFor(() => expect(Date.now() / 1000 - killedAt).toBeGreaterThan(3), WAIT)
        const again = await serve()
        const second = start(args, {env: {...env, ...again.health}})
        await untilMetric(again.port, 'ucs_cycles_total', (cycles) => cycles >= 2)
        await untilMetric(again.port, 'ucs_lag_records', 0)
        second.child.kill('SIGTERM')
        expect((await second.result).code).toBe(0)

        const texts = await stored()
        const moments = momentsOf(texts).filter(Number.isInteger)
        expect(moments.at(-1)).toBeGreaterThan(killedAt + 3)
        expect(gapsOf(moments, 1)).toEqual([])
        for (const moment of momentsOf(texts))
          expect(texts.filter((text) => text.endsWith(`@${moment}`))).toEqual(await foundAt(prometheus.url, args.slice(3), moment))
      })

      test('asks at once when it is run for the first time, and never twice for one moment', async () => {
        const {start, stored, env} = await newScene()
        for (const run of ['first', 'second']) {
          const {port, health} = await serve()
          const {child, result} = start(['--interval', '1h', '--queries', 'steady'], {env: {...env, ...health}})
          await vi.waitFor(async () => expect((await readiness(port)).status).toBe(run === 'first' ? 200 : 503), WAIT)
          child.kill('SIGTERM')
          expect((await result).code).toBe(0)
          expect(await stored()).toHaveLength(1)
        }
      })

      test('fills what was missed while InfluxDB was away, and is not ready meanwhile', async () => {
        const proxy = await newProxy(useInflux().url)
        const {start, stored, env} = await newScene(prometheus.url, proxy.url)
        const {port, health} = await serve()
        const {child, result} = start(['--interval', '1', '--queries', 'steady'], {env: {...env, ...health}})
        await untilMetric(port, 'ucs_rows_written_total', (rows) => rows >= 2)
        proxy.setTreatment(() => tearBeforeWrite)
        await untilMetric(port, 'ucs_queries_skipped_total', (skipped) => skipped >= 3)
        proxy.setTreatment(() => undefined)
        await untilMetric(port, 'ucs_lag_records', 0)
        child.kill('SIGTERM')
        expect((await result).code).toBe(0)
        const moments = momentsOf(await stored()).filter(Number.isInteger)
        expect(moments.length).toBeGreaterThanOrEqual(4) // one before, and three that were missed
        expect(gapsOf(moments, 1)).toEqual([])
      })

      test('fills what was missed while Prometheus was away', async () => {
        const proxy = await newProxy(prometheus.url)
        const {start, stored, env} = await newScene(proxy.url)
        const {port, health} = await serve()
        const {child, result, output} = start(['--interval', '1', '--queries', 'steady', '--log-level', 'warn'], {env: {...env, ...health}})
        await untilMetric(port, 'ucs_rows_written_total', (rows) => rows >= 2)
        proxy.setTreatment(() => answerWith(503, '{"status":"error","errorType":"unavailable","error":"starting"}'))
        await untilMetric(port, 'ucs_queries_failed_total', (failed) => failed >= 3)
        const told = await (await fetch(`http://127.0.0.1:${port}/health`)).json()
        expect(told).toMatchObject({status: 'critical', success_rate: 0, sources: {steady: {ok: false}}})
        proxy.setTreatment(() => undefined)
        await untilMetric(port, 'ucs_lag_records', 0)
        child.kill('SIGTERM')
        expect((await result).code).toBe(0)
        expect(output().stderr.match(/"event":"query.failed"/g)).toHaveLength(1)
        const moments = momentsOf(await stored()).filter(Number.isInteger)
        expect(moments.length).toBeGreaterThanOrEqual(4) // one before, and three that were missed
        expect(gapsOf(moments, 1)).toEqual([])
      })

      test('--no-catch-up leaves gaps as they are, and keeps nothing', async () => {
        const proxy = await newProxy(prometheus.url)
        const {start, env} = await newScene(proxy.url)
        const {port, health} = await serve()
        const {child, result} = start(['--interval', '1', '--queries', 'steady', '--no-catch-up'], {env: {...env, ...health}})
        await untilMetric(port, 'ucs_cycles_total', 2)
        child.kill('SIGTERM')
        expect((await result).code).toBe(0)
        expect(existsSync(env['UCS_STATE_DIR']!)).toBe(false)
        expect(proxy.requests.map(({path}) => path)).not.toContain('/api/v1/query_range')
      })
    })

    describe.concurrent('makes points', () => {
      test('of what can be stored, drops what has no value, and puts aside what has no form: each counted', async () => {
        const {run, stored, env} = await newScene()
        const cwd = newFolder()
        const args = ['--once', '--json', '--queries', '{job="test",kind=~".+"}', 'steady', 'windows', 'lines', 'missing']
        const {code, stdout} = await run(args, {cwd, env})
        expect(code).toBe(3)
        const {ledger} = JSON.parse(stdout) as {ledger: Record<string, unknown>}
        expect(ledger).toMatchObject({
          read: 7,
          written: 2,
          filtered: 3,
          filteredBy: {NaN: 1, infinite: 2},
          rejected: 2,
          rejectedBy: {'unwritable tag': 2},
        })
        const texts = (await stored()).map((text) => text.replace(/,?(instance|job|exported_job)="[^"]*"/g, '').replace(/ @.*/, ''))
        expect(texts.sort()).toEqual(['odd{,kind="größe, \\"two\\" = 2"} value=2.5', 'steady{,label_time="noon"} value=1'].sort())
        const letters = readFileSync(join(cwd, 'dead-letters', 'prom-to-influx.ndjson'), 'utf8')
          .trim()
          .split('\n')
        expect(
          letters.map((letter) => (JSON.parse((JSON.parse(letter) as {value: string}).value) as {query: string}).query).sort(),
        ).toEqual(['lines', 'windows'])
      })

      test('writes what was put aside when what was wrong is mended', async () => {
        const {bucket, run, stored, env} = await newScene()
        const cwd = newFolder()
        const line = Buffer.from('temperature,room=attic value=1i\n')
        await influxClient().write({bucket: bucket.name, body: line, encoding: 'identity', signal: new AbortController().signal})
        expect(await run(['--once', '--queries', 'temperature', 'steady'], {cwd})).toMatchObject({code: 3})
        const replay = ['dead-letters', 'replay', 'dead-letters/prom-to-influx.ndjson']
        expect(await ucs(replay, {cwd, env})).toMatchObject({code: 3})
        expect(await ucs([...replay, '--on-type-conflict', 'coerce'], {cwd, env})).toMatchObject({code: 0})
        expect(
          (await stored())
            .filter((text) => text.includes('instance='))
            .map((text) => / (\S+) @/.exec(text)![1])
            .sort(),
        ).toEqual(['value=1', 'value=900'])
      })

      test('two expressions of equal labels both survive, whatever their names', async () => {
        for (const more of [[], ['--fallback-measurement', 'rates']]) {
          const {run, stored} = await newScene()
          const queries = ['rate(first_total[1m]) + 1', 'rate(second_total[1m]) + 2', '{__name__=~"first_total|second_total"}']
          expect((await run(['--once', ...more, '--queries', ...queries])).code).toBe(0)
          const named = ['--once', ...more, '--query', 'both={__name__=~"first_total|second_total"}']
          expect((await run(named)).code).toBe(0)
          expect((await stored()).map((text) => /value=\S+/.exec(text)![0]).sort()).toEqual(
            ['value=1', 'value=2', 'value=5', 'value=5', 'value=5', 'value=5'].sort(),
          )
        }
      })

      test('of native histograms, scalars and strings', async () => {
        const {run, stored} = await newScene()
        const args = ['--once', '--queries', 'sizes', 'scalar(vector(4))', '"hello"', '--query', 'day=scalar(vector(2))']
        expect((await run(args)).code).toBe(0)
        const values = await stored()
        const fields = values.map((text) => text.replace(/\{.*\}/, '').replace(/ @.*/, ''))
        expect(fields.sort()).toEqual(
          ['sizes count=7', 'sizes sum=18.5', 'scalar(vector(4)) value=4', '"hello" value=NaN', 'day value=2'].sort(),
        )
      })

      test('only of metrics that are valid, and of values within their range', async () => {
        const {run, stored} = await newScene()
        const args = ['--once', '--json', '--queries', 'temperature', 'steady', 'first_total', '--valid-metric', 'temperature']
        const more = [
          '--valid-metric',
          'steady',
          '--value-range',
          'temperature=-40..85',
          '--tag',
          'site=north',
          '--tag-exclude',
          'instance',
        ]
        const {stdout} = await run([...args, ...more])
        expect((JSON.parse(stdout) as {ledger: object}).ledger).toMatchObject({
          filteredBy: {'out of range': 1, 'not in valid metrics': 1},
          written: 1,
        })
        expect((await stored())[0]).toMatch(/^steady\{exported_job="a",job="test",label_time="noon",site="north"\} value=1 @/)
      })
    })

    describe.concurrent('for the past', () => {
      const past = ['--from', rfc(HISTORY.from), '--to', rfc(lastOf(HISTORY)), '--step', '15s', '--queries', 'load']
      const expected = [...loads()].map(({labels, value, time}) => `load{host="${labels.host}"} value=${value} @${time}`).sort()

      test('writes each value of a range once, and keeps nothing of a range that is done', async () => {
        const {run, stored, env} = await newScene()
        const {code, stdout} = await run([...past, '--json'])
        expect({code, ledger: (JSON.parse(stdout) as {ledger: object}).ledger}).toMatchObject({
          code: 0,
          ledger: {read: expected.length, written: expected.length},
        })
        expect([...(await stored())].sort()).toEqual(expected)
        expect(readdirSync(env['UCS_STATE_DIR']!)).toEqual([])
      })

      test("the ETL pipeline's own file brings what dashboards ask for", async () => {
        const {run, bucket, env} = await newScene()
        const [, , , to, ...rest] = past
        const range = ['--from', rfc(HISTORY.from + 600), '--to', to!, ...rest.slice(0, 2)]
        const {INFLUX_TOKEN: token, ...others} = env as Record<string, string>
        const folder = newFolder()
        const args = ['--config', join(ETL, 'etl.yaml'), ...range, '--log-file', join(folder, 'etl.log')]
        expect(await run(args, {cwd: folder, env: {...others, INFLUXDB_TOKEN: token!}})).toMatchObject({code: 0})
        const rowsOf = async (name: string) => {
          const flux = readFileSync(join(ETL, name), 'utf8').replaceAll('health_metrics', bucket.name)
          return fluxRows(useInflux(), flux.replaceAll('start: -1h', `start: ${rfc(HISTORY.from)}, stop: ${rfc(lastOf(HISTORY) + 1)}`))
        }
        expect(await rowsOf('availability.flux')).toMatchObject([{job: 'test-app', _value: '100'}])
        expect(new Set((await rowsOf('request-rate.flux')).map(({_value}) => Number(_value).toFixed(3)))).toEqual(new Set(['2.667']))
        expect(new Set((await rowsOf('latency.flux')).map(({_value}) => Number(_value).toFixed(3)))).toEqual(new Set(['0.775']))
        expect(new Set((await rowsOf('error-rate.flux')).map(({_value}) => Number(_value).toFixed(1)))).toEqual(new Set(['25.0']))
      })

      test('goes on where it was killed, and asks for nothing twice that was stored', async () => {
        const [proxy, influx] = await Promise.all([newProxy(prometheus.url), newProxy(useInflux().url)])
        const {start, run, stored, env} = await newScene(proxy.url, influx.url)
        const ranges = () => proxy.requests.filter(({path}) => path === '/api/v1/query_range')
        influx.setTreatment(() => delayed(50))
        let asked = 0
        proxy.setTreatment(({path}) => (path === '/api/v1/query_range' && ++asked > 1 ? hang : undefined))
        const first = start([...past, '--batch-size', '30'])
        const cursors = () => readdirSync(env['UCS_STATE_DIR']!).filter((name) => name.endsWith('.json'))
        await vi.waitFor(() => expect(cursors()).toHaveLength(1), WAIT)
        await vi.waitFor(() => expect(ranges()).toHaveLength(2), WAIT)
        first.child.kill('SIGKILL')
        await first.result
        proxy.setTreatment(() => undefined)
        influx.setTreatment(() => undefined)
        const before = ranges().length
        expect((await run(past)).code).toBe(0)
        expect([...(await stored())].sort()).toEqual(expected)
        expect(Number(ranges()[before]!.parameters.get('start'))).toBeGreaterThan(HISTORY.from)
      })
    })

    describe.concurrent('says what is wrong', () => {
      const failing = (name: string, args: readonly string[], code: number, message: RegExp, env: Readonly<Record<string, string>> = {}) =>
        test(name, async () => {
          const scene = await newScene()
          const {code: found, stderr} = await scene.run(['--retry-for', '0', ...args], {env: {...scene.env, ...env}})
          expect({code: found, stderr}).toEqual({code, stderr: expect.stringMatching(message) as string})
        })

      failing(
        'of an expression that is none, before anything is begun',
        ['--queries', 'up', 'rate(up'],
        2,
        /refuses the query rate\(up: .*parse error/,
      )
      failing('of a bucket that is not there', ['--once', '--influx-bucket', 'nowhere'], 69, /bucket "nowhere" not found/)
      failing('of a token that is refused', ['--once', '--token', 'wrong-token'], 77, /answered 401/)
      failing(
        'of a server that is away',
        ['--once', '--prometheus-url', 'http://127.0.0.1:1'],
        69,
        /POST http:\/\/127\.0\.0\.1:1\/api\/v1\/query failed/,
      )
      failing(
        'of one query of two that cannot be executed',
        ['--once', '--queries', 'up', '{__name__=~"up|steady"} + on(job) group_left {__name__=~"up|steady"}'],
        3,
        /1 of 2 queries failed, .*many-to-many|duplicate/,
      )
      failing(
        'of too many series',
        ['--once', '--queries', 'up', '--max-series', '1'],
        3,
        /more than 1 series.*\n.*Narrow it, or raise --max-series/,
      )

      test('of a password that is refused, and asks with the one that is right', async () => {
        const proxy = await newProxy(prometheus.url)
        const wanted = `Basic ${Buffer.from('reader:Pr0m-S3cret').toString('base64')}`
        proxy.setTreatment(({headers}) => (headers.authorization === wanted ? undefined : answerWith(401, 'Unauthorized')))
        const {run, env} = await newScene(proxy.url)
        const args = ['--once', '--queries', 'up', '--prometheus-user', 'reader']
        const wrong = await run(args, {env: {...env, UCS_PROMETHEUS_PASSWORD: 'Pr0m-Wr0ng'}})
        expect(wrong).toMatchObject({code: 77, stderr: expect.stringMatching(/answered 401.*\n.*--prometheus-user/) as string})
        expect(wrong.stderr).not.toContain('Wr0ng')
        expect((await run(args, {env: {...env, UCS_PROMETHEUS_PASSWORD: 'Pr0m-S3cret'}})).code).toBe(0)
      })

      test('of a run that has the same queries already', async () => {
        const {start, run, env} = await newScene()
        const {port, health} = await serve()
        const {child, result} = start(['--interval', '1', '--queries', 'up'], {env: {...env, ...health}})
        await untilMetric(port, 'ucs_cycles_total', (cycles) => cycles >= 1)
        expect(await run(['--once', '--queries', 'up', 'steady'])).toMatchObject({
          code: 75,
          stderr: expect.stringMatching(/is held by process \d+/) as string,
        })
        expect((await run(['--once', '--queries', 'steady'])).code).toBe(0)
        child.kill('SIGTERM')
        expect((await result).code).toBe(0)
      })

      test('of one server of two, when the other has answered; its name is a tag', async () => {
        const {run, stored} = await newScene()
        const servers = ['--prometheus-url', `here=${prometheus.url}`, '--prometheus-url', 'there=http://127.0.0.1:1']
        const {code, stdout} = await run(['--once', '--json', '--retry-for', '0', '--queries', 'steady', ...servers])
        expect(code).toBe(3)
        expect((JSON.parse(stdout) as {sources: object[]}).sources).toMatchObject([
          {name: 'here: steady', ok: true, points: 1, message: null},
          {name: 'there: steady', ok: false, points: 0},
        ])
        expect((await stored())[0]).toContain('server="here"')
      })
    })
  })
})

const WAIT = {timeout: 20_000, interval: 50}
