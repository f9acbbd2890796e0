import type {IncomingMessage, ServerResponse} from 'node:http'
import {text} from 'node:stream/consumers'
import {describe, expect, it, onTestFinished} from 'vitest'
import type {Ask} from '../../src/lib/core/types.ts'
import {createHttpClient} from '../../src/lib/clients/http.ts'
import {type BucketsClient, createBucketsClient} from '../../src/lib/clients/influx-buckets.ts'
import {freePorts} from '../services/free-ports.ts'
import {serveHttp} from './servers.ts'

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5)
const ORG = '0db7ae40c03a878e'
const once: Ask = (request) => request()
const RULE = {type: 'expire', everySeconds: 3600, shardGroupDurationSeconds: 3600}

/* How the real server answers is tested with it, in test/integration/buckets.test.ts. Here is what it does not do on demand. */

describe('a request', () => {
  it('carries the token of the moment, and what is to be changed as JSON', async () => {
    const asked: unknown[] = []
    const tokens = ['first', 'second']
    const client = await serve(
      (request, response) => {
        void text(request).then((body) => {
          const {authorization, 'content-type': type} = request.headers
          asked.push([request.method, request.url, authorization, type, body && (JSON.parse(body) as unknown)])
          response.end(JSON.stringify({id: 'b1', name: 'a', retentionRules: []}))
        })
      },
      {token: async () => tokens.shift()!},
    )
    expect(await client.create(ORG, 'Füllstand (1)', {description: 'cm', retention: {seconds: 3600, shardSeconds: undefined}})).toEqual({
      id: 'b1',
    })
    await client.update('b1', {retention: {seconds: 0, shardSeconds: 7200}})
    const rules = (rule: object) => [{type: 'expire', ...rule}]
    expect(asked).toEqual([
      [
        'POST',
        '/api/v2/buckets',
        'Token first',
        'application/json',
        {orgID: ORG, name: 'Füllstand (1)', description: 'cm', retentionRules: rules({everySeconds: 3600})},
      ],
      [
        'PATCH',
        '/api/v2/buckets/b1',
        'Token second',
        'application/json',
        {retentionRules: rules({everySeconds: 0, shardGroupDurationSeconds: 7200})},
      ],
    ])
  })

  it('goes below the path of a proxy, over one connection', async () => {
    const paths: unknown[] = []
    const server = await serveHttp(({url}, response) => {
      paths.push(url)
      response.end(JSON.stringify({buckets: []}))
    })
    const client = await connect(`${server.url}/influx/`)
    for (const name of ['a&b', 'Ü']) await client.named({orgID: ORG}, name)
    expect(paths).toEqual(['a%26b', '%C3%9C'].map((name) => `/influx/api/v2/buckets?orgID=${ORG}&name=${name}`))
    expect(server.connections()).toBe(1)
  })

  it('ends with its signal', async () => {
    const stop = new AbortController()
    const client = await serve(() => stop.abort(new Error('enough')), {signal: stop.signal})
    await expect(client.all(ORG, once)).rejects.toThrow('enough')
  })

  it('is bounded as a whole, also where the server sends a byte now and then', async () => {
    const client = await serve(
      (_, response) => {
        const drip = setInterval(() => response.write(' '), 20)
        response.once('close', () => clearInterval(drip))
      },
      {timeoutMilliseconds: 150},
    )
    await expect(client.all(ORG, once)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/took longer than 0.15 s$/) as string,
    })
  })
})

describe('all buckets', () => {
  /** Pages as a server gives them to a token: holes where it may not read. */
  const pages = (...sizes: number[]) => {
    let asked = 0
    const client = serve((request, response) => {
      asked++
      const offset = Number(new URL(request.url!, 'http://x').searchParams.get('offset'))
      const count = sizes[offset / 100] ?? 0
      response.end(JSON.stringify({buckets: Array.from({length: count}, (_, index) => bucket(`b${offset + index}`))}))
    })
    return {client, asked: () => asked}
  }
  const bucket = (id: string, type = id === 'b0' ? 'system' : 'user') => ({id, name: `name ${id}`, type, retentionRules: [RULE]})

  it.each<[what: string, sizes: number[], count: number, requests: number]>([
    ['none', [], 0, 21],
    ['one page', [99], 99, 1],
    ['a full page', [100], 100, 2],
    ['many pages', [100, 100, 50], 250, 3],
    ['pages with holes, where the token may read some only', [0, 3, 0, 0, 100, 1], 104, 27],
  ])('are read page by page: %s', async (_, sizes, count, requests) => {
    const {client, asked} = pages(...sizes)
    const ids = (await (await client).all(ORG, once)).map(({id}) => id)
    expect(new Set(ids).size).toBe(count)
    expect({found: ids.length, requests: asked()}).toEqual({found: count, requests})
  })

  it('are asked for page by page, so that one that fails is asked for again and not those before it', async () => {
    const offsets: string[] = []
    const client = await serve((request, response) => {
      const offset = new URL(request.url!, 'http://x').searchParams.get('offset')!
      offsets.push(offset)
      if (offset === '100' && offsets.length === 2) return response.writeHead(503).end()
      const count = offset === '0' ? 100 : 5
      return response.end(JSON.stringify({buckets: Array.from({length: count}, (_, index) => bucket(`b${Number(offset) + index}`))}))
    })
    const twice: Ask = (request) => request().catch(request)
    expect(await client.all(ORG, twice)).toHaveLength(105)
    expect(offsets).toEqual(['0', '100', '100'])
  })

  it('are read to an end where a server knows no pages', async () => {
    const client = await serve((_, response) => {
      response.end(JSON.stringify({buckets: Array.from({length: 100}, (_each, index) => bucket(`b${index}`, 'user'))}))
    })
    expect(await client.all(ORG, once)).toHaveLength(100)
  })

  it('have what the server says of them, and nothing where it says nothing', async () => {
    const client = await serve((_, response) => {
      const own = {...bucket('b0'), description: 'x'}
      response.end(JSON.stringify({buckets: [own, {id: 'b1', name: 'n', retentionRules: []}]}))
    })
    expect(await client.all(ORG, once)).toEqual([
      {id: 'b0', name: 'name b0', isSystem: true, description: 'x', retentionSeconds: 3600, shardSeconds: 3600},
      {id: 'b1', name: 'n', isSystem: false, description: '', retentionSeconds: 0, shardSeconds: undefined},
    ])
  })
})

