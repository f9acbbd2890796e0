import type {Socket} from 'node:net'
import {text} from 'node:stream/consumers'
import {setTimeout as sleep} from 'node:timers/promises'
import {gzipSync} from 'node:zlib'
import {describe, expect, it, onTestFinished} from 'vitest'
import {createHttpClient, type HttpOptions, isLoopback} from '../../src/lib/clients/http.ts'
import {UnavailableError} from '../../src/lib/errors.ts'
import {freePorts} from '../services/free-ports.ts'
import {serveHttp, serveSilence, serveSocket} from './servers.ts'

const REMEDY = 'Is the server running?'
const never = new AbortController().signal

describe('a request', () => {
  it('arrives with its method, its headers and its bytes', async () => {
    const arrived: unknown[] = []
    const {url} = await serveHttp((request, response) => {
      void text(request).then((body) => {
        arrived.push([request.method, request.headers['content-type'], request.headers['content-length'], body])
        response.end()
      })
    })
    const client = connect(url)
    const post = {method: 'POST', path: '/', headers: {'Content-Type': 'text/plain'}, signal: never} as const
    await client.send({...post, body: Buffer.from('grün')})
    await client.send({...post, body: Buffer.alloc(0)})
    expect(arrived).toEqual([
      ['POST', 'text/plain', '5', 'grün'],
      ['POST', 'text/plain', '0', ''],
    ])
  })

  it.each([
    ['', '/api/v2/write?org=a%20b'],
    ['/', '/api/v2/write?org=a%20b'],
    ['/influx', '/influx/api/v2/write?org=a%20b'],
    ['/behind/a proxy/', '/behind/a%20proxy/api/v2/write?org=a%20b'],
  ])('goes below the base address %s', async (base, path) => {
    const {url} = await serveHttp(({url: asked}, response) => response.end(asked))
    expect((await connect(url + base).send({method: 'GET', path: '/api/v2/write?org=a%20b', signal: never})).text).toBe(path)
  })

  it('goes to an IPv6 address', async () => {
    const {url} = await serveHttp((_, response) => response.end('six'), '::1')
    expect((await get(url)).text).toBe('six')
  })

  it('is answered with status, headers and text, whatever the status', async () => {
    const {url} = await serveHttp((_, response) => response.writeHead(418, {'Retry-After': '7'}).end('grün'))
    expect(await get(url)).toMatchObject({status: 418, headers: {'retry-after': '7'}, text: 'grün'})
  })

  it('uses the connection of the one before', async () => {
    const server = await serveHttp((_, response) => response.end('ok'))
    const client = connect(server.url)
    for (let sent = 0; sent < 3; sent++) await client.send({method: 'GET', path: '/', signal: never})
    expect(server.connections()).toBe(1)
  })

  it('hands out an answer whose body has not come yet', async () => {
    const finish: (() => void)[] = []
    const {url} = await serveHttp((_, response) => {
      response.write('first')
      finish.push(() => response.end(' last'))
    })
    const response = await open(url)
    finish[0]!()
    expect(await text(response.body)).toBe('first last')
  })

  it('has all the time that a very long timeout gives it', async () => {
    const {url} = await serveHttp((_, response) => response.end('ok'))
    const client = connect(url, {timeoutMilliseconds: 100 * 86_400_000})
    expect((await client.send({method: 'GET', path: '/', signal: never})).text).toBe('ok')
  })

  it('rejects when its connection is closed with the client', async () => {
    const {url} = await serveSocket(() => client.close())
    const client = connect(url)
    await expect(client.send({method: 'GET', path: '/', signal: never})).rejects.toBeInstanceOf(UnavailableError)
  })
})

