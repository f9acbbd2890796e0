import {once} from 'node:events'
import {createServer as createHttpServer, type RequestListener, type Server as HttpServer} from 'node:http'
import {createServer as createHttpsServer, type ServerOptions} from 'node:https'
import {type AddressInfo, createServer, type Server, type Socket} from 'node:net'
import {onTestFinished} from 'vitest'

/** A server of the test's own on 127.0.0.1, gone when the test is. */
export interface TestServer {
  readonly url: string
  readonly port: number
  /** How many connections it has had. */
  connections(): number
}

/** Answers as the listener does. */
export const serveHttp = (listener: RequestListener, host = '127.0.0.1'): Promise<TestServer> =>
  listening(createHttpServer(listener), 'http', host)

export const serveHttps = (options: ServerOptions, listener: RequestListener): Promise<TestServer> =>
  listening(createHttpsServer(options, listener), 'https')

/** Speaks no HTTP but what the test writes: for connections that break, and for answers that are none. */
export const serveSocket = (onConnection: (socket: Socket) => void): Promise<TestServer> =>
  listening(
    createServer((socket) => {
      socket.on('error', () => {}) // that the client hangs up is part of most tests
      onConnection(socket)
    }),
    'http',
  )

/** Takes connections, and says nothing. */
export const serveSilence = (): Promise<TestServer> => serveSocket((socket) => socket.resume())

async function listening(server: Server | HttpServer, scheme: string, host = '127.0.0.1'): Promise<TestServer> {
  const sockets = new Set<Socket>()
  let connections = 0
  server.on('connection', (socket: Socket) => {
    connections++
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(0, host)
  await once(server, 'listening')
  onTestFinished(async () => {
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await closed
  })
  const {port} = server.address() as AddressInfo
  return {url: `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`, port, connections: () => connections}
}
