import {randomUUID} from 'node:crypto'
import {once} from 'node:events'
import {createServer, type IncomingMessage, type ServerResponse} from 'node:http'
import type {AddressInfo} from 'node:net'
import {buffer} from 'node:stream/consumers'
import {promisify} from 'node:util'
import {gunzip} from 'node:zlib'
import type {Session} from 'chdb'
import {openEngine} from './clickhouse-engine.ts'
import {ClickHouseException, exceptionOf, statusOf} from './clickhouse-exception.ts'

export interface FacadeOptions {
  /** Of the data. A process can have one open, hence one facade a test file: vitest gives each file a process. */
  readonly folder: string
  /** Of 127.0.0.1; any that is free when there is none. */
  readonly port?: number
  /** "default", as on a server. */
  readonly user?: string
  /** Empty, as on a server. */
  readonly password?: string
  readonly hook?: FacadeHook
}

export interface FacadeExchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly parameters: URLSearchParams
  /** Unpacked. */
  readonly body: Buffer
  /** Does what is asked without answering: an insert that is stored, and whose answer is lost. */
  perform(): Promise<Buffer>
}

/** To inject faults, before every request. True: it has answered, cut the connection, or leaves the client waiting. */
export type FacadeHook = (exchange: FacadeExchange) => Promise<boolean>

export interface Facade {
  readonly url: string
  /** Of the engine behind it. */
  readonly session: Session
  close(): Promise<void>
}

/** ClickHouse's HTTP interface, as far as @clickhouse/client needs it, over the engine within this process. */
export async function startFacade(options: FacadeOptions): Promise<Facade> {
  const engine = await openEngine(options.folder)
  const underway = new Set<Promise<void>>()
  const server = createServer((request, response) => {
    const work = answer(request, response).catch(() => {
      response.destroy()
    })
    underway.add(work)
    void work.finally(() => underway.delete(work))
  })
  server.listen(options.port ?? 0, '127.0.0.1')
  await once(server, 'listening')

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    session: engine.session,
    async close() {
      server.close()
      await Promise.all(underway)
      server.closeAllConnections()
      await engine.close()
    },
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const {pathname, searchParams: parameters} = new URL(request.url!, 'http://facade')
    response.setHeader('X-ClickHouse-Query-Id', parameters.get('query_id') ?? randomUUID())
    try {
      const body = await bodyOf(request)
      const perform = () => engine.perform(parameters, body)
      if (await options.hook?.({request, response, parameters, body, perform})) return
      if (pathname !== '/ping') authenticate(request, options)
      response.end(pathname === '/ping' ? 'Ok.\n' : await perform())
    } catch (error) {
      const exception = exceptionOf(error)
      const {code, type, message} = exception
      response.writeHead(statusOf(exception), {'X-ClickHouse-Exception-Code': code, 'Content-Type': 'text/plain; charset=UTF-8'})
      response.end(`Code: ${code}. DB::Exception: ${message} (${type}) (version ${engine.version} (official build))\n`)
    }
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const body = await buffer(request)
  const encoding = request.headers['content-encoding'] ?? 'identity'
  if (encoding === 'identity') return body
  if (encoding === 'gzip') return promisify(gunzip)(body)
  throw new ClickHouseException(89, 'UNKNOWN_COMPRESSION_METHOD', `Unknown compression method: ${encoding}`)
}

function authenticate(request: IncomingMessage, options: FacadeOptions): void {
  const {authorization = ''} = request.headers
  const basic = /^Basic (.+)$/i.exec(authorization)?.[1]
  const [user = 'default', password = ''] = basic
    ? Buffer.from(basic, 'base64').toString().split(/:(.*)/s)
    : [headerOf(request, 'x-clickhouse-user'), headerOf(request, 'x-clickhouse-key')]
  if (user === (options.user ?? 'default') && password === (options.password ?? '')) return
  const message = `${user}: Authentication failed: password is incorrect, or there is no user with such name.`
  throw new ClickHouseException(516, 'AUTHENTICATION_FAILED', message)
}

const headerOf = (request: IncomingMessage, name: string) => request.headersDistinct[name]?.[0]
