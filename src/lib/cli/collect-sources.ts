import type {Clock} from '../core/types.ts'
import type {CollectServer} from '../jobs/collect-job.ts'
import type {SourceSettings} from '../runtime/collect-source.ts'
import type {Session} from './base-command.ts'
import type {CollectFlags, CollectValues} from './collect-flags.ts'
import {createLimit} from '../core/limit.ts'
import {UcsError, UsageError} from '../errors.ts'
import {SOURCE_VARIABLE, sourcesOfVariables} from '../runtime/collect-source.ts'
import {rereadSecretFile} from './connections.ts'
import {httpUrl} from './flag.ts'

type ConnectionValues = Pick<CollectValues, 'query-timeout' | 'query-concurrency'>

export interface CollectSource extends CollectServer {
  readonly host: string
  readonly org: string
  readonly buckets: readonly string[]
}

/** Servers of the config file, or of the variables SERVER_<X>_URL and so on. */
export function sourceSettings({
  collector,
  variables,
  log,
}: Pick<Session<CollectFlags>, 'collector' | 'variables' | 'log'>): readonly SourceSettings[] {
  const named = variables(SOURCE_VARIABLE)
  const inFile = collector?.sources
  if (inFile && named.size > 0)
    log.info('config.ignored', {message: `${[...named.keys()][0]} and its like: the config file names the sources`})
  const sources = inFile ?? sourcesOfVariables(named)
  if (sources.length > 0) return sources
  throw new UsageError('there is no server to collect from', {
    suggestion: 'Set SERVER_A_URL, SERVER_A_TOKEN, SERVER_A_ORG and SERVER_A_BUCKET, or name a collect.yaml with --config',
  })
}

export async function openSource(settings: SourceSettings, values: ConnectionValues, clock: Clock): Promise<CollectSource> {
  const {name, host, url, org, token, tokenFile, buckets} = settings
  const [{createHttpClient, isLoopback}, {createInfluxQueryClient}] = await Promise.all([
    import('../clients/http.ts'),
    import('../clients/influx-query.ts'),
  ])
  const baseUrl = addressOf(settings)
  const secret = token ? async () => token.text : await rereadSecretFile(tokenFile!.text, tokenFile!.origin)
  const http = createHttpClient({
    baseUrl,
    timeoutMilliseconds: values['query-timeout'],
    remedy: `Is the server running? Check ${url.origin}`,
    caFlag: 'NODE_EXTRA_CA_CERTS',
  })
  const client = createInfluxQueryClient({
    http,
    org: org.text,
    token: secret,
    now: () => clock.now(),
    compresses: !isLoopback(baseUrl),
    names: {url: url.origin, token: (token ?? tokenFile)!.origin, org: org.origin},
  })
  return {name, host, org: org.text, buckets, client, queries: createLimit(values['query-concurrency'])}
}

function addressOf({url}: SourceSettings): URL {
  try {
    return httpUrl(url.text)
  } catch (error) {
    if (error instanceof UcsError) throw new UsageError(`${url.origin}: ${error.message}`, {cause: error})
    throw error
  }
}
