import type {IncomingMessage, RequestListener} from 'node:http'
import {text} from 'node:stream/consumers'
import {gzipSync} from 'node:zlib'
import {flux} from '@influxdata/influxdb-client'
import {describe, expect, it, onTestFinished} from 'vitest'
import type {FluxRow} from '../../src/lib/format/annotated-csv.ts'
import {createHttpClient} from '../../src/lib/clients/http.ts'
import {createInfluxQueryClient, type InfluxQueryClient} from '../../src/lib/clients/influx-query.ts'
import {failure, oneColumn} from '../fakes/annotated-csv.ts'
import {serveHttp, serveSocket} from './servers.ts'

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5)
const WHOLE = oneColumn(['1', '2'])
const never = new AbortController().signal

describe('a query', () => {
  it('carries org, token and Flux, and asks for all that a value needs to be understood', async () => {
    const asked: unknown[] = []
    const client = await serve((request, response) => {
      void text(request).then((body) => {
        const {authorization, accept, 'content-type': type, 'accept-encoding': encoding} = request.headers
        asked.push([request.method, request.url, {authorization, accept, type, encoding}, JSON.parse(body)])
        response.end(WHOLE)
      })
    })
    await rowsOf(client, {flux: flux`from(bucket: ${'a"b'})`.toString()})
    expect(asked).toEqual([
      [
        'POST',
        '/api/v2/query?org=my+org',
        {authorization: 'Token t0', accept: 'application/csv', type: 'application/json', encoding: 'identity'},
        {
          query: String.raw`from(bucket: "a\"b")`,
          type: 'flux',
          dialect: {header: true, annotations: ['datatype', 'group', 'default']},
        },
      ],
    ])
  })

  it('says what now is where that is asked for', async () => {
    const bodies: unknown[] = []
    const client = await serve((request, response) => {
      void text(request).then((body) => {
        bodies.push((JSON.parse(body) as {now?: string}).now)
        response.end(WHOLE)
      })
    })
    for await (const _ of client.query({flux: 'from(bucket: "b")', now: NOW, signal: never}));
    expect(bodies).toEqual(['2026-01-02T03:04:05.000Z'])
  })

  it('yields the rows', async () => {
    expect(await rowsOf(await serveText(WHOLE))).toEqual([['1'], ['2']])
  })

  it('asks for gzip where that is worth it, and takes what comes', async () => {
    const answers = [gzipSync(WHOLE), Buffer.from(WHOLE)]
    const encodings: unknown[] = []
    const client = await serve(
      (request, response) => {
        const answer = answers.shift()!
        encodings.push(request.headers['accept-encoding'])
        response.writeHead(200, answer[0] === 0x1f ? {'Content-Encoding': 'gzip'} : {}).end(answer)
      },
      {compresses: true},
    )
    expect([await rowsOf(client), await rowsOf(client)]).toEqual([
      [['1'], ['2']],
      [['1'], ['2']],
    ])
    expect(encodings).toEqual(['gzip', 'gzip'])
  })

  it('asks for the token each time, and the server each time that it is iterated', async () => {
    const tokens = ['first', 'second']
    const asked: unknown[] = []
    const client = await serve(
      ({headers}, response) => {
        asked.push(headers.authorization)
        response.end(WHOLE)
      },
      {token: async () => tokens.shift()!},
    )
    for (let times = 0; times < 2; times++) await rowsOf(client)
    expect(asked).toEqual(['Token first', 'Token second'])
  })

  it('leaves its connection to the next when it is read to its end', async () => {
    const server = await serveHttp((_, response) => response.end(WHOLE))
    const client = connect(server.url)
    for (let times = 0; times < 3; times++) await rowsOf(client)
    expect(server.connections()).toBe(1)
  })

  it('is read no faster than its rows are taken', async () => {
    const pieces = Array.from({length: 5000}, (_, index) => `,,0,${index}${' '.repeat(10_000)}\r\n`)
    let sent = 0
    const client = await serve((_, response) => {
      response.write(oneColumn([], 'string').slice(0, -2))
      const send = () => {
        while (sent < pieces.length) if (!response.write(pieces[sent++])) return void response.once('drain', send)
        response.end('\r\n')
      }
      send()
    })
    let [taken, ahead] = [0, 0]
    for await (const {rows} of client.query({flux: 'f', signal: never})) {
      taken += rows.length
      for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate) // the server sends what the connection takes
      ahead = Math.max(ahead, sent - taken)
    }

    expect(taken).toBe(pieces.length)
    expect(ahead).toBeLessThan(pieces.length / 2) // what the system keeps for a connection
  })
})

