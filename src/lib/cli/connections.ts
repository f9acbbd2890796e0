import {createPrivateKey, X509Certificate} from 'node:crypto'
import type {ClickHouse} from '../clients/clickhouse.ts'
import type {HttpClient} from '../clients/http.ts'
import type {BucketsClient} from '../clients/influx-buckets.ts'
import type {InfluxClient} from '../clients/influx.ts'
import type {InfluxQueryClient} from '../clients/influx-query.ts'
import type {KafkaSettings} from '../clients/kafka/connection.ts'
import type {Clock} from '../core/types.ts'
import type {Given} from '../runtime/given.ts'
import type {Values} from './flag.ts'
import type {clickhouseFlags, influxFlags, influxServerFlags, kafkaFlags} from './flags.ts'
import type {UcsError} from '../errors.ts'
import {AuthError, UsageError} from '../errors.ts'
import {readNamedFile} from '../runtime/named-file.ts'
import {strongestOf} from './settings.ts'

/* From the values of flags to clients. Clients are imported here, when a command runs, so that `--help` need not wait for them. */

type Origins = ReadonlyMap<string, Given>
export type InfluxServerValues = Values<typeof influxServerFlags>

export async function kafkaSettings(values: Values<typeof kafkaFlags>, given: Origins): Promise<KafkaSettings> {
  const {parseBrokers} = await import('../clients/kafka/connection.ts')
  const [ca, cert, key] = await Promise.all([
    readPem(values, 'kafka-ca'),
    readPem(values, 'kafka-cert'),
    readPem(values, 'kafka-key', createPrivateKey),
  ])
  if ((cert === undefined) !== (key === undefined)) throw new UsageError('--kafka-cert and --kafka-key belong together')
  const hasTls = values['kafka-tls'] || ca !== undefined || cert !== undefined
  return {
    brokers: parseBrokers(values.broker),
    connectTimeoutMilliseconds: values['connect-timeout'],
    tls: hasTls ? {ca, cert, key} : undefined,
    sasl: await saslOf(values, given),
  }
}

async function saslOf(values: Values<typeof kafkaFlags>, given: Origins): Promise<KafkaSettings['sasl']> {
  const {'kafka-sasl': mechanism, 'kafka-username': username} = values
  const password = await secretOf(given, {plain: 'kafka-password', file: 'kafka-password-file'}, values)
  if (mechanism === undefined) {
    if (username !== undefined || password !== undefined)
      throw new UsageError('--kafka-username and --kafka-password need a mechanism', {suggestion: '--kafka-sasl plain'})
    return undefined
  }

  if (username === undefined || password === undefined) {
    throw new UsageError(`--kafka-sasl needs --kafka-username and --kafka-password (UCS_KAFKA_USERNAME, UCS_KAFKA_PASSWORD)`)
  }

  return {mechanism, username, password}
}

export async function influxClient(values: Values<typeof influxFlags>, token: () => Promise<string>, clock: Clock): Promise<InfluxClient> {
  const [http, {createInfluxClient}] = await Promise.all([influxHttp(values), import('../clients/influx.ts')])
  return createInfluxClient({http, org: values['influx-org'], token, now: () => clock.now()})
}

/** The reading half. */
export async function influxQueryClient(
  values: Values<typeof influxFlags>,
  token: () => Promise<string>,
  clock: Clock,
): Promise<InfluxQueryClient> {
  const {createInfluxQueryClient} = await import('../clients/influx-query.ts')
  const [http, compresses] = await Promise.all([influxHttp(values), shouldCompress(values)])
  return createInfluxQueryClient({http, org: values['influx-org'], token, now: () => clock.now(), compresses})
}

/** The same server, asked about its buckets. */
export async function bucketsClient(
  values: InfluxServerValues,
  token: () => Promise<string>,
  clock: Clock,
  signal: AbortSignal,
): Promise<BucketsClient> {
  const [http, {createBucketsClient}] = await Promise.all([influxHttp(values), import('../clients/influx-buckets.ts')])
  return createBucketsClient({http, token, signal, now: () => clock.now()})
}

async function influxHttp(values: InfluxServerValues): Promise<HttpClient> {
  const {search, username} = values['influx-url']
  if (search !== '' || username !== '')
    throw new UsageError('--influx-url takes no parameters and no user', {suggestion: 'Use --influx-org, --influx-bucket and --token'})
  const {createHttpClient} = await import('../clients/http.ts')
  return createHttpClient({
    baseUrl: values['influx-url'],
    timeoutMilliseconds: values['influx-timeout'],
    ...(await influxTrust(values)),
    remedy: 'Is the server running? Check --influx-url or INFLUX_URL',
    caFlag: '--influx-ca',
  })
}

/** Whose certificates to accept. */
export async function influxTrust(values: InfluxServerValues) {
  return {ca: await readPem(values, 'influx-ca'), skipsVerification: values['influx-skip-verify']}
}

