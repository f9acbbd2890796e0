import nock from 'nock'
import {gzipSync} from 'node:zlib'
import {afterEach, beforeEach, describe, expect, it, onTestFinished} from 'vitest'
import {createHttpClient} from '../../src/lib/clients/http.ts'
import {
  createPrometheusClient,
  type InstantQuery,
  MAX_ANSWER_BYTES,
  type PrometheusClient,
  type PrometheusOptions,
  type RangeQuery,
} from '../../src/lib/clients/prometheus.ts'
import {AuthError} from '../../src/lib/errors.ts'
import {serveHttp, serveSilence} from './servers.ts'

const SERVER = 'http://prometheus.example:9090'
const QUERY = '/api/v1/query'
const QUERY_RANGE = '/api/v1/query_range'
const FORMAT_QUERY = '/api/v1/format_query'
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5)
const EMPTY = {status: 'success', data: {resultType: 'vector', result: []}}
const never = new AbortController().signal

beforeEach(() => nock.disableNetConnect())
afterEach(() => {
  const unused = nock.pendingMocks()
  nock.cleanAll()
  nock.enableNetConnect()
  expect(unused).toEqual([])
})

describe('a query', () => {
  it('asks for an expression at a time, exact to the millisecond, in the body', async () => {
    const form = {query: `rate(a{b="c&d=é+"}[5m])`, time: '1457019.071', limit: '101', timeout: '11'}
    nock(SERVER, {reqheaders: {'content-type': 'application/x-www-form-urlencoded', accept: 'application/json'}})
      .post(QUERY, form)
      .reply(200, EMPTY)
    const answer = query(connect(), {expression: form.query, at: 1_457_019_071, limit: 101})
    await expect(answer).resolves.toEqual({series: [], warnings: [], infos: []})
  })

  it('of a range asks for both ends and the step', async () => {
    const form = {query: 'up', start: '1795457019.001', end: '1795457034.001', step: '0.500', timeout: '11'}
    nock(SERVER).post(QUERY_RANGE, form).reply(200, EMPTY)
    const range = {from: 1_795_457_019_001, to: 1_795_457_034_001, stepMilliseconds: 500}
    await expect(queryRange(connect(), range)).resolves.toMatchObject({series: []})
  })

  it.each([
    [30_000, '31'],
    [500, '1.5'], // "1.5s" is no duration to the server
    [1234, '2.234'],
  ])('whose answer is waited for %i ms gives the server %s s: longer than anybody waits', async (timeoutMilliseconds, timeout) => {
    nock(SERVER)
      .post(QUERY, (form: Record<string, string>) => form['timeout'] === timeout)
      .reply(200, EMPTY)
    await query(connect({timeoutMilliseconds}))
  })

  it('resolves with the series of the answer, and what the server says about them', async () => {
    const result = [{metric: {__name__: 'up', job: 'a'}, value: [1, '1']}]
    nock(SERVER)
      .post(QUERY)
      .reply(200, {...EMPTY, data: {resultType: 'vector', result}, warnings: ['w'], infos: ['i']})
    const {series, ...advice} = await query(connect())
    expect(series.map(({read}) => read())).toEqual([{labels: {__name__: 'up', job: 'a'}, points: [[1, '1']]}])
    expect(advice).toEqual({warnings: ['w'], infos: ['i']})
  })

  it('goes below the path of a proxy', async () => {
    nock(SERVER).post(`/prometheus${QUERY}`).reply(200, EMPTY)
    await query(connect({url: `${SERVER}/prometheus/`}))
  })

  it('carries the headers that it is given, asked for anew at each request', async () => {
    const tokens = ['first', 'second']
    nock(SERVER, {reqheaders: {authorization: 'first', 'x-scope-orgid': 'tenant'}})
      .post(QUERY)
      .reply(200, EMPTY)
    nock(SERVER, {reqheaders: {authorization: 'second'}})
      .post(QUERY)
      .reply(200, EMPTY)
    const client = connect({headers: async () => ({Authorization: tokens.shift()!, 'X-Scope-OrgID': 'tenant'})})
    await query(client)
    await query(client)
  })

  it('fails with the error of its headers', async () => {
    const unreadable = new AuthError('the secret of --prometheus-token-file cannot be read')
    await expect(query(connect({headers: () => Promise.reject(unreadable)}))).rejects.toBe(unreadable)
  })

  it.each([
    [true, 'gzip'],
    [false, 'identity'],
  ])('asks for a compressed answer where that is a gain: %s', async (compresses, encoding) => {
    nock(SERVER, {reqheaders: {'accept-encoding': encoding}})
      .post(QUERY)
      .reply(200, EMPTY)
    await query(connect({compresses}))
  })

  it('reads a compressed answer, and refuses one that is cut off', async () => {
    const body = gzipSync(JSON.stringify(EMPTY))
    nock(SERVER).post(QUERY).reply(200, body, {'Content-Encoding': 'gzip'})
    nock(SERVER).post(QUERY).reply(200, body.subarray(0, -4), {'Content-Encoding': 'gzip'})
    const client = connect({compresses: true})
    await expect(query(client)).resolves.toMatchObject({series: []})
    await expect(query(client)).rejects.toMatchObject({name: 'UnavailableError', retryable: 'always', message: /unexpected end of file/})
  })

  it('ends with the reason of its signal', async () => {
    const {url} = await serveSilence()
    nock.enableNetConnect('127.0.0.1')
    const stopping = new AbortController()
    const reason = new Error('stopped')
    const answer = query(connect({url}), {signal: stopping.signal})
    stopping.abort(reason)
    await expect(answer).rejects.toBe(reason)
  })
})