describe('a query that is given up', () => {
  const reason = new Error('enough')

  it('by leaving its rows ends its connection', async () => {
    const {client, gone} = await serveEndless()
    for await (const {rows} of client.query({flux: 'f', signal: never})) {
      expect(rows).toEqual([['1'], ['2']])
      break
    }

    await gone
  })

  it('by its signal rejects with the reason, and ends its connection', async () => {
    const {client, gone} = await serveEndless()
    const abort = new AbortController()
    const parts = client.query({flux: 'f', signal: abort.signal})[Symbol.asyncIterator]()
    expect((await parts.next()).value).toMatchObject({rows: [['1'], ['2']]})
    const next = parts.next()
    abort.abort(reason)
    await expect(next).rejects.toBe(reason)
    await gone
  })

  it('by its signal while nobody reads rejects with the reason at the next read', async () => {
    const {client, gone} = await serveEndless()
    const abort = new AbortController()
    const parts = client.query({flux: 'f', signal: abort.signal})[Symbol.asyncIterator]()
    await parts.next()
    abort.abort(reason)
    await gone
    await expect(parts.next()).rejects.toBe(reason)
  })

  it('by its signal before it is sent never reaches the server', async () => {
    const server = await serveHttp((_, response) => response.end(WHOLE))
    await expect(rowsOf(connect(server.url), {signal: AbortSignal.abort(reason)})).rejects.toBe(reason)
    expect(server.connections()).toBe(0)
  })
})

describe('an answer that is not whole', () => {
  it('yields its rows, and then the message of the server that broke the query off, which no wait mends', async () => {
    const client = await serveText(WHOLE + failure('runtime error: mean: unsupported aggregate column type string'))
    const seen: FluxRow[] = []
    await expect(collect(client, seen)).rejects.toMatchObject({
      name: 'UnavailableError',
      retryable: 'never',
      message: `${client.target} broke the query off: runtime error: mean: unsupported aggregate column type string`,
      suggestion: 'Check the Flux query',
    })
    expect(seen).toEqual([['1'], ['2']])
  })

  it.each([
    ['within a row', WHOLE.slice(0, -5), 'it ends within a row'],
    ['after a row', WHOLE.slice(0, -2), 'the empty line after its last result is missing'],
    ['before its first byte', '', 'the empty line after its last result is missing'],
  ])('though its connection ends in good order is cut off %s, which may mend itself', async (_, body, how) => {
    const client = await serveText(body)
    await expect(rowsOf(client)).rejects.toMatchObject({
      name: 'UnavailableError',
      retryable: 'always',
      message: `the answer of ${client.target} is cut off: ${how}`,
    })
  })

  it.each([
    ['its length', `Content-Length: 999\r\n\r\n${WHOLE}`],
    ['its chunks', `Transfer-Encoding: chunked\r\n\r\n${WHOLE.length.toString(16)}\r\n${WHOLE}\r\n`],
  ])('is an error also where its text seems to have come to its end, by %s', async (_, answer) => {
    const {url} = await serveSocket((socket) => socket.end(`HTTP/1.1 200 OK\r\n${answer}`))
    const seen: FluxRow[] = []
    await expect(collect(connect(url), seen)).rejects.toMatchObject({
      name: 'UnavailableError',
      retryable: 'always',
      message: `POST ${url}/api/v2/query failed: aborted`,
    })
    expect(seen).toEqual([['1'], ['2']])
  })

  it('is something else, which no wait mends', async () => {
    const client = await serveText('<html><title>Log in</title></html>')
    await expect(rowsOf(client)).rejects.toMatchObject({
      name: 'UnavailableError',
      retryable: 'never',
      message: `the answer of ${client.target} is no annotated CSV: an annotation was expected, not "<html><title>Log in</title></html>"`,
      suggestion: 'Is --influx-url the address of an InfluxDB 2 server?',
    })
  })
})

