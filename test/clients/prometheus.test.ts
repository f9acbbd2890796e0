import type {IncomingHttpHeaders} from 'node:http'
import {text} from 'node:stream/consumers'
import {gzipSync} from 'node:zlib'
import {describe, expect, it, onTestFinished} from 'vitest'
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
import {serveHttp, serveSilence, serveSocket} from './servers.ts'

const QUERY = '/api/v1/query'
const QUERY_RANGE = '/api/v1/query_range'
const FORMAT_QUERY = '/api/v1/format_query'
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5)
const EMPTY = {status: 'success', data: {resultType: 'vector', result: []}}
const never = new AbortController().signal

describe('a query', () => {
  it('asks for an expression at a time, exact to the millisecond, in the body', async () => {
    const {client, requests} = await serverThat()
    const expression = 'rate(a{b="c&d=é+"}[5m])'
    await expect(query(client, {expression, at: 1_457_019_071, limit: 101})).resolves.toEqual({series: [], warnings: [], infos: []})
    expect(requests).toMatchObject([
      {
        line: `POST ${QUERY}`,
        form: {query: expression, time: '1457019.071', limit: '101', timeout: '11'},
        headers: {'content-type': 'application/x-www-form-urlencoded', accept: 'application/json'},
      },
    ])
  })

  it('of a range asks for both ends and the step', async () => {
    const {client, requests} = await serverThat()
    await queryRange(client, {from: 1_795_457_019_001, to: 1_795_457_034_001, stepMilliseconds: 500})
    const form = {query: 'up', start: '1795457019.001', end: '1795457034.001', step: '0.500', timeout: '11'}
    expect(requests).toMatchObject([{line: `POST ${QUERY_RANGE}`, form}])
  })

  it.each([
    [30_000, '31'],
    [500, '1.5'], // "1.5s" is no duration to the server
    [1234, '2.234'],
  ])('whose answer is waited for %i ms gives the server %s s: longer than anybody waits', async (timeoutMilliseconds, timeout) => {
    const {client, requests} = await serverThat({}, {timeoutMilliseconds})
    await query(client)
    expect(requests[0]?.form['timeout']).toBe(timeout)
  })

  it('resolves with the series of the answer, and what the server says about them', async () => {
    const result = [{metric: {__name__: 'up', job: 'a'}, value: [1, '1']}]
    const {client} = await serverThat({body: {...EMPTY, data: {resultType: 'vector', result}, warnings: ['w'], infos: ['i']}})
    const {series, ...advice} = await query(client)
    expect(series.map(({read}) => read())).toEqual([{labels: {__name__: 'up', job: 'a'}, points: [[1, '1']]}])
    expect(advice).toEqual({warnings: ['w'], infos: ['i']})
  })

  it('goes below the path of a proxy', async () => {
    const {client, requests} = await serverThat({}, {path: '/prometheus/'})
    await query(client)
    expect(requests[0]?.line).toBe(`POST /prometheus${QUERY}`)
  })

  it('carries the headers that it is given, asked for anew at each request', async () => {
    const tokens = ['first', 'second']
    const headers = async () => ({Authorization: tokens.shift()!, 'X-Scope-OrgID': 'tenant'})
    const {client, requests} = await serverThat({}, {headers})
    await query(client)
    await query(client)
    expect(requests).toMatchObject([
      {headers: {authorization: 'first', 'x-scope-orgid': 'tenant'}},
      {headers: {authorization: 'second', 'x-scope-orgid': 'tenant'}},
    ])
  })

  it('fails with the error of its headers', async () => {
    const unreadable = new AuthError('the secret of --prometheus-token-file cannot be read')
    const {client} = await serverThat({}, {headers: () => Promise.reject(unreadable)})
    await expect(query(client)).rejects.toBe(unreadable)
  })

  it.each([
    [true, 'gzip'],
    [false, 'identity'],
  ])('asks for a compressed answer where that is a gain: %s', async (compresses, encoding) => {
    const {client, requests} = await serverThat({}, {compresses})
    await query(client)
    expect(requests[0]?.headers['accept-encoding']).toBe(encoding)
  })

  it('reads a compressed answer, and refuses one that is cut off', async () => {
    const body = gzipSync(JSON.stringify(EMPTY))
    const headers = {'Content-Encoding': 'gzip'}
    const {client} = await serverThat({headers, body})
    await expect(query(client)).resolves.toMatchObject({series: []})
    const {client: other} = await serverThat({headers, body: body.subarray(0, -4)})
    await expect(query(other)).rejects.toMatchObject({name: 'UnavailableError', retryable: 'always'})
  })

  it('ends with the reason of its signal', async () => {
    const {url} = await serveSilence()
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
    const {client, url, requests} = await serverThat({status: 400, body: bad})
    const message = `${url} refuses the query up: ${bad.error}`
    await expect(ask(client)).rejects.toMatchObject({name: 'UsageError', retryable: 'never', message})
    expect(requests[0]?.line).toBe(`POST ${path}`)
  })

  it('is found out by a check that asks for no data', async () => {
    const {client, requests} = await serverThat({body: {status: 'success', data: 'sum(a)'}})
    await expect(client.checkSyntax('sum(a) # of all', never)).resolves.toBeUndefined()
    expect(requests.map(({form}) => form)).toEqual([{query: 'sum(a) # of all'}])
  })

  it.each([
    ['which is older', 404, '404 page not found\n'],
    ['which reads only', 405, 'Method Not Allowed'],
    ['which is busy', 503, ''],
    ['behind a proxy that refuses something else', 400, '<html>400 Bad Request</html>'],
    ['whose answer is none', 200, '<html></html>'],
  ])('is not found out by a server %s', async (_, status, body) => {
    const {client} = await serverThat({status, body})
    await expect(client.checkSyntax('up', never)).resolves.toBeUndefined()
  })

  it.each([401, 403])('is not found out where the server does not let us in: %i', async (status) => {
    const {client} = await serverThat({status})
    await expect(client.checkSyntax('up', never)).rejects.toBeInstanceOf(AuthError)
  })
})