describe('what the server does not understand', () => {
  const bad = {status: 'error', errorType: 'bad_data', error: `invalid parameter "query": 1:6: parse error: unexpected "="`}

  it.each([
    [QUERY, (client: PrometheusClient) => query(client)],
    [QUERY_RANGE, (client: PrometheusClient) => queryRange(client)],
    [FORMAT_QUERY, (client: PrometheusClient) => client.checkSyntax('up', never)],
  ])('is a mistake in the query, which is named: %s', async (path, ask) => {
    nock(SERVER).post(path).reply(400, bad)
    await expect(ask(connect())).rejects.toMatchObject({
      name: 'UsageError',
      retryable: 'never',
      message: `${SERVER} refuses the query up: ${bad.error}`,
    })
  })

  it('is found out by a check that asks for no data', async () => {
    const form = {query: 'sum(a) # of all'}
    nock(SERVER).post(FORMAT_QUERY, form).reply(200, {status: 'success', data: 'sum(a)'})
    await expect(connect().checkSyntax(form.query, never)).resolves.toBeUndefined()
  })

  it.each([
    ['which is older', 404, '404 page not found\n'],
    ['which reads only', 405, 'Method Not Allowed'],
    ['which is busy', 503, ''],
    ['behind a proxy that refuses something else', 400, '<html>400 Bad Request</html>'],
    ['whose answer is none', 200, '<html></html>'],
  ])('is not found out by a server %s', async (_, status, body) => {
    nock(SERVER).post(FORMAT_QUERY).reply(status, body)
    await expect(connect().checkSyntax('up', never)).resolves.toBeUndefined()
  })

  it.each([401, 403])('is not found out where the server does not let us in: %i', async (status) => {
    nock(SERVER).post(FORMAT_QUERY).reply(status)
    await expect(connect().checkSyntax('up', never)).rejects.toBeInstanceOf(AuthError)
  })
})