describe('a query that the server refuses', () => {
  const CHECK_ADDRESS = 'Is --influx-url the address of an InfluxDB 2 server?'

  it.each([
    [400, 'error @1:24-1:28: undefined identifier rang', 'UnavailableError', 'never', 'Check the Flux query'],
    [
      400,
      'failed to decode request body: organization name "nope" not found',
      'NotFoundError',
      'after success',
      'Check --influx-org or INFLUX_ORG',
    ],
    [401, 'unauthorized access', 'AuthError', 'after success', 'Check --token, --token-file or INFLUX_TOKEN'],
    [403, 'insufficient permissions', 'AuthError', 'after success', 'Give the token in --token or INFLUX_TOKEN the permission to read'],
    [
      404,
      'failed to initialize execute state: could not find bucket "nope"',
      'NotFoundError',
      'after success',
      'Check the name of the bucket, and that the token may read it',
    ],
    [429, 'too many requests', 'UnavailableError', 'always', undefined],
    [500, 'panic: runtime error', 'UnavailableError', 'always', undefined],
    [503, 'query queue is full', 'UnavailableError', 'always', undefined],
    [405, 'method not allowed', 'UnavailableError', 'never', CHECK_ADDRESS],
  ])('with %i, "%s", is a %s', async (status, message, name, retryable, suggestion) => {
    const client = await serve((_, response) => response.writeHead(status).end(JSON.stringify({code: 'x', message})))
    const error: unknown = await rowsOf(client).catch((cause: unknown) => cause)
    expect(error).toMatchObject({name, retryable, message: `${client.target} answered ${status}: ${message}`})
    expect((error as {suggestion?: string}).suggestion).toBe(suggestion)
  })

  it.each([
    [400, 'never', CHECK_ADDRESS],
    [404, 'never', CHECK_ADDRESS],
    [302, 'never', CHECK_ADDRESS],
    [502, 'always', undefined],
  ])('with %i, by something else than InfluxDB, is unavailable, retryable %s', async (status, retryable, suggestion) => {
    const client = await serve((_, response) => response.writeHead(status).end('<html>\r\n<title>No</title>'))
    await expect(rowsOf(client)).rejects.toMatchObject({
      name: 'UnavailableError',
      retryable,
      message: `${client.target} answered ${status}`,
      suggestion,
    })
  })

  it.each([
    ['7', 7000],
    [new Date(NOW + 30_000).toUTCString(), 30_000],
  ])('is to be asked again when Retry-After says so: %s', async (header, retryAfterMilliseconds) => {
    const client = await serve((_, response) => response.writeHead(503, {'Retry-After': header}).end())
    await expect(rowsOf(client)).rejects.toMatchObject({name: 'UnavailableError', retryAfterMilliseconds})
  })

  it('is unavailable when the message has no end', async () => {
    const client = await serve((_, response) => {
      response.writeHead(500)
      response.on('drain', () => response.write(Buffer.alloc(1_000_000))).write(Buffer.alloc(1_000_000))
    })
    await expect(rowsOf(client)).rejects.toMatchObject({
      name: 'AnswerTooLongError',
      message: `POST ${client.target}/api/v2/query failed: the answer is longer than 16000000 bytes`,
    })
  })

  it('leaves its connection to the next', async () => {
    const server = await serveHttp((_, response) => response.writeHead(401).end('{"message":"unauthorized access"}'))
    const client = connect(server.url)
    for (let times = 0; times < 2; times++) await expect(rowsOf(client)).rejects.toMatchObject({name: 'AuthError'})
    expect(server.connections()).toBe(1)
  })
})

type Options = Partial<Parameters<typeof createInfluxQueryClient>[0]>

function connect(url: string, options: Options = {}): InfluxQueryClient {
  const http = createHttpClient({
    baseUrl: new URL(url),
    timeoutMilliseconds: 10_000,
    remedy: 'Is the server running?',
    caFlag: '--influx-ca',
  })
  const client = createInfluxQueryClient({http, org: 'my org', token: async () => 't0', now: () => NOW, compresses: false, ...options})
  onTestFinished(() => client.close())
  return client
}

const serve = async (listener: RequestListener, options: Options = {}) => connect((await serveHttp(listener)).url, options)

const serveText = (body: string) => serve((_, response) => response.writeHead(200, {'Content-Type': 'text/csv'}).end(body))

/** Two rows, and then nothing for ever. */
async function serveEndless(): Promise<{client: InfluxQueryClient; gone: Promise<unknown>}> {
  const gone = Promise.withResolvers<unknown>()
  const client = await serve((request: IncomingMessage, response) => {
    request.once('close', () => gone.resolve(undefined))
    response.write(WHOLE.slice(0, -2))
  })
  return {client, gone: gone.promise}
}

async function rowsOf(client: InfluxQueryClient, query: {flux?: string; signal?: AbortSignal} = {}): Promise<readonly FluxRow[]> {
  const seen: FluxRow[] = []
  await collect(client, seen, query)
  return seen
}

async function collect(client: InfluxQueryClient, seen: FluxRow[], {flux = 'f', signal = never} = {}): Promise<void> {
  for await (const {rows} of client.query({flux, signal})) seen.push(...rows)
}