describe('an answer that another one may follow', () => {
  it.each<[status: number, body: string | object, said: string]>([
    [503, failure('timeout', 'query timed out in expression evaluation'), 'query timed out in expression evaluation'],
    [503, failure('canceled', 'query was canceled'), 'query was canceled'],
    [500, failure('internal', 'read block: no such file'), 'read block: no such file'],
    [503, 'Service Unavailable', 'Service Unavailable'],
    [502, '<html>502 Bad Gateway</html>', ''],
    [503, 'upstream connect error\nreset', 'upstream connect error'],
    [504, 'x'.repeat(5000), 'x'.repeat(200)],
    [408, '', ''],
    [429, 'too many outstanding requests', 'too many outstanding requests'],
  ])('%i %j', async (status, body, said) => {
    const {client, url} = await serverThat({status, body})
    const message = `${url} answered ${status}${said && `: ${said}`}`
    await expect(query(client)).rejects.toMatchObject({name: 'UnavailableError', retryable: 'always', message})
  })

  it.each<[headers: Record<string, string>, retryAfterMilliseconds: number | undefined]>([
    [{'Retry-After': '7'}, 7000],
    [{'Retry-After': 'Fri, 02 Jan 2026 03:04:35 GMT'}, 30_000],
    [{}, undefined],
  ])('not before the server wants it: %j', async (headers, retryAfterMilliseconds) => {
    for (const status of [429, 503]) {
      const {client} = await serverThat({status, headers})
      await expect(query(client)).rejects.toMatchObject({retryAfterMilliseconds})
    }
  })

  it.each(['expanding series: context deadline exceeded', 'query timed out', 'context canceled', 'concurrent queries are limited'])(
    'where a query could not be executed for want of time: %s',
    async (error) => {
      const {client, url} = await serverThat({status: 422, body: failure('execution', error)})
      await expect(query(client)).rejects.toMatchObject({retryable: 'always', message: `${url} answered 422: ${error} (query up)`})
    },
  )

  it('where none comes in time', async () => {
    const {url} = await serveSilence()
    await expect(query(connect({url, timeoutMilliseconds: 20}))).rejects.toMatchObject({
      name: 'UnavailableError',
      retryable: 'always',
      message: `POST ${url}${QUERY} took longer than 0.02 s`,
      suggestion: 'Is the server running?',
    })
  })

  it('where it does not come to its end', async () => {
    const {url} = await serveSocket((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"status":"success"'))
    })
    await expect(query(connect({url}))).rejects.toMatchObject({name: 'UnavailableError', retryable: 'always'})
  })
})