describe('a refusal', () => {
  const json = (message: string, code = 'invalid') => JSON.stringify({code, message})

  it.each<[status: number, body: string, answer: object]>([
    [422, json('bucket with name a already exists', 'conflict'), {refused: 'bucket with name a already exists', exists: true}],
    [422, json('shard-group duration must also be updated', 'unprocessable entity'), {exists: false}],
    [400, json('bucket name _x is invalid'), {refused: 'bucket name _x is invalid', exists: false}],
    [413, json('key too large', 'request too large'), {refused: 'key too large', exists: false}],
  ])('of a bucket is an answer: %i %s', async (status, body, answer) => {
    const client = await answering(status, body)
    expect(await client.create(ORG, 'a', {})).toMatchObject(answer)
    expect(await client.update('b1', {})).toMatchObject(answer)
  })

  it('of a change because the bucket is gone is an answer; of a new one because the organisation is gone is none', async () => {
    const client = await answering(404, json('not found', 'not found'))
    expect(await client.update('b1', {})).toEqual({refused: 'it was deleted meanwhile', exists: false})
    await expect(client.create(ORG, 'a', {})).rejects.toMatchObject({code: 'NOT_FOUND', exitCode: 69})
  })

  it.each<[status: number, body: string, error: object]>([
    [401, json('unauthorized access', 'unauthorized'), {code: 'AUTH', suggestion: 'Check --token, --token-file or INFLUX_TOKEN'}],
    [
      401,
      json('write:orgs/1/buckets is unauthorized', 'unauthorized'),
      {code: 'AUTH', suggestion: 'Give the token in --token or INFLUX_TOKEN the permission write:orgs/1/buckets'},
    ],
    [403, 'no', {code: 'AUTH'}],
    [500, json('internal'), {code: 'UNAVAILABLE', divisible: true, retryable: 'always'}],
    [503, '', {code: 'UNAVAILABLE', divisible: false, retryable: 'always', retryAfterMilliseconds: 7000}],
    [429, json('slow down'), {code: 'UNAVAILABLE', retryable: 'always', retryAfterMilliseconds: 7000}],
    [404, '404 page not found\n', {code: 'UNAVAILABLE', retryable: 'never', suggestion: expect.stringContaining('--influx-url') as string}],
    [302, '', {code: 'UNAVAILABLE', retryable: 'never'}],
    [
      200,
      '<!doctype html>',
      {code: 'UNAVAILABLE', retryable: 'never', message: expect.stringMatching(/answered something that is no JSON$/) as string},
    ],
  ])('of everything is an error: %i %s', async (status, body, error) => {
    const client = await answering(status, body)
    await expect(client.create(ORG, 'a', {})).rejects.toMatchObject(error)
    await expect(client.all(ORG, once)).rejects.toMatchObject(error)
    await expect(client.organisation('ucs', once)).rejects.toMatchObject(error)
  })

  it('is not even one where nobody listens', async () => {
    const [port] = await freePorts(1)
    const client = await connect(`http://127.0.0.1:${port}`)
    await expect(client.all(ORG, once)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('ECONNREFUSED') as string,
      suggestion: 'Is the server running?',
    })
  })

  it('is made by us where the token could never be sent', async () => {
    const client = await serve((_, response) => response.end('{}'), {token: async () => '“t0”'})
    await expect(client.all(ORG, once)).rejects.toMatchObject({code: 'AUTH'})
  })
})

interface Options {
  readonly token?: () => Promise<string>
  readonly signal?: AbortSignal
  readonly timeoutMilliseconds?: number
}

async function serve(listener: (request: IncomingMessage, response: ServerResponse) => unknown, options?: Options): Promise<BucketsClient> {
  return connect((await serveHttp(listener)).url, options)
}

const answering = (status: number, body: string) => serve((_, response) => response.writeHead(status, {'Retry-After': '7'}).end(body))

async function connect(url: string, {token, signal, timeoutMilliseconds = 10_000}: Options = {}): Promise<BucketsClient> {
  const client = await createBucketsClient({
    http: createHttpClient({baseUrl: new URL(url), timeoutMilliseconds, remedy: 'Is the server running?', caFlag: '--influx-ca'}),
    token: token ?? (async () => 't0'),
    signal: signal ?? new AbortController().signal,
    now: () => NOW,
  })
  onTestFinished(() => client.close())
  return client
}