describe('an answer that is opened', () => {
  it.each([
    ['gzip', {'Content-Encoding': 'gzip'}, gzipSync('grün')],
    ['as it is', {}, Buffer.from('grün')],
  ])('that comes %s is read', async (_, headers, body) => {
    const {url} = await serveHttp((_request, response) => response.writeHead(200, headers).end(body))
    const answer = await open(url)
    expect([answer.status, await text(answer.body)]).toEqual([200, 'grün'])
  })

  it('leaves its connection to the next as it was, when it is read to its end', async () => {
    const warnings: Error[] = []
    const onWarning = (warning: Error) => warnings.push(warning)
    process.on('warning', onWarning)
    onTestFinished(() => void process.off('warning', onWarning))
    const server = await serveHttp((_, response) => response.end('x'.repeat(100_000)))
    const client = connect(server.url)
    for (let sent = 0; sent < 20; sent++) await text((await client.open({method: 'GET', path: '/', signal: never})).body)
    expect([server.connections(), warnings]).toEqual([1, []])
  })

  it.each([
    ['a body', {'Content-Length': 9}, 'half', /aborted/],
    ['a chunk', {'Transfer-Encoding': 'chunked'}, '9\r\nhalf', /aborted/],
    [
      'a gzip that nothing else tells to be cut',
      {'Content-Encoding': 'gzip'},
      gzipSync('half of it').subarray(0, -4),
      /unexpected end of file/,
    ],
    ['what is no gzip', {'Content-Encoding': 'gzip'}, 'half', /incorrect header check/],
  ])('is unavailable when the server hangs up within %s', async (_, headers, sent, message) => {
    const {url} = await serveSocket((socket) => {
      socket.write(
        `HTTP/1.1 200 OK\r\n${Object.entries(headers)
          .map(([name, value]) => `${name}: ${value}\r\n`)
          .join('')}\r\n`,
      )
      socket.end(sent)
    })
    await expect(text((await open(url)).body)).rejects.toMatchObject({
      name: 'UnavailableError',
      retryable: 'always',
      message: expect.stringMatching(message) as string,
      suggestion: REMEDY,
    })
  })

  it('tells whoever reads it what happened before', async () => {
    const gone = Promise.withResolvers<undefined>()
    const {url} = await serveHttp((_, response) => {
      response.write('half', () => response.destroy())
      response.once('close', () => gone.resolve(undefined))
    })
    const {body} = await open(url)
    await gone.promise
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
    await expect(text(body)).rejects.toMatchObject({name: 'UnavailableError', message: expect.stringMatching(/aborted/) as string})
  })

  it.each([
    ['as it is', {}, Buffer.from('begun')],
    ['gzip', {'Content-Encoding': 'gzip'}, gzipSync('begun')],
  ])('that comes %s loses its connection when it is left', async (_, headers, begun) => {
    const gone = Promise.withResolvers<undefined>()
    const {url} = await serveHttp((request, response) => {
      request.once('close', () => gone.resolve(undefined))
      response.writeHead(200, headers).write(begun)
    })
    for await (const piece of (await open(url)).body) {
      expect(piece.toString()).toBe('begun')
      break
    }

    await gone.promise
  })

  it('may take longer than the timeout, and its reader may rest for longer', async () => {
    const asked = Promise.withResolvers<() => void>()
    const {url} = await serveHttp((_, response) => {
      response.write('first')
      asked.resolve(() => response.end('last'))
    })
    const pieces = (await open(url, {timeoutMilliseconds: 300})).body[Symbol.asyncIterator]()
    expect(String((await pieces.next()).value)).toBe('first')
    await sleep(700)
    const last = pieces.next()
    ;(await asked.promise)()
    expect(String((await last).value)).toBe('last')
    expect(await pieces.next()).toMatchObject({done: true})
  })

  it.each([
    ['its first piece', 0],
    ['its next piece, after its reader has rested', 1],
  ])('is given up when the timeout passes before %s', async (_, pieces) => {
    const {url} = await serveHttp((_request, response) => {
      response.flushHeaders()
      if (pieces > 0) response.write('first')
    })
    const body = (await open(url, {timeoutMilliseconds: 200})).body[Symbol.asyncIterator]()
    if (pieces > 0) {
      await body.next()
      await sleep(500)
    }

    await expect(body.next()).rejects.toMatchObject({
      name: 'UnavailableError',
      message: `GET ${url}/ failed: nothing came for 0.2 s`,
    })
  })

  it.each<[what: string, serve: Parameters<typeof serveSocket>[0]]>([
    ['nothing', (socket) => socket.resume()],
    ['a head without an end', (socket) => every(socket, 'HTTP/1.1 200 OK\r\n', 'X-Wait: yes\r\n')],
  ])('is given up when the timeout passes and there is %s', async (_, serve) => {
    const {url} = await serveSocket(serve)
    await expect(open(url, {timeoutMilliseconds: 200})).rejects.toMatchObject({
      name: 'UnavailableError',
      message: `GET ${url}/ took longer than 0.2 s`,
    })
  })
})

describe('the name of the target', () => {
  it.each([
    ['http://localhost:8086', 'http://localhost:8086'],
    ['http://localhost:8086/influx/', 'http://localhost:8086/influx'],
    ['http://user:secret@localhost:8086/', 'http://***@localhost:8086'],
    ['https://[::1]:8086', 'https://[::1]:8086'],
  ])('of %s is %s', (url, target) => {
    expect(connect(url).target).toBe(target)
  })

  it('is in a failure, and no secret is', async () => {
    const [port] = await freePorts(1)
    const request = connect(`http://user:secret@127.0.0.1:${port}/influx/`).send({method: 'GET', path: '/q?token=secret', signal: never})
    await expect(request).rejects.toMatchObject({
      message: `GET http://***@127.0.0.1:${port}/influx/q failed: connect ECONNREFUSED 127.0.0.1:${port}`,
    })
  })
})