describe('an answer that no wait will change', () => {
  it('is one that is longer than we take, also when it comes compressed: the query is to blame', async () => {
    const body = gzipSync(Buffer.alloc(MAX_ANSWER_BYTES + 1, ' '), {level: 1})
    const {client, url} = await serverThat({headers: {'Content-Encoding': 'gzip'}, body})
    const message = `POST ${url}${QUERY_RANGE} failed: the answer is longer than ${MAX_ANSWER_BYTES} bytes`
    await expect(queryRange(client)).rejects.toMatchObject({
      name: 'DataError',
      message,
      suggestion: 'Narrow the query, or lower --max-series',
    })
  })

  it('is not one of JSON that breaks off', async () => {
    const {client} = await serverThat({body: '{"status":"success","data":{'})
    await expect(query(client)).rejects.toMatchObject({name: 'UnavailableError', retryable: 'always'})
  })

  it.each([
    'found duplicate series for the match group {job="x"} on the right hand-side: [{job="x"}, {job="x"}];many-to-many matching not allowed',
    'vector cannot contain metrics with the same labelset',
    'found duplicate series for the match group {quota="limit", volume="storage"} on the left hand-side',
  ])('is that of a query which cannot be executed: %s', async (error) => {
    const {client, url} = await serverThat({status: 422, body: failure('execution', error)})
    const message = `${url} answered 422: ${error} (query up)`
    await expect(query(client)).rejects.toMatchObject({name: 'DataError', reason: 'not executable', message})
  })

  it.each([
    [401, 'Check --prometheus-token, or --prometheus-user and --prometheus-password'],
    [403, 'Allow this user to query, or name another with --prometheus-user'],
  ])('is that to somebody who is not let in: %i', async (status, suggestion) => {
    const {client, url} = await serverThat({status, body: 'Unauthorized\n'})
    const message = `${url} answered ${status}: Unauthorized`
    await expect(query(client)).rejects.toMatchObject({name: 'AuthError', retryable: 'after success', message, suggestion})
  })

  it.each<[what: string, status: number, body: string | object, said: string]>([
    ['a server without that API', 404, '404 page not found\n', ' 404: 404 page not found'],
    ['a page', 404, '<html>Not Found</html>', ' 404'],
    ['a server that reads only', 405, 'Method Not Allowed', ' 405: Method Not Allowed'],
    ['a proxy', 400, 'Client sent an HTTP request to an HTTPS server.\n', ' 400: Client sent an HTTP request to an HTTPS server.'],
    ['a server that has other errors', 400, failure('other', 'no'), ' 400: no'],
    ['a success of another kind', 204, '', ' 204'],
    ['another API', 200, '{"status":"pass"}', ' 200 with what is no answer of Prometheus: it has no data'],
    ['a page that is no failure', 200, '', ' 200 with what is no answer of Prometheus: it is no JSON'],
  ])('comes from something that is no Prometheus: %s', async (_, status, body, said) => {
    const {client, url} = await serverThat({status, body})
    await expect(query(client)).rejects.toMatchObject({
      name: 'UnavailableError',
      retryable: 'never',
      message: `${url} answered${said}`,
      suggestion: 'Is --prometheus-url the address of a Prometheus server?',
    })
  })

  it('is a redirect: what was asked in confidence goes to nobody else', async () => {
    const elsewhere = await serverThat()
    const {client, url} = await serverThat({status: 307, headers: {Location: `${elsewhere.url}${QUERY}`}})
    await expect(query(client)).rejects.toMatchObject({retryable: 'never', message: `${url} answered 307`})
    expect(elsewhere.requests).toEqual([])
  })
})

describe('a secret', () => {
  it.each<[what: string, answer: Answer]>([
    ['a login that fails', {status: 401, body: 'Unauthorized'}],
    ['a mistake in the query', {status: 400, body: failure('bad_data', 'parse error')}],
    ['a query that cannot be executed', {status: 422, body: failure('execution', 'no')}],
    ['an outage', {status: 503}],
    ['a page', {body: '<html>'}],
    ['an answer that is cut off', {headers: {'Content-Encoding': 'gzip'}, body: gzipSync('{}').subarray(0, -4)}],
  ])('is in no message of %s', async (_, answer) => {
    const headers = async () => ({Authorization: `Basic ${btoa('u:s3cret')}`, 'X-Key': 's3cret'})
    const {client} = await serverThat(answer, {user: 'u:s3cret', headers})
    const error = (await query(client).catch((cause: unknown) => cause)) as Error
    expect(error.message).toContain('http://***@127.0.0.1')
    expect(JSON.stringify([client.target, error.message, error])).not.toMatch(/s3cret|dTpz/)
  })
})

function query(client: PrometheusClient, own: Partial<InstantQuery> = {}) {
  return client.query({expression: 'up', at: NOW, limit: 10, signal: never, ...own})
}

function queryRange(client: PrometheusClient, own: Partial<RangeQuery> = {}) {
  return client.queryRange({expression: 'up', from: NOW, to: NOW, stepMilliseconds: 1000, signal: never, ...own})
}

function failure(errorType: string, error: string): object {
  return {status: 'error', errorType, error}
}

interface Answer {
  readonly status?: number
  readonly headers?: Record<string, string>
  readonly body?: string | Buffer | object
}

interface Connection extends Partial<Omit<PrometheusOptions, 'http'>> {
  readonly path?: string
  readonly user?: string
}

/** A server that answers everything like that, and a client of it. */
async function serverThat({status = 200, headers = {}, body = status === 200 ? EMPTY : ''}: Answer = {}, own: Connection = {}) {
  const requests: {line: string; headers: IncomingHttpHeaders; form: Readonly<Record<string, string>>}[] = []
  const {url} = await serveHttp((request, response) => {
    void text(request).then((form) => {
      requests.push({
        line: `${request.method} ${request.url}`,
        headers: request.headers,
        form: Object.fromEntries(new URLSearchParams(form)),
      })
      response.writeHead(status, headers).end(typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body))
    })
  })
  const {path = '', user, ...options} = own
  const address = user === undefined ? url : url.replace('//', `//${user}@`)
  return {url, requests, client: connect({url: address + path, ...options})}
}

function connect({url, timeoutMilliseconds = 10_000, ...own}: Partial<PrometheusOptions> & {readonly url: string}): PrometheusClient {
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
