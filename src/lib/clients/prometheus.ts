import type {PrometheusAnswer} from '../format/prometheus-answer.ts'
import type {HttpAnswer, HttpClient} from './http.ts'
import {AnswerTooLongError, AuthError, DataError, UnavailableError, UsageError} from '../errors.ts'
import {parsePrometheusAnswer, parsePrometheusFailure} from '../format/prometheus-answer.ts'
import {parseRetryAfter} from '../format/retry-after.ts'

export interface PrometheusOptions {
  readonly http: HttpClient
  /** Asked before every request, so that a rotated token file takes effect without a restart. */
  readonly headers: () => Promise<Readonly<Record<string, string>>>
  /** How long the server may work on one query. */
  readonly timeoutMilliseconds: number
  /** Asks for compressed answers: over a network a gain, on this machine a loss. */
  readonly compresses: boolean
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Times are milliseconds since the epoch. */
export interface InstantQuery {
  readonly expression: string
  readonly at: number
  /** More series than this are cut off, with a warning, by servers that know how to. */
  readonly limit: number
  readonly signal: AbortSignal
}

export interface RangeQuery {
  readonly expression: string
  /** Both ends are evaluated. */
  readonly from: number
  readonly to: number
  readonly stepMilliseconds: number
  readonly signal: AbortSignal
}

/** The querying half of Prometheus's API, which many servers speak. */
export interface PrometheusClient {
  /** The server as it may be shown. */
  readonly target: string
  /** Rejects with UsageError where the server does not understand the expression. Servers that cannot tell say nothing. */
  checkSyntax(expression: string, signal: AbortSignal): Promise<void>
  query(query: InstantQuery): Promise<PrometheusAnswer>
  queryRange(query: RangeQuery): Promise<PrometheusAnswer>
  close(): void
}

/** A longer answer is refused before it fills the memory; a range can be asked for in smaller parts. */
export const MAX_ANSWER_BYTES = 64_000_000

/** Longer than ours, by which time nobody waits for the answer any more. */
const GRACE_MILLISECONDS = 1000

export function createPrometheusClient(options: PrometheusOptions): PrometheusClient {
  const {http, compresses, now} = options
  const timeout = String((options.timeoutMilliseconds + GRACE_MILLISECONDS) / 1000) // "1.5s" is no duration to the server

  return {
    target: http.target,
    async checkSyntax(expression, signal) {
      const answer = await post('/api/v1/format_query', {query: expression}, signal)
      if (isRefusedExpression(answer) || answer.status === 401 || answer.status === 403) throw failureOf(answer, expression)
    },
    query: ({expression, at, limit, signal}) =>
      ask('/api/v1/query', {query: expression, time: seconds(at), limit: String(limit), timeout}, signal),
    queryRange: ({expression, from, to, stepMilliseconds, signal}) =>
      ask(
        '/api/v1/query_range',
        {query: expression, start: seconds(from), end: seconds(to), step: seconds(stepMilliseconds), timeout},
        signal,
      ),
    close: () => http.close(),
  }

  async function ask(path: string, form: Readonly<Record<string, string>>, signal: AbortSignal): Promise<PrometheusAnswer> {
    const answer = await post(path, form, signal)
    if (answer.status !== 200) throw failureOf(answer, form['query']!)
    try {
      return parsePrometheusAnswer(answer.text)
    } catch (cause) {
      const isCutOff = cause instanceof SyntaxError && answer.text.startsWith('{')
      if (isCutOff) throw new UnavailableError(`${http.target} answered 200 with JSON that breaks off or is malformed`, {cause})
      const problem = cause instanceof SyntaxError ? 'it is no JSON' : (cause as Error).message
      const message = `${http.target} answered 200 with what is no answer of Prometheus: ${problem}`
      throw new UnavailableError(message, {cause, permanent: true, suggestion: CHECK_ADDRESS})
    }
  }

  /** In the body, because expressions may be longer than what an address can hold. */
  async function post(path: string, form: Readonly<Record<string, string>>, signal: AbortSignal): Promise<HttpAnswer> {
    const sent = http.send({
      method: 'POST',
      path,
      headers: {
        ...(await options.headers()),
        'Content-Type': 'application/x-www-form-urlencoded',
        Accept: 'application/json',
        'Accept-Encoding': compresses ? 'gzip' : 'identity',
      },
      body: Buffer.from(new URLSearchParams(form).toString()),
      maxAnswerBytes: MAX_ANSWER_BYTES,
      signal,
    })
    return sent.catch((error: unknown) => {
      if (!(error instanceof AnswerTooLongError)) throw error
      throw new DataError('answer too long', error.message, {cause: error, suggestion: 'Narrow the query, or lower --max-series'})
    })
  }

  function failureOf(answer: HttpAnswer, expression: string): Error {
    const {status, headers, text} = answer
    const failure = parsePrometheusFailure(text)
    const said = failure?.error ?? (text.startsWith('<') ? '' : (text.split('\n', 1)[0] ?? '').slice(0, 200))
    const message = `${http.target} answered ${status}${said ? `: ${said}` : ''}`
    if (isRefusedExpression(answer)) return new UsageError(`${http.target} refuses the query ${expression}: ${said}`)
    if (status === 401)
      return new AuthError(message, {suggestion: 'Check --prometheus-token, or --prometheus-user and --prometheus-password'})
    if (status === 403) return new AuthError(message, {suggestion: 'Allow this user to query, or name another with --prometheus-user'})
    if (status === 422) {
      const whole = `${message} (query ${expression})`
      return isPassing(said) ? new UnavailableError(whole) : new DataError('not executable', whole) // it is the query's fault, not the server's
    }

    if (status === 408 || status === 429 || status >= 500)
      return new UnavailableError(message, {retryAfterMilliseconds: parseRetryAfter(headers['retry-after'], now())})
    return new UnavailableError(message, {permanent: true, suggestion: CHECK_ADDRESS})
  }
}

const CHECK_ADDRESS = 'Is --prometheus-url the address of a Prometheus server?'

const isRefusedExpression = ({status, text}: HttpAnswer) => status === 400 && parsePrometheusFailure(text)?.errorType === 'bad_data'

/** 422 says that a query cannot be executed, for reasons of its own; or that it ran out of time. Series that it names say nothing of that. */
const isPassing = (message: string) => /deadline|timed? ?out|canceled|cancelled|limit|storage/i.test(message.replace(/\{[^}]*\}/g, ''))

/** Exact to the millisecond, which is as fine as the server's times are. */
const seconds = (milliseconds: number) => (milliseconds / 1000).toFixed(3)
