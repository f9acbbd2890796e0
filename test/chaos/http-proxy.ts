import {once} from 'node:events'
import {Agent, createServer, request as ask, type IncomingMessage, type ServerResponse} from 'node:http'
import type {AddressInfo} from 'node:net'
import {buffer} from 'node:stream/consumers'
import {setTimeout as sleep} from 'node:timers/promises'
import {gunzipSync} from 'node:zlib'
import {isBlamedAtTimes} from './messages.ts'

/** What may be done to a request instead of passing it on. */
export type HttpFault = '400' | '413' | '429' | '500' | '503' | 'hang' | 'drip' | 'torn after the write' | 'torn before the write' | 'late'

/** Stands before a server that speaks HTTP. */
export interface HttpProxy {
  readonly url: string
  /** To every request from now on; undefined lets all pass. */
  setFault(fault: HttpFault | undefined): void
  /** Resolves when the server has answered all that was passed on to it. */
  idle(): Promise<void>
  close(): Promise<void>
}

const DRIP_MILLISECONDS = 40
const LATE_MILLISECONDS = 4000
const RETRY_AFTER_SECONDS = '1'
const LARGEST_BODY_BYTES = 2000

export async function startHttpProxy(target: string): Promise<HttpProxy> {
  const {hostname, port} = new URL(target)
  const agent = new Agent({keepAlive: false}) // a server that is killed leaves no stale connection behind
  const underway = new Set<Promise<void>>()
  let fault: HttpFault | undefined
  const server = createServer((request, response) => {
    const served = serve(request, response).catch(() => {
      response.destroy() // as the server's own connection would
    })
    underway.add(served)
    void served.finally(() => underway.delete(served))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    setFault: (next) => (fault = next),
    async idle() {
      await Promise.all(underway)
    },
    async close() {
      server.close()
      server.closeAllConnections()
      agent.destroy()
    },
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request)
    switch (fault) {
      case '429':
      case '503':
        return refuse(response, Number(fault), 'by the fault proxy', {'retry-after': RETRY_AFTER_SECONDS})
      case '500':
        return refuse(response, 500, 'by the fault proxy')
      case '413':
        if (body.length > LARGEST_BODY_BYTES) return refuse(response, 413, 'by the fault proxy')
        break
      case '400': {
        const line = blamedLine(request, body)
        if (line) return refuse(response, 400, `unable to parse '${line}': by the fault proxy`)
        break
      }
      case 'hang':
        await once(response, 'close')
        return
      case 'torn before the write':
        response.destroy()
        return
      case 'torn after the write':
        await buffer(await pass(request, body, response))
        response.destroy()
        return
      case 'drip':
        return answer(
          response,
          await pass(request, body, response),
          dripWhile(() => fault === 'drip'),
        )
      case 'late':
        await sleep(LATE_MILLISECONDS)
        return answer(response, await pass(request, body))
      case undefined:
    }

    return answer(response, await pass(request, body, response))
  }

  /** With `client`, its own side closes when the client goes, as it should: else the server would go on with what nobody waits for. */
  async function pass(request: IncomingMessage, body: Buffer, client?: ServerResponse): Promise<IncomingMessage> {
    const upstream = ask({hostname, port, agent, method: request.method, path: request.url, headers: request.headers})
    if (client?.destroyed) upstream.destroy()
    client?.once('close', () => upstream.destroy())
    upstream.end(body)
    const [response] = (await once(upstream, 'response')) as [IncomingMessage]
    return response
  }
}

function refuse(response: ServerResponse, status: number, message: string, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, {...headers, 'content-type': 'application/json'})
  response.end(JSON.stringify({code: status === 400 ? 'invalid' : 'unavailable', message}))
}

/** As InfluxDB quotes the first line that it cannot parse. */
function blamedLine({headers}: IncomingMessage, body: Buffer): string | undefined {
  const lines = (headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString().split('\n')
  return lines.find((line) => isBlamedAtTimes(Number(/[ ,]number=(\d+)/.exec(line)?.[1]), 'influx'))
}

async function answer(response: ServerResponse, from: IncomingMessage, send = sendWhole): Promise<void> {
  const content = await buffer(from)
  response.writeHead(from.statusCode!, from.headers)
  await send(response, content)
}

async function sendWhole(response: ServerResponse, content: Buffer): Promise<void> {
  response.end(content)
}

const dripWhile = (isDripping: () => boolean) => async (response: ServerResponse, content: Buffer) => {
  response.flushHeaders()
  let sent = 0
  for (; sent < content.length && isDripping(); sent++) {
    response.write(content.subarray(sent, sent + 1))
    await sleep(DRIP_MILLISECONDS)
  }

  response.end(content.subarray(sent))
}
