import type {HttpStream} from './http.ts'
import type {InfluxOptions} from './influx.ts'
import {AuthError, NotFoundError, UnavailableError} from '../errors.ts'
import {AnnotatedCsvError, type FluxRows, readAnnotatedCsv} from '../format/annotated-csv.ts'
import {parseRetryAfter} from '../format/retry-after.ts'
import {authorization, CHECK_ADDRESS, CHECK_ORG, CHECK_TOKEN, readAnswer} from './influx.ts'

export interface InfluxQueryOptions extends InfluxOptions {
  /** Asks for a compressed answer: over a network a gain, on this machine a loss. */
  readonly compresses: boolean
  /** What to check when something about it is wrong, where that is not what the flags for InfluxDB say. */
  readonly names?: {readonly url: string; readonly token: string; readonly org: string}
}

export interface InfluxQuery {
  /** Made with `flux` of @influxdata/influxdb-client wherever a value is put into it. */
  readonly flux: string
  /** What `now()` and relative times in it mean, in milliseconds since the epoch; else the server's own time. */
  readonly now?: number | undefined
  readonly signal: AbortSignal
}

/** The reading half of InfluxDB 2's API. */
export interface InfluxQueryClient {
  readonly target: string
  /**
   * The answer, read as fast as it is taken: the server waits for a slow reader. Ends only after the whole answer, else throws.
   * To leave it early closes the connection, which ends the query on the server. Each iteration asks the server anew.
   * How long it takes has no limit but the signal; a server that sends nothing while more is awaited is given up.
   */
  query(query: InfluxQuery): AsyncIterable<FluxRows>
  close(): void
}

export function createInfluxQueryClient({http, org, token, now, compresses, names}: InfluxQueryOptions): InfluxQueryClient {
  const {target} = http
  const checkToken = names ? `Check ${names.token}` : CHECK_TOKEN
  const checkOrg = names ? `Check ${names.org}` : CHECK_ORG
  const checkAddress = names ? `Is ${names.url} the address of an InfluxDB 2 server?` : CHECK_ADDRESS
  return {
    target,
    close: () => http.close(),
    async *query({flux, now: moment, signal}) {
      const answer = await http.open({
        method: 'POST',
        path: `/api/v2/query?${new URLSearchParams({org}).toString()}`,
        headers: {
          Authorization: authorization(await token(), checkToken),
          'Content-Type': 'application/json',
          Accept: 'application/csv',
          'Accept-Encoding': compresses ? 'gzip' : 'identity',
        },
        body: Buffer.from(
          JSON.stringify({
            query: flux,
            type: 'flux',
            dialect: DIALECT,
            now: moment === undefined ? undefined : new Date(moment).toISOString(),
          }),
        ),
        signal,
      })
      if (answer.status !== 200) throw await refusalOf(answer)
      try {
        yield* readAnnotatedCsv(answer.body)
      } catch (error) {
        throw error instanceof AnnotatedCsvError ? translate(error) : error
      }
    },
  }

  async function refusalOf({status, headers, text}: HttpStream): Promise<Error> {
    const {message, isInfluxDb} = readAnswer(await text())
    const said = `${target} answered ${status}${message ? `: ${message}` : ''}`
    if (status === 401) return new AuthError(said, {suggestion: checkToken})
    if (status === 403)
      return new AuthError(said, {suggestion: `Give the token in ${names?.token ?? '--token or INFLUX_TOKEN'} the permission to read`})
    if (status === 400 && /organization name .* not found/.test(message)) return new NotFoundError(said, {suggestion: checkOrg})
    if (status === 400 && isInfluxDb) return new UnavailableError(said, {permanent: true, suggestion: CHECK_FLUX})
    if (status === 404 && isInfluxDb) {
      return new NotFoundError(said, {suggestion: 'Check the name of the bucket, and that the token may read it'})
    }

    if (status === 429 || status >= 500) {
      return new UnavailableError(said, {retryAfterMilliseconds: parseRetryAfter(headers['retry-after'], now())})
    }

    return new UnavailableError(said, {permanent: true, suggestion: checkAddress})
  }

  function translate(cause: AnnotatedCsvError): UnavailableError {
    const {problem, message} = cause
    if (problem === 'truncated') return new UnavailableError(`the answer of ${target} is cut off: ${message}`, {cause})
    if (problem === 'not UTF-8') {
      const said = `the answer of ${target} cannot be read, because it holds a text that is not UTF-8: ${message}`
      return new UnavailableError(said, {cause, permanent: true, suggestion: 'Leave that series out of the query'})
    }

    if (problem === 'malformed') {
      const said = `the answer of ${target} is no annotated CSV: ${message}`
      return new UnavailableError(said, {cause, permanent: true, suggestion: checkAddress})
    }

    // The same failure has status 400 when no row is on its way yet, which is chance where a query has several results: it is the same error.
    return new UnavailableError(`${target} broke the query off: ${message}`, {cause, permanent: true, suggestion: CHECK_FLUX})
  }
}

const CHECK_FLUX = 'Check the Flux query'
/** All that a value needs to be understood. */
const DIALECT = {header: true, annotations: ['datatype', 'group', 'default']}