describe('a server that fails', () => {
  const cases: {what: string; serve: Parameters<typeof serveSocket>[0]; message: RegExp}[] = [
    {what: 'hangs up at once', serve: (socket) => socket.destroy(), message: /socket hang up|ECONNRESET/},
    {what: 'hangs up within the head', serve: (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-'), message: /socket hang up|Parse Error/},
    {
      what: 'hangs up within the body',
      serve: (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'),
      message: /aborted/,
    },
    {
      what: 'hangs up within a chunk',
      serve: (socket) => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf'),
      message: /aborted/,
    },
    {what: 'speaks something else', serve: (socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'), message: /Parse Error/},
    {what: 'accepts and never answers', serve: (socket) => socket.resume(), message: /took longer than 0.2 s/},
    {
      what: 'never ends its head',
      serve: (socket) => every(socket, 'HTTP/1.1 200 OK\r\n', 'X-Wait: yes\r\n'),
      message: /took longer than 0.2 s/,
    },
    {
      what: 'never ends its answer',
      serve: (socket) => every(socket, 'HTTP/1.1 200 OK\r\n\r\n', '.'),
      message: /took longer than 0.2 s/,
    },
  ]

  it.each(cases)('is unavailable when it $what', async ({serve, message}) => {
    const {url} = await serveSocket(serve)
    const request = connect(url, {timeoutMilliseconds: 200}).send({method: 'GET', path: '/', signal: never})
    await expect(request).rejects.toMatchObject({
      name: 'UnavailableError',
      retryable: 'always',
      message: expect.stringMatching(message) as string,
      suggestion: REMEDY,
      cause: expect.any(Error) as Error,
    })
  })

  it('is unavailable when it floods us, and is hung up on', async () => {
    const gone = Promise.withResolvers<undefined>()
    const {url} = await serveSocket((socket) => {
      socket.once('close', () => gone.resolve(undefined))
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      const flood = () => {
        while (!socket.destroyed && socket.write(Buffer.alloc(1_000_000)));
      }

      socket.on('drain', flood)
      flood()
    })
    await expect(get(url)).rejects.toMatchObject({
      name: 'AnswerTooLongError',
      message: expect.stringContaining('the answer is longer than 16000000 bytes') as string,
    })
    await gone.promise
  })

  it('is unavailable where nobody listens', async () => {
    const [port] = await freePorts(1)
    await expect(get(`http://127.0.0.1:${port}`)).rejects.toMatchObject({
      name: 'UnavailableError',
      message: `GET http://127.0.0.1:${port}/ failed: connect ECONNREFUSED 127.0.0.1:${port}`,
      suggestion: REMEDY,
    })
  })
})

describe('an abort', () => {
  const reason = new Error('enough')

  it('rejects with its reason before anything is sent', async () => {
    const server = await serveSilence()
    await expect(connect(server.url).send({method: 'GET', path: '/', signal: AbortSignal.abort(reason)})).rejects.toBe(reason)
    expect(server.connections()).toBe(0)
  })

  it('rejects with its reason while the server is silent, and hangs up', async () => {
    const gone = Promise.withResolvers<undefined>()
    const abort = new AbortController()
    const {url} = await serveHttp((request) => {
      request.once('close', () => gone.resolve(undefined))
      abort.abort(reason)
    })
    await expect(connect(url).send({method: 'GET', path: '/', signal: abort.signal})).rejects.toBe(reason)
    await gone.promise
  })

  it('rejects with its reason while the body is on its way', async () => {
    const abort = new AbortController()
    const {url} = await serveHttp((_, response) => {
      response.write('half of it', () => setImmediate(() => abort.abort(reason)))
    })
    await expect(connect(url).send({method: 'GET', path: '/', signal: abort.signal})).rejects.toBe(reason)
  })

  it('lets nobody take half an answer for a whole one, though its length was not told', async () => {
    const abort = new AbortController()
    const {url} = await serveSocket((socket) => socket.write('HTTP/1.1 200 OK\r\n\r\nhalf of it'))
    const response = await connect(url).open({method: 'GET', path: '/', signal: abort.signal})
    abort.abort(reason)
    await expect(text(response.body)).rejects.toBe(reason)
  })
})

describe('isLoopback', () => {
  it.each(['http://localhost:8086', 'http://127.0.0.1', 'http://127.1.2.3:1', 'https://[::1]:8086', 'http://LOCALHOST'])(
    'is so for %s',
    (url) => {
      expect(isLoopback(new URL(url))).toBe(true)
    },
  )

  it.each(['http://influxdb:8086', 'http://10.0.0.1', 'http://127.example.org', 'http://[::2]', 'http://localhost.example.org'])(
    'is not so for %s',
    (url) => {
      expect(isLoopback(new URL(url))).toBe(false)
    },
  )
})

function connect(url: string, options: Partial<HttpOptions> = {}) {
  const client = createHttpClient({
    baseUrl: new URL(url),
    timeoutMilliseconds: 10_000,
    remedy: REMEDY,
    caFlag: '--influx-ca',
    ...options,
  })
  onTestFinished(() => client.close())
  return client
}

const get = (url: string, options: Partial<HttpOptions> = {}) => connect(url, options).send({method: 'GET', path: '/', signal: never})

const open = (url: string, options: Partial<HttpOptions> = {}) => connect(url, options).open({method: 'GET', path: '/', signal: never})

/** Keeps the connection busy, so that only a deadline for the whole exchange ends it. */
function every(socket: Socket, head: string, more: string): void {
  socket.write(head)
  const timer = setInterval(() => socket.write(more), 10)
  socket.once('close', () => clearInterval(timer))
}
