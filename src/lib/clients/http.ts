import type {IncomingHttpHeaders, IncomingMessage} from 'node:http'
import {Agent as HttpAgent, request as httpRequest} from 'node:http'
import {Agent as HttpsAgent, request as httpsRequest} from 'node:https'
import {addAbortSignal, pipeline, type Readable} from 'node:stream'
import {createGunzip} from 'node:zlib'
import {AnswerTooLongError, UnavailableError} from '../errors.ts'
import {redactUrls} from '../format/redact.ts'
import {certificateMessage, certificateRemedy, isCertificateProblem} from './certificate.ts'

export interface HttpOptions {
  readonly baseUrl: URL
  /** One whole exchange with `send`, from connecting to the last byte; with `open` the wait for the head, and each wait for more of the body. */
  readonly timeoutMilliseconds: number
  /** PEM certificates to trust instead of the system's. */
  readonly ca?: string | undefined
  readonly skipsVerification?: boolean
  /** What to try when no server answers there. */
  readonly remedy: string
  /** The flag that names a CA file, for the suggestion. */
  readonly caFlag: string
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PATCH'
  /** Below the base URL, with its query. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer
  /** How long the text of an answer may be; 16 MB. */
  readonly maxAnswerBytes?: number
  readonly signal: AbortSignal
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** An answer that is read as it comes, and no faster than its reader takes it. */
export interface HttpStream {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /**
   * Out of its gzip, if it came in one. To be read once: to its end, or left before it, which closes the connection. Rejects like `send`.
   * Nothing bounds it as a whole but the request's signal: it may go on for hours, and its reader may rest in between.
   * Only a server that is waited for and sends nothing runs out of time.
   */
  readonly body: AsyncIterable<Buffer>
  /** All of the body, where it can only be a message. */
  text(): Promise<string>
}

/** Kept-alive connections to one server. Wire only: whoever calls it knows what a status means. */
export interface HttpClient {
  /** The server as it may be shown: without user and password. */
  readonly target: string
  /** The answer, read to its end. Rejects with UnavailableError when there is none, and with the signal's reason. */
  send(request: HttpRequest): Promise<HttpAnswer>
  /** The answer as soon as its head is there; the body is the caller's to read. */
  open(request: HttpRequest): Promise<HttpStream>
  close(): void
}

/** A longer answer is no message of a server but a mistake in the address, where nobody expects more. */
const MAX_ANSWER_BYTES = 16_000_000
/** The longest that a timer takes, 24 days: a longer one would fire at once. */
const MAX_TIMER_MILLISECONDS = 2 ** 31 - 1

export function createHttpClient(options: HttpOptions): HttpClient {
  const {baseUrl, timeoutMilliseconds} = options
  const isSecure = baseUrl.protocol === 'https:'
  const tls = {...(options.ca === undefined ? {} : {ca: options.ca}), rejectUnauthorized: !options.skipsVerification}
  const agent = isSecure ? new HttpsAgent({keepAlive: true, ...tls}) : new HttpAgent({keepAlive: true})
  const timerMilliseconds = Math.min(timeoutMilliseconds, MAX_TIMER_MILLISECONDS)
  const target = redactUrls(baseUrl.href).replace(/\/$/, '')
  const basePath = baseUrl.pathname.replace(/\/$/, '')

  return {
    target,
    async send(request) {
      const deadline = AbortSignal.timeout(timerMilliseconds)
      const response = await begin(request, deadline)
      try {
        return {status: response.statusCode ?? 0, headers: response.headers, text: await readText(unzipped(response), request)}
      } catch (cause) {
        throw translate(cause, request, deadline)
      }
    },
    async open(request) {
      const head = new AbortController()
      const deadline = AbortSignal.timeout(timerMilliseconds)
      const giveUp = () => head.abort()
      deadline.addEventListener('abort', giveUp)
      const response = await begin(request, head.signal).finally(() => deadline.removeEventListener('abort', giveUp))
      const body = read(response, request)
      const text = () => readText(body, request).catch((cause: unknown) => Promise.reject(translate(cause, request)))
      return {status: response.statusCode ?? 0, headers: response.headers, body, text}
    },
    close: () => agent.destroy(),
  }

  function begin(request: HttpRequest, deadline: AbortSignal): Promise<IncomingMessage> {
    const {method, path, headers, body} = request
    const signal = AbortSignal.any([request.signal, deadline])
    return new Promise((resolve, reject) => {
      const fail = (cause: unknown) => reject(translate(cause, request, deadline))
      const outgoing = (isSecure ? httpsRequest : httpRequest)({
        agent,
        method,
        protocol: baseUrl.protocol,
        hostname: baseUrl.hostname.replace(/^\[(.*)\]$/, '$1'),
        port: baseUrl.port,
        path: basePath + path,
        headers: {...(body ? {'Content-Length': body.length} : {}), ...headers},
        signal,
      })
      // Without a length, an answer that we cut off would look like one that has ended.
      outgoing.on('response', (response) => resolve(addAbortSignal(signal, response)))
      outgoing.on('error', fail)
      outgoing.end(body)
    })
  }

  async function* read(response: IncomingMessage, request: HttpRequest): AsyncGenerator<Buffer> {
    const {socket} = response
    const giveUp = () => response.destroy(new Error(`nothing came for ${timeoutMilliseconds / 1000} s`))
    socket.on('timeout', giveUp)
    socket.setTimeout(timerMilliseconds)
    try {
      for await (const piece of unzipped(response) as AsyncIterable<Buffer>) {
        socket.setTimeout(0) // what the reader does with it takes as long as it takes
        yield piece
        socket.setTimeout(timerMilliseconds)
      }
    } catch (cause) {
      throw translate(cause, request)
    } finally {
      socket.off('timeout', giveUp)
    }
  }

  function translate(cause: unknown, {method, path, signal}: HttpRequest, deadline?: AbortSignal): unknown {
    if (signal.aborted) return signal.reason
    const what = `${method} ${target}${path.replace(/\?.*/, '')}`
    if (cause instanceof AnswerTooLongError && !cause.message.startsWith(what))
      return new AnswerTooLongError(`${what} failed: ${cause.message}`)
    if (cause instanceof UnavailableError) return cause
    const suggestion = options.remedy
    if (deadline?.aborted) return new UnavailableError(`${what} took longer than ${timeoutMilliseconds / 1000} s`, {cause, suggestion})
    const reason = reasonOf(cause)
    if (!isCertificateProblem(cause as NodeJS.ErrnoException)) return new UnavailableError(`${what} failed: ${reason}`, {cause, suggestion})
    return new UnavailableError(`${what} failed: ${certificateMessage(reason)}`, {
      cause,
      permanent: true,
      suggestion: certificateRemedy(cause as NodeJS.ErrnoException, `Name the certificate authority with ${options.caFlag} FILE`),
    })
  }
}

/** A host with several addresses fails with all of its failures: the first tells enough. */
function reasonOf(error: unknown): string {
  const first = error instanceof AggregateError ? (error.errors[0] as unknown) : error
  const {code, message} = first as NodeJS.ErrnoException
  return message || code || 'unknown error'
}

/** One that is cut off is an error of the stream, also within the gzip. */
const unzipped = (response: IncomingMessage): Readable =>
  response.headers['content-encoding'] === 'gzip' ? pipeline(response, createGunzip(), () => {}) : response

async function readText(body: AsyncIterable<Buffer>, {maxAnswerBytes = MAX_ANSWER_BYTES}: HttpRequest): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > maxAnswerBytes) throw new AnswerTooLongError(`the answer is longer than ${maxAnswerBytes} bytes`)
    chunks.push(chunk)
  }

  return Buffer.concat(chunks).toString()
}

/** Whether a host is this machine, where compressing costs more than it saves. */
export function isLoopback({hostname}: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.[\d.]+$/.test(hostname)
}
