import {once} from 'node:events'
import {Agent, createServer, request as ask, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse} from 'node:http'
import type {AddressInfo} from 'node:net'
import {buffer} from 'node:stream/consumers'
import {gunzipSync} from 'node:zlib'
import {passOn} from './http-treatments.ts'

/** Stands before a server that speaks HTTP. */
export interface HttpProxy {
  readonly url: string
  /** All that came so far, in the order in which they were complete; none when they are not kept. */
  readonly requests: readonly ProxiedRequest[]
  /** For every request from now on. Undefined passes it on. */
  setTreatment(choose: (request: ProxiedRequest) => Treatment | undefined): void
  /** Resolves when all requests so far are dealt with. */
  idle(): Promise<void>
  close(): Promise<void>
}

export interface ProxiedRequest {
  readonly method: string
  /** "/api/v1/query?query=up". */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  /** As it came. */
  readonly body: Buffer
  /** The body, unpacked. */
  readonly text: string
  /** Of the path, and of a body that is a form. */
  readonly parameters: URLSearchParams
}

/** What is done to a request: see http-treatments.ts. When it rejects, the connection is cut. */
export type Treatment = (exchange: ProxiedExchange) => Promise<void>

export interface ProxiedExchange {
  readonly response: ServerResponse
  /**
   * Asks the server. When the client goes, as a rule this connection ends too: else the server would go on with what nobody
   * waits for.
   */
  pass(options?: {readonly evenWithoutClient?: boolean}): Promise<ServerAnswer>
}

export interface ServerAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export async function startHttpProxy(target: string, {keepsRequests = true} = {}): Promise<HttpProxy> {
  const {hostname, port} = new URL(target)
  const agent = new Agent({keepAlive: false}) // a server that is killed leaves no stale connection behind
  const requests: ProxiedRequest[] = []
  const underway = new Set<Promise<void>>()
  let treatmentOf: (request: ProxiedRequest) => Treatment | undefined = () => undefined
  const server = createServer((incoming, response) => {
    const served = serve(incoming, response).catch(() => {
      response.destroy() // as the server's own connection would
    })
    underway.add(served)
    void served.finally(() => underway.delete(served))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    setTreatment: (choose) => (treatmentOf = choose),
    async idle() {
      await Promise.all(underway)
    },
    async close() {
      server.close()
      server.closeAllConnections()
      agent.destroy()
    },
  }

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = requestOf(incoming, await buffer(incoming))
    if (keepsRequests) requests.push(request)
    const treat = treatmentOf(request) ?? passOn
    await treat({response, pass: ({evenWithoutClient = false} = {}) => pass(request, evenWithoutClient ? undefined : response)})
  }

  async function pass({method, path, headers, body}: ProxiedRequest, client: ServerResponse | undefined): Promise<ServerAnswer> {
    const upstream = ask({hostname, port, agent, method, path, headers})
    if (client?.destroyed) upstream.destroy()
    client?.once('close', () => upstream.destroy())
    upstream.end(body)
    const [answer] = (await once(upstream, 'response')) as [IncomingMessage]
    return {status: answer.statusCode!, headers: answer.headers, body: await buffer(answer)}
  }
}

/** Bodies are unpacked and read only for who asks: there can be many, and large ones. */
function requestOf({method, url, headers}: IncomingMessage, body: Buffer): ProxiedRequest {
  return {
    method: method!,
    path: url!,
    headers,
    body,
    get text() {
      return (headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString()
    },
    get parameters() {
      const {searchParams} = new URL(this.path, 'http://proxy')
      const isForm = headers['content-type']?.startsWith('application/x-www-form-urlencoded')
      return new URLSearchParams([...searchParams, ...(isForm ? new URLSearchParams(this.text) : [])])
    },
  }
}
