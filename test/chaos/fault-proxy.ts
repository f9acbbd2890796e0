import {once} from 'node:events'
import {Agent, createServer, request as ask, type IncomingMessage, type ServerResponse} from 'node:http'
import type {AddressInfo} from 'node:net'
import {buffer} from 'node:stream/consumers'

/** What may be done to a request instead of passing it on. */
export type Fault = '429' | '503' | 'hang' | 'drip' | 'torn after the write' | 'torn before the write'

/** Stands before a server that speaks HTTP. */
export interface FaultProxy {
  readonly url: string
  /** To every request from now on; undefined lets all pass. */
  setFault(fault: Fault | undefined): void
  /** How often each fault met a request. */
  readonly met: ReadonlyMap<Fault, number>
  close(): Promise<void>
}

const DRIP_MILLISECONDS = 40
const RETRY_AFTER_SECONDS = '1'

export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const {hostname, port} = new URL(target)
  const agent = new Agent({keepAlive: false}) // a server that is killed leaves no stale connection behind
  const met = new Map<Fault, number>()
  let fault: Fault | undefined
  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy()) // as the server's own connection would
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    setFault: (next) => (fault = next),
    met,
    async close() {
      server.close()
      server.closeAllConnections()
      agent.destroy()
    },
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request)
    const now = fault
    if (now) met.set(now, (met.get(now) ?? 0) + 1)
    if (now === '429' || now === '503') {
      response.writeHead(Number(now), {'retry-after': RETRY_AFTER_SECONDS, 'content-type': 'application/json'})
      response.end('{"code":"unavailable","message":"by the fault proxy"}')
    } else if (now === 'hang') await once(response, 'close')
    else if (now === 'torn before the write') response.destroy()
    else {
      const answer = await pass(request, body, response)
      const content = await buffer(answer)
      if (now === 'torn after the write') response.destroy()
      else {
        response.writeHead(answer.statusCode!, answer.headers)
        if (now === 'drip') await drip(response, content)
        else response.end(content)
      }
    }
  }

  /** Closes its own side when the client goes, as a proxy should: else the server would go on with what nobody waits for. */
  async function pass(request: IncomingMessage, body: Buffer, response: ServerResponse): Promise<IncomingMessage> {
    const upstream = ask({hostname, port, agent, method: request.method, path: request.url, headers: request.headers})
    response.once('close', () => upstream.destroy())
    upstream.end(body)
    const [answer] = (await once(upstream, 'response')) as [IncomingMessage]
    return answer
  }
}

async function drip(response: ServerResponse, content: Buffer): Promise<void> {
  response.flushHeaders()
  for (const byte of content) {
    response.write(Buffer.of(byte))
    await new Promise((resolve) => setTimeout(resolve, DRIP_MILLISECONDS))
  }

  response.end()
}