/** To be asked for once a run, or a pipe has none left. */
export async function influxToken(values: InfluxServerValues, given: Origins): Promise<() => Promise<string>> {
  const token = await rereadSecret(given, {plain: 'token', file: 'token-file'}, values)
  if (!token) throw new UsageError('--token is missing', {suggestion: 'Set INFLUX_TOKEN, or name a file with --token-file'})
  return token
}

/** A secret, or a way to read it again: a rotated file takes effect at the next attempt. Undefined where none is given. */
export async function rereadSecret(
  given: Origins,
  names: {plain: string; file: string},
  values: Readonly<Record<string, unknown>>,
): Promise<(() => Promise<string>) | undefined> {
  const source = strongestOf(given, [names.plain, names.file])
  if (source === undefined) return undefined
  const value = values[source] as string
  if (source === names.plain) return async () => Promise.resolve(value)
  return rereadSecretFile(value, `--${names.file}`)
}

/** `flag` is what named the file. */
export async function rereadSecretFile(path: string, flag: string): Promise<() => Promise<string>> {
  let last = await readSecretFile(path, flag)
  return async () => {
    try {
      last = await readSecretFile(path, flag)
    } catch (cause) {
      // A pipe is read once, and a file may just be written anew: whether the last token still serves the server knows.
      if (cause instanceof UsageError) return last
      const {message, suggestion} = cause as UcsError
      throw new AuthError(`the secret of ${flag} cannot be read: ${message}`, {cause, suggestion})
    }

    return last
  }
}

export async function shouldCompress({compression, 'influx-url': url}: Values<typeof influxFlags>): Promise<boolean> {
  const {isLoopback} = await import('../clients/http.ts')
  return compression === 'gzip' || (compression === 'auto' && !isLoopback(url))
}

const clickHouseServer = (given: Origins) => strongestOf(given, ['clickhouse-url', 'clickhouse-host', 'embedded'])

/** To be called before standard input is used, and before the client is opened. */
export async function keepInputFromEngine(input: string, given: Origins): Promise<void> {
  if (clickHouseServer(given) !== 'embedded') return
  const {setStandardInputAside} = await import('../runtime/standard-input.ts')
  setStandardInputAside({isNeeded: input === '-'})
}

export async function clickHouseClient(values: Values<typeof clickhouseFlags>, given: Origins): Promise<ClickHouse> {
  const server = clickHouseServer(given)
  if (server === 'embedded') {
    const {openEmbeddedClickHouse} = await import('../clients/clickhouse-embedded.ts')
    return openEmbeddedClickHouse(values.embedded!)
  }

  const {connectClickHouse} = await import('../clients/clickhouse.ts')
  const password = await secretOf(given, {plain: 'clickhouse-password', file: 'clickhouse-password-file'}, values)
  const url =
    server === 'clickhouse-url'
      ? values['clickhouse-url']!
      : new URL(`http://${hostForUrl(values['clickhouse-host'])}:${values['clickhouse-port']}`)
  return connectClickHouse({url, user: values['clickhouse-user'], password: password ?? '', timeoutMilliseconds: 60_000})
}

const hostForUrl = (host: string) => (host.includes(':') && !host.startsWith('[') ? `[${host}]` : host)

/** A secret that is given as it is or in a file, whichever has the stronger origin. */
async function secretOf(
  given: Origins,
  names: {plain: string; file: string},
  values: Readonly<Record<string, unknown>>,
): Promise<string | undefined> {
  const source = strongestOf(given, [names.plain, names.file])
  if (source === undefined) return undefined
  const value = values[source] as string
  return source === names.plain ? value : readSecretFile(value, `--${names.file}`)
}

async function readSecretFile(path: string, flag: string): Promise<string> {
  const secret = (await readNamedFile(path, flag)).trim()
  if (secret === '') throw new UsageError(`${flag}: ${path} is empty`)
  return secret
}

/** Before anything is started: TLS would only say that it failed. */
export async function readPem<K extends string>(
  values: Readonly<Record<K, unknown>>,
  name: K,
  proves: (pem: string) => unknown = readCertificates,
): Promise<string | undefined> {
  const path = values[name] as string | undefined
  if (path === undefined) return undefined
  const pem = await readNamedFile(path, `--${name}`)
  try {
    proves(pem)
  } catch (cause) {
    const expected = proves === readCertificates ? 'a PEM certificate' : 'a PEM key without a passphrase'
    throw new UsageError(`--${name}: expected ${expected} in ${path}`, {cause})
  }

  return pem
}

function readCertificates(pem: string): void {
  const certificates = pem.match(/-----BEGIN [^-]*CERTIFICATE-----.*?-----END [^-]*CERTIFICATE-----/gs) ?? ['']
  for (const certificate of certificates) new X509Certificate(certificate)
}
