import {once} from 'node:events'
import {createServer, type RequestListener, type ServerResponse} from 'node:http'
import type {AddressInfo} from 'node:net'
import {gzipSync} from 'node:zlib'
import {expect, onTestFinished, test} from 'vitest'
import {startHttpProxy} from './http-proxy.ts'
import {answerWith, delayed, drip, hang, tearAfterWrite, tearBeforeWrite} from './http-treatments.ts'

test('passes on a request and its answer as they are', async () => {
  const {proxy, heard} = await proxied((request, response) => {
    response.writeHead(418, {'x-kettle': request.headers['x-cup']}).end('short and stout')
  })
  const answer = await fetch(`${proxy.url}/pot?size=1`, {method: 'PUT', headers: {'x-cup': 'mine'}, body: 'tea'})
  expect([answer.status, answer.headers.get('x-kettle'), await answer.text()]).toEqual([418, 'mine', 'short and stout'])
  expect(heard).toEqual(['PUT /pot?size=1'])
})

test('keeps what came, with the parameters of path and form, and the body unpacked', async () => {
  const {proxy} = await proxied()
  await fetch(`${proxy.url}/api/v1/query?limit=5`, {method: 'POST', body: new URLSearchParams({query: 'up{a="b"}'})})
  await fetch(`${proxy.url}/write`, {method: 'POST', headers: {'content-encoding': 'gzip'}, body: gzipSync('m f=1\n')})
  expect(proxy.requests.map(({method, path, text}) => [method, path, text])).toEqual([
    ['POST', '/api/v1/query?limit=5', 'query=up%7Ba%3D%22b%22%7D'],
    ['POST', '/write', 'm f=1\n'],
  ])
  expect(Object.fromEntries(proxy.requests[0]!.parameters)).toEqual({limit: '5', query: 'up{a="b"}'})
  expect([...proxy.requests[1]!.parameters]).toEqual([])
})

test('lets one request hang and answers those beside it', async () => {
  const {proxy, heard} = await proxied()
  proxy.setTreatment(({parameters}) => (parameters.get('query') === 'slow' ? hang : undefined))
  const impatience = new AbortController()
  const slow = fetch(`${proxy.url}/?query=slow`, {signal: impatience.signal})
  expect(await (await fetch(`${proxy.url}/?query=quick`)).text()).toBe('done')
  impatience.abort()
  await expect(slow).rejects.toThrow('aborted')
  await proxy.idle()
  expect(heard).toEqual(['GET /?query=quick'])
})

test('answers in the place of the server, until it is told otherwise', async () => {
  const {proxy, heard} = await proxied()
  proxy.setTreatment(() => answerWith(503, 'busy', {'retry-after': '7'}))
  const answer = await fetch(`${proxy.url}/first`)
  expect([answer.status, answer.headers.get('retry-after'), await answer.text()]).toEqual([503, '7', 'busy'])
  proxy.setTreatment(() => undefined)
  expect((await fetch(`${proxy.url}/second`)).status).toBe(200)
  expect(heard).toEqual(['GET /second'])
})

test('passes on a delayed request no sooner than it should', async () => {
  let heardAt = 0
  const {proxy} = await proxied((_, response) => {
    heardAt = performance.now()
    response.end()
  })
  proxy.setTreatment(() => delayed(100))
  const sentAt = performance.now()
  await fetch(proxy.url)
  expect(heardAt - sentAt).toBeGreaterThan(99)
})

test.each([
  ['before', tearBeforeWrite, []],
  ['after', tearAfterWrite, ['GET /']],
])('cuts the connection %s the server has done its work', async (_, treatment, done) => {
  const {proxy, heard} = await proxied()
  proxy.setTreatment(() => treatment)
  await expect(fetch(proxy.url)).rejects.toThrow('fetch failed')
  expect(heard).toEqual(done)
})

test('sends an answer byte by byte, and the rest in one piece when that is over', async () => {
  const content = 'long'.repeat(500) // by bytes, all of it would take longer than a test may
  const {proxy} = await proxied((_, response) => response.end(content))
  let isDripping = true
  proxy.setTreatment(() => drip(() => isDripping))
  const pieces: string[] = []
  for await (const piece of (await fetch(proxy.url)).body!) {
    pieces.push(Buffer.from(piece).toString())
    if (pieces.join('').length >= 2) isDripping = false
  }

  expect(pieces[0]).toBe('l')
  expect(pieces.join('')).toBe(content)
})

test.each([
  ['ends its question to the server', {}, 'socket hang up'],
  ['has the answer all the same where it should', {evenWithoutClient: true}, 'done'],
])('when the client goes, %s', async (_, options, outcome) => {
  const asked = Promise.withResolvers<ServerResponse>()
  const left = Promise.withResolvers<undefined>()
  const passed = Promise.withResolvers<string>()
  const {proxy} = await proxied((__, response) => asked.resolve(response))
  proxy.setTreatment(() => async ({response, pass}) => {
    response.once('close', () => left.resolve(undefined))
    passed.resolve(pass(options).then(({body}) => body.toString(), String))
  })
  const client = new AbortController()
  const request = fetch(proxy.url, {signal: client.signal})
  const response = await asked.promise
  client.abort()
  await expect(request).rejects.toThrow('aborted')
  await left.promise
  response.end('done')
  expect(await passed.promise).toContain(outcome)
})

/** A proxy before a server that answers "done", or as is given. */
async function proxied(answer: RequestListener = (_, response) => response.end('done')) {
  const heard: string[] = []
  const server = createServer((request, response) => {
    heard.push(`${request.method} ${request.url}`)
    answer(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy = await startHttpProxy(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  onTestFinished(async () => {
    await proxy.close()
    server.close()
    server.closeAllConnections()
  })
  return {proxy, heard}
}