describe('an answer that another one may follow', () => {
  it.each<[status: number, body: string | object, said: string]>([
    [
      503,
      {status: 'error', errorType: 'timeout', error: 'query timed out in expression evaluation'},
      'query timed out in expression evaluation',
    ],
    [503, {status: 'error', errorType: 'canceled', error: 'query was canceled'}, 'query was canceled'],
    [500, {status: 'error', errorType: 'internal', error: 'read block: no such file'}, 'read block: no such file'],
    [503, 'Service Unavailable', 'Service Unavailable'],
    [502, '<html>502 Bad Gateway</html>', ''],
    [503, `upstream connect error\nreset`, 'upstream connect error'],
    [504, 'x'.repeat(5000), 'x'.repeat(200)],
    [408, '', ''],
    [429, 'too many outstanding requests', 'too many outstanding requests'],
  ])('%i %j', async (status, body, said) => {
    nock(SERVER).post(QUERY).reply(status, body)
    await expect(query(connect())).rejects.toMatchObject({
      name: 'UnavailableError',
      retryable: 'always',
      message: `${SERVER} answered ${status}${said && `: ${said}`}`,
    })
  })

  it.each([
    [{'Retry-After': '7'}, 7000],
    [{'Retry-After': 'Fri, 02 Jan 2026 03:04:35 GMT'}, 30_000],
    [{}, undefined],
  ])('not before the server wants it: %j', async (headers, retryAfterMilliseconds) => {
    for (const status of [429, 503]) {
      nock(SERVER).post(QUERY).reply(status, '', headers)
      await expect(query(connect())).rejects.toMatchObject({retryAfterMilliseconds})
    }
  })

  it.each(['expanding series: context deadline exceeded', 'query timed out', 'context canceled', 'too many concurrent queries: limit 20'])(
    'where a query could not be executed for want of time: %s',
    async (error) => {
      nock(SERVER).post(QUERY).reply(422, {status: 'error', errorType: 'execution', error})
      await expect(query(connect())).rejects.toMatchObject({retryable: 'always', message: `${SERVER} answered 422: ${error} (query up)`})
    },
  )

  it('where none comes in time', async () => {
    const {url} = await serveSilence()
    nock.enableNetConnect('127.0.0.1')
    await expect(query(connect({url, timeoutMilliseconds: 20}))).rejects.toMatchObject({
      name: 'UnavailableError',
      retryable: 'always',
      message: `POST ${url}${QUERY} took longer than 0.02 s`,
      suggestion: 'Is the server running?',
    })
  })

  it('where it does not come to its end', async () => {
    const {url} = await serveHttp((_, response) => {
      response.writeHead(200, {'Content-Length': 1000})
      response.write('{"status":"success"', () => response.destroy())
    })
    nock.enableNetConnect('127.0.0.1')
    await expect(query(connect({url}))).rejects.toMatchObject({name: 'UnavailableError', retryable: 'always'})
  })

  it('where it is longer than we take, also when it comes compressed', async () => {
    const body = gzipSync(Buffer.alloc(MAX_ANSWER_BYTES + 1, ' '), {level: 1})
    nock(SERVER).post(QUERY_RANGE).reply(200, body, {'Content-Encoding': 'gzip'})
    await expect(queryRange(connect({compresses: true}))).rejects.toMatchObject({
      name: 'UnavailableError',
      message: `POST ${SERVER}${QUERY_RANGE} failed: the answer is longer than ${MAX_ANSWER_BYTES} bytes`,
    })
  })
})

