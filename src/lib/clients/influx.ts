import type {HttpAnswer, HttpClient} from './http.ts'
import {AuthError, NotFoundError, PartialWriteError, UnavailableError} from '../errors.ts'
import {parseRetryAfter} from '../format/retry-after.ts'

export interface InfluxOptions {
  readonly http: HttpClient
  readonly org: string
  /** Asked before every request, so that a rotated token file takes effect without a restart. */
  readonly token: () => Promise<string>
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

export interface InfluxWrite {
  readonly bucket: string
  /** Line protocol in nanoseconds; may be empty, which proves the right to write and stores nothing. */
  readonly body: Buffer
  readonly encoding: 'gzip' | 'identity'
  readonly signal: AbortSignal
}

/** The write half of InfluxDB 2's API. A resolved write is stored: the server answers 204 only then. */
export interface InfluxClient {
  readonly target: string
  readonly org: string
  write(write: InfluxWrite): Promise<void>
  close(): void
}

/** The server has read the lines and refused some: which ones, its message tells, if anything does. */
export class InfluxRefusal extends PartialWriteError {
  /** `parse`: nothing was stored. `partial`: the other lines are, or soon will be. */
  readonly kind: 'parse' | 'partial'

  constructor(kind: 'parse' | 'partial', message: string) {
    super(message)
    this.kind = kind
  }
}

export function createInfluxClient({http, org, token, now}: InfluxOptions): InfluxClient {
  return {
    target: http.target,
    org,
    close: () => http.close(),
    async write({bucket, body, encoding, signal}) {
      const answer = await http.send({
        method: 'POST',
        path: `/api/v2/write?${new URLSearchParams({org, bucket, precision: 'ns'}).toString()}`,
        headers: {
          Authorization: authorization(await token()),
          'Content-Type': 'text/plain; charset=utf-8',
          'Content-Encoding': encoding,
        },
        body,
        signal,
      })
      if (answer.status !== 204 && answer.status !== 201) throw refusalOf(answer, bucket)
    },
  }

  function refusalOf({status, headers, text}: HttpAnswer, bucket: string): Error {
    const {message, isInfluxDb} = readAnswer(text)
    const said = `${http.target} answered ${status}${message ? `: ${message}` : ''}`
    const retryAfterMilliseconds = parseRetryAfter(headers['retry-after'], now())
    if (status === 400 && message.includes('unable to parse')) return new InfluxRefusal('parse', message)
    if (status === 422) return new InfluxRefusal('partial', message)
    if (status === 401) return new AuthError(said, {suggestion: CHECK_TOKEN})
    if (status === 403) {
      return new AuthError(said, {
        suggestion: `Give the token in --token or INFLUX_TOKEN the permission to write to bucket "${bucket}"`,
      })
    }

    if (status === 404 && isInfluxDb) return new NotFoundError(said, {suggestion: suggestionFor(message)})
    if (status === 429 || status >= 502) return new UnavailableError(said, {retryAfterMilliseconds})
    if (status === 400 || status === 413 || status >= 500) return new UnavailableError(said, {retryAfterMilliseconds, divisible: true})
    return new UnavailableError(said, {permanent: true, suggestion: CHECK_ADDRESS})
  }
}

export const CHECK_TOKEN = 'Check --token, --token-file or INFLUX_TOKEN'
export const CHECK_ORG = 'Check --influx-org or INFLUX_ORG'
export const CHECK_ADDRESS = 'Is --influx-url the address of an InfluxDB 2 server?'

const suggestionFor = (message: string) =>
  message.startsWith('organization')
    ? CHECK_ORG
    : 'Create it with ucs buckets create, or name another with --influx-bucket or INFLUX_BUCKET'

/** `{"code": …, "message": …}`; anything else comes from something in between, and its first line has to do. */
export function readAnswer(text: string): {code: unknown; message: string; isInfluxDb: boolean} {
  try {
    const {code, message} = JSON.parse(text) as {code?: unknown; message?: unknown}
    if (typeof message === 'string') return {code, message, isInfluxDb: true}
  } catch {}

  return {code: undefined, message: text.startsWith('<') ? '' : (text.split('\n', 1)[0] ?? '').slice(0, 200), isInfluxDb: false}
}

/** Node takes a header for a mistake of the program when it holds, say, the typographic quotes of a document. */
export function authorization(token: string, suggestion = CHECK_TOKEN): string {
  if (/^[\x20-\x7e]*$/.test(token)) return `Token ${token}`
  throw new AuthError('the token holds a character that no token has', {suggestion})
}
