import type {Clock} from '../core/types.ts'
import type {Given} from '../runtime/given.ts'
import type {PrometheusServer} from '../sources/query-job.ts'
import type {Values} from './flag.ts'
import type {prometheusFlags} from './prometheus-flags.ts'
import {AuthError, UsageError} from '../errors.ts'
import {readPem, rereadSecret} from './connections.ts'

type Origins = ReadonlyMap<string, Given>

export interface PrometheusConnection {
  readonly queryTimeoutMilliseconds: number
  readonly clock: Clock
}

/** Everything about how to reach Prometheus is the same for all of its servers, but a user in the address of one is its own. */
export async function prometheusClients(
  values: Values<typeof prometheusFlags>,
  given: Origins,
  {queryTimeoutMilliseconds, clock}: PrometheusConnection,
): Promise<readonly PrometheusServer[]> {
  const [{createHttpClient, isLoopback}, {createPrometheusClient}, authorization, ca] = await Promise.all([
    import('../clients/http.ts'),
    import('../clients/prometheus.ts'),
    prometheusAuthorization(values, given),
    readPem(values, 'prometheus-ca'),
  ])
  const addresses = values['prometheus-url']
  const names = addresses.map(({name, url}) => name ?? (addresses.length > 1 ? url.host : undefined))
  if (new Set(names).size < names.length)
    throw new UsageError('--prometheus-url: two servers have the same name', {suggestion: '--prometheus-url NAME=URL'})
  return addresses.map(({url}, index) => ({
    name: names[index],
    client: createPrometheusClient({
      http: createHttpClient({
        baseUrl: url,
        timeoutMilliseconds: queryTimeoutMilliseconds,
        ca,
        skipsVerification: values['prometheus-skip-verify'],
        remedy: 'Is the server running? Check --prometheus-url or PROMETHEUS_URL',
        caFlag: '--prometheus-ca',
      }),
      headers: async () => ({...Object.fromEntries(values['prometheus-header']), ...(await authorization(url))}),
      timeoutMilliseconds: queryTimeoutMilliseconds,
      compresses: !isLoopback(url),
      now: () => clock.now(),
    }),
  }))
}

async function prometheusAuthorization(
  values: Values<typeof prometheusFlags>,
  given: Origins,
): Promise<(url: URL) => Promise<Record<string, string>>> {
  const [token, password] = await Promise.all([
    rereadSecret(given, {plain: 'prometheus-token', file: 'prometheus-token-file'}, values),
    rereadSecret(given, {plain: 'prometheus-password', file: 'prometheus-password-file'}, values),
  ])
  const user = values['prometheus-user']
  if (token && password) throw new UsageError('--prometheus-token and --prometheus-password exclude each other')
  if ((user === undefined) !== (password === undefined)) throw new UsageError('--prometheus-user and --prometheus-password belong together')
  return async ({username, password: secret}) => {
    if (username !== '') return {Authorization: basic(decodeURIComponent(username), decodeURIComponent(secret))}
    if (token) return {Authorization: headerText(`Bearer ${await token()}`)}
    return password ? {Authorization: basic(user!, await password())} : {}
  }
}

const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

/** Node takes a header for a mistake of the program when it holds, say, the typographic quotes of a document. */
function headerText(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text)) return text
  throw new AuthError('the bearer token holds a character that no token has', {
    suggestion: 'Check --prometheus-token or --prometheus-token-file',
  })
}