describe('an answer that no wait will change', () => {
  it.each([
    'found duplicate series for the match group {job="x"} on the right hand-side of the operation: [{job="x"}, {job="x"}];many-to-many matching not allowed: matching labels must be unique on one side',
    'vector cannot contain metrics with the same labelset',
    'found duplicate series for the match group {quota="limit", volume="storage"} on the left hand-side',
  ])('is that of a query which cannot be executed: %s', async (error) => {
    nock(SERVER).post(QUERY).reply(422, {status: 'error', errorType: 'execution', error})
    await expect(query(connect())).rejects.toMatchObject({
      name: 'UnavailableError',
      retryable: 'never',
      message: `${SERVER} answered 422: ${error} (query up)`,
    })
  })

  it.each([
    [401, 'Check --prometheus-token, or --prometheus-user and --prometheus-password'],
    [403, 'Allow this user to query, or name another with --prometheus-user'],
  ])('is that to somebody who is not let in: %i', async (status, suggestion) => {
    nock(SERVER).post(QUERY).reply(status, 'Unauthorized\n')
    await expect(query(connect())).rejects.toMatchObject({
      name: 'AuthError',
      retryable: 'after success',
      message: `${SERVER} answered ${status}: Unauthorized`,
      suggestion,
    })
  })

  it.each([
    ['a server without that API', 404, '404 page not found\n', `${SERVER} answered 404: 404 page not found`],
    ['a page', 404, '<html>Not Found</html>', `${SERVER} answered 404`],
    ['a server that reads only', 405, 'Method Not Allowed', `${SERVER} answered 405: Method Not Allowed`],
    [
      'a proxy',
      400,
      'Client sent an HTTP request to an HTTPS server.\n',
      `${SERVER} answered 400: Client sent an HTTP request to an HTTPS server.`,
    ],
    ['a server that has other errors', 400, {status: 'error', errorType: 'other', error: 'no'}, `${SERVER} answered 400: no`],
    ['a success of another kind', 204, '', `${SERVER} answered 204`],
    [
      'a page that is no failure',
      200,
      '<html>Log in</html>',
      /^http:\/\/prometheus.example:9090 answered 200 with what is no answer of Prometheus: .*JSON/,
    ],
    ['another API', 200, '{"status":"pass"}', `${SERVER} answered 200 with what is no answer of Prometheus: it has no data`],
  ])('comes from something that is no Prometheus: %s', async (_, status, body, message) => {
    nock(SERVER).post(QUERY).reply(status, body)
    await expect(query(connect())).rejects.toMatchObject({
      name: 'UnavailableError',
      retryable: 'never',
      message: typeof message === 'string' ? message : expect.stringMatching(message),
      suggestion: 'Is --prometheus-url the address of a Prometheus server?',
    })
  })

  it('is a redirect: what was asked in confidence goes to nobody else', async () => {
    nock(SERVER).post(QUERY).reply(302, '', {Location: 'http://elsewhere.example/login'})
    await expect(query(connect())).rejects.toMatchObject({retryable: 'never', message: `${SERVER} answered 302`})
  })
})

describe('a secret', () => {
  const secrets = /s3cret|dTpz/

  it.each<[what: string, answer: (scope: nock.Interceptor) => unknown]>([
    ['a refusal', (post) => post.reply(401, 'Unauthorized')],
    ['a mistake in the query', (post) => post.reply(400, {status: 'error', errorType: 'bad_data', error: 'parse error'})],
    ['a query that cannot be executed', (post) => post.reply(422, {status: 'error', errorType: 'execution', error: 'no'})],
    ['an outage', (post) => post.reply(503)],
    ['a page', (post) => post.reply(200, '<html>')],
    ['a broken connection', (post) => post.replyWithError('socket hang up')],
  ])('is in no message of %s', async (_, answer) => {
    const url = 'http://u:s3cret@prometheus.example:9090'
    answer(nock(SERVER).post(QUERY))
    const client = connect({url, headers: async () => ({Authorization: `Basic ${btoa('u:s3cret')}`, 'X-Key': 's3cret'})})
    const error = (await query(client).catch((cause: unknown) => cause)) as Error
    expect(error.message).toContain('http://***@prometheus.example:9090')
    expect(JSON.stringify([client.target, error.message, error])).not.toMatch(secrets)
  })
})

function query(client: PrometheusClient, own: Partial<InstantQuery> = {}) {
  return client.query({expression: 'up', at: NOW, limit: 10, signal: never, ...own})
}

function queryRange(client: PrometheusClient, own: Partial<RangeQuery> = {}) {
  return client.queryRange({expression: 'up', from: NOW, to: NOW, stepMilliseconds: 1000, signal: never, ...own})
}

interface Connection extends Partial<Omit<PrometheusOptions, 'http'>> {
  readonly url?: string
}

function connect({url = SERVER, timeoutMilliseconds = 10_000, ...own}: Connection = {}): PrometheusClient {
  const http = createHttpClient({
    baseUrl: new URL(url),
    timeoutMilliseconds,
    remedy: 'Is the server running?',
    caFlag: '--prometheus-ca',
  })
  const headers = async () => ({})
  const client = createPrometheusClient({http, headers, timeoutMilliseconds, compresses: false, now: () => NOW, ...own})
  onTestFinished(() => client.close())
  return client
}
