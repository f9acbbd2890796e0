import {parseLogLevel} from '../runtime/log-level.ts'
import {UsageError} from '../errors.ts'
import {duration, httpUrl, integer, oneOf, size, someDuration, text, toggleFlag, valueFlag} from './flag.ts'

/* One definition for each group of flags, so that a word means the same everywhere. */

export const generalFlags = {
  config: valueFlag(text, {summary: 'read values from a YAML file', group: 'GENERAL', value: 'FILE'}),
  'env-file': valueFlag(text, {
    summary: 'read variables from a file of NAME=value lines, besides ./.env',
    group: 'GENERAL',
    value: 'FILE',
  }),
  'state-dir': valueFlag(text, {
    summary: 'where cursors, resume files and locks are kept; $XDG_STATE_HOME/ucs, else ~/.local/state/ucs',
    group: 'GENERAL',
    value: 'DIR',
  }),
  'log-level': valueFlag(logLevel, {
    summary: 'debug, info, warn or error',
    group: 'GENERAL',
    variables: ['LOG_LEVEL'],
    fallback: 'info',
    value: 'LEVEL',
  }),
  'log-format': valueFlag(oneOf(['pretty', 'json']), {
    summary: 'pretty or json; pretty on a terminal, else json',
    group: 'GENERAL',
    value: 'FORMAT',
  }),
  'log-file': valueFlag(text, {summary: 'write the log to a file as well', group: 'GENERAL', value: 'FILE'}),
  'log-max-size': valueFlag(size, {
    summary: 'rotate the log file at this size',
    group: 'GENERAL',
    fallback: '10MB',
    value: 'SIZE',
  }),
  'log-backups': valueFlag(integer({min: 0}), {
    summary: 'how many rotated log files to keep',
    group: 'GENERAL',
    fallback: '5',
    value: 'N',
  }),
  quiet: toggleFlag({summary: 'say nothing when all went well', group: 'GENERAL'}),
  json: toggleFlag({summary: 'print the result as one JSON object', group: 'GENERAL'}),
} as const

/** How to reach InfluxDB: all that a command needs which asks it about buckets. */
export const influxServerFlags = {
  'influx-url': valueFlag(httpUrl, {
    summary: 'address of the InfluxDB 2 server',
    group: 'INFLUXDB',
    variables: ['INFLUX_URL', 'INFLUX_HOST'],
    fallback: 'http://localhost:8086',
    value: 'URL',
  }),
  'influx-org': valueFlag(text, {
    summary: 'organisation',
    group: 'INFLUXDB',
    variables: ['INFLUX_ORG'],
    fallback: 'ucs',
    value: 'NAME',
  }),
  token: valueFlag(text, {
    summary: 'API token; prefer the variable or --token-file, an argument is visible in ps',
    group: 'INFLUXDB',
    variables: ['INFLUX_TOKEN'],
    isSecret: true,
    value: 'TOKEN',
  }),
  'token-file': valueFlag(text, {
    summary: 'file that holds the token, read again on every attempt',
    group: 'INFLUXDB',
    value: 'FILE',
  }),
  'influx-timeout': valueFlag(someDuration, {
    summary: 'how long to wait for one answer',
    group: 'INFLUXDB',
    fallback: '30s',
    value: 'D',
  }),
  'influx-ca': valueFlag(text, {
    summary: 'PEM file of the certificate authority to trust',
    group: 'INFLUXDB',
    value: 'FILE',
  }),
  'influx-skip-verify': toggleFlag({summary: 'accept any certificate', group: 'INFLUXDB'}),
} as const

export const influxFlags = {
  ...influxServerFlags,
  compression: valueFlag(oneOf(['auto', 'gzip', 'none']), {
    summary: 'auto compresses except on loopback',
    group: 'INFLUXDB',
    fallback: 'auto',
    value: 'HOW',
  }),
} as const

export const influxBucketFlag = (fallback: string) => ({
  'influx-bucket': valueFlag(text, {
    summary: 'bucket',
    group: 'INFLUXDB',
    variables: ['INFLUX_BUCKET'],
    fallback,
    value: 'NAME',
  }),
})

export const kafkaFlags = {
  broker: valueFlag(brokers, {
    summary: 'brokers, comma-separated; --bootstrap means the same',
    group: 'KAFKA',
    variables: ['KAFKA_BROKER'],
    aliases: ['bootstrap'],
    fallback: 'localhost:9092',
    value: 'HOST:PORT',
  }),
  'connect-timeout': valueFlag(someDuration, {
    summary: 'how long one attempt to connect may take',
    group: 'KAFKA',
    fallback: '5s',
    value: 'D',
  }),
  'kafka-tls': toggleFlag({
    summary: 'connect by TLS; implied by --kafka-ca, --kafka-cert and --kafka-key',
    group: 'KAFKA',
  }),
  'kafka-ca': valueFlag(text, {
    summary: 'PEM file of the certificate authority to trust',
    group: 'KAFKA',
    value: 'FILE',
  }),
  'kafka-cert': valueFlag(text, {summary: 'PEM file of the client certificate', group: 'KAFKA', value: 'FILE'}),
  'kafka-key': valueFlag(text, {summary: 'PEM file of the client key', group: 'KAFKA', value: 'FILE'}),
  'kafka-sasl': valueFlag(oneOf(['plain', 'scram-sha-256', 'scram-sha-512']), {
    summary: 'plain, scram-sha-256 or scram-sha-512',
    group: 'KAFKA',
    value: 'MECHANISM',
  }),
  'kafka-username': valueFlag(text, {summary: 'SASL user', group: 'KAFKA', value: 'NAME'}),
  'kafka-password': valueFlag(text, {
    summary: 'SASL password; prefer the variable or --kafka-password-file',
    group: 'KAFKA',
    isSecret: true,
    value: 'PASSWORD',
  }),
  'kafka-password-file': valueFlag(text, {summary: 'file that holds the SASL password', group: 'KAFKA', value: 'FILE'}),
} as const

export const topicFlag = (fallback: string) => ({
  topic: valueFlag(topicName, {summary: 'topic', group: 'KAFKA', variables: ['KAFKA_TOPIC'], fallback, value: 'NAME'}),
})

export const clickhouseFlags = {
  'clickhouse-url': valueFlag(httpUrl, {
    summary: 'address of the ClickHouse server',
    group: 'CLICKHOUSE',
    variables: ['CLICKHOUSE_URL'],
    value: 'URL',
  }),
  'clickhouse-host': valueFlag(text, {
    summary: 'host of the ClickHouse server, where there is no URL',
    group: 'CLICKHOUSE',
    variables: ['CLICKHOUSE_HOST'],
    fallback: 'localhost',
    value: 'HOST',
  }),
  'clickhouse-port': valueFlag(integer({min: 1, max: 65_535}), {
    summary: 'its HTTP port',
    group: 'CLICKHOUSE',
    fallback: '8123',
    value: 'PORT',
  }),
  'clickhouse-user': valueFlag(text, {
    summary: 'user',
    group: 'CLICKHOUSE',
    variables: ['CLICKHOUSE_USER'],
    fallback: 'default',
    value: 'NAME',
  }),
  'clickhouse-password': valueFlag(text, {
    summary: 'password; prefer the variable or --clickhouse-password-file',
    group: 'CLICKHOUSE',
    variables: ['CLICKHOUSE_PASSWORD'],
    isSecret: true,
    value: 'PASSWORD',
  }),
  'clickhouse-password-file': valueFlag(text, {
    summary: 'file that holds the password',
    group: 'CLICKHOUSE',
    value: 'FILE',
  }),
  'clickhouse-database': valueFlag(text, {
    summary: 'database',
    group: 'CLICKHOUSE',
    variables: ['CLICKHOUSE_DB'],
    fallback: 'default',
    value: 'NAME',
  }),
  embedded: valueFlag(text, {
    summary: 'use the embedded engine instead of a server, with its data in this folder',
    group: 'CLICKHOUSE',
    value: 'DIR',
  }),
} as const

export interface BatchDefaults {
  /** Messages. */
  readonly size: number
  readonly bytes?: string
  readonly inFlight?: number
}

export const batchFlags = ({size: count, bytes = '8MB', inFlight = 2}: BatchDefaults) => ({
  'batch-size': valueFlag(integer({min: 1, max: 1_000_000}), {
    summary: 'messages written at once',
    group: 'BATCH',
    variables: ['BATCH_SIZE'],
    fallback: String(count),
    value: 'N',
  }),
  'batch-bytes': valueFlag(size, {summary: 'bytes written at once', group: 'BATCH', fallback: bytes, value: 'SIZE'}),
  'flush-interval': valueFlag(duration, {
    summary: 'how long a message waits for a full batch',
    group: 'BATCH',
    variables: ['FLUSH_INTERVAL_SEC'],
    fallback: '2s',
    value: 'D',
  }),
  'in-flight': valueFlag(integer({min: 1, max: 64}), {
    summary: 'batches on their way at once',
    group: 'BATCH',
    fallback: String(inFlight),
    value: 'N',
  }),
})

export const deadLetterFile = (command: string) => `./dead-letters/${command}.ndjson`

export const retryFlag = {
  'retry-for': valueFlag(duration, {
    summary: 'how long to be patient with a server; an endless run for ever, any other 5m',
    group: 'DELIVERY',
    value: 'D',
  }),
} as const

export const deliveryFlags = (command: string) => ({
  'dead-letter': valueFlag(deadLetter, {
    summary: 'where rejected records go: a file, kafka:TOPIC, or none to stop at the first',
    group: 'DELIVERY',
    fallback: deadLetterFile(command),
    value: 'WHERE',
  }),
  ...retryFlag,
  'shutdown-timeout': valueFlag(duration, {
    summary: 'how long to write what was read after a signal',
    group: 'DELIVERY',
    fallback: '20s',
    value: 'D',
  }),
})

export const typeConflictFlag = {
  'on-type-conflict': valueFlag(oneOf(['reject', 'coerce']), {
    summary: 'a number whose field has another type in the bucket: reject it, or coerce it to that type when nothing is lost',
    group: 'DELIVERY',
    fallback: 'reject',
    value: 'HOW',
  }),
} as const

export const offsetGapFlag = {
  'on-offset-gap': valueFlag(oneOf(['fail', 'earliest']), {
    summary: 'records that are gone before they were read: stop and say so, or go on with what is left and count them',
    group: 'DELIVERY',
    fallback: 'fail',
    value: 'HOW',
  }),
} as const

export const limitFlags = {
  'max-messages': valueFlag(integer({min: 1}), {summary: 'stop after this many messages', group: 'LIMITS', value: 'N'}),
  'max-time': valueFlag(someDuration, {summary: 'stop reading after this long', group: 'LIMITS', value: 'D'}),
  'until-end': toggleFlag({summary: 'stop at the ends that the partitions have at the start', group: 'LIMITS'}),
} as const

export const healthFlags = {
  'health-port': valueFlag(integer({min: 0, max: 65_535}), {
    summary: 'serve /healthz, /readyz, /metrics and /health on this port; 0 is off',
    group: 'HEALTH',
    variables: ['HEALTH_CHECK_PORT'],
    value: 'PORT',
  }),
  'health-host': valueFlag(text, {
    summary: 'address to serve them on',
    group: 'HEALTH',
    fallback: '127.0.0.1',
    value: 'HOST',
  }),
} as const

export const inputFlag = {
  input: valueFlag(inputPlace, {
    summary: 'kafka, - for NDJSON from standard input, or letters:FILE for dead letters',
    fallback: 'kafka',
    value: 'WHERE',
  }),
} as const

export const dryRunFlag = {
  'dry-run': toggleFlag({summary: 'print what would be written, and write nothing'}),
} as const

/** As they were given: `host:port`, with or without the port, several by commas. The client would take anything, and say that it cannot be reached. */
export function brokers(given: string): string {
  const named = given.split(',').filter((part) => part.trim() !== '')
  if (named.length === 0 || !named.every((part) => isBroker(part.trim())))
    throw new UsageError('expected HOST:PORT, several separated by commas; the port is 9092 where none is given')
  return given
}

function isBroker(address: string): boolean {
  const [, port = '9092'] = /^(?:\[[\da-f:.]+(?:%\w+)?\]|[^\s:/@?#[\]]+)(?::(\d{1,5}))?$/i.exec(address) ?? [, '0']
  return Number(port) >= 1 && Number(port) <= 65_535
}

/** Kafka's own rule. A broker would only say that there is no such topic, or that it cannot be reached. */
export function topicName(given: string): string {
  if (!/^[\w.-]{1,249}$/.test(given) || /^\.{1,2}$/.test(given))
    throw new UsageError('expected a topic: up to 249 letters, digits, dots, hyphens and underscores')
  return given
}

function inputPlace(given: string): string {
  if (/^letters:./.test(given)) return given
  if (given === 'kafka' || given === '-') return given
  throw new UsageError('expected kafka, - or letters:FILE')
}

function deadLetter(given: string): string {
  if (given.startsWith('kafka:')) topicName(given.slice('kafka:'.length))
  return given
}

function logLevel(given: string) {
  const level = parseLogLevel(given)
  if (!level) throw new UsageError('expected debug, info, warn or error')
  return level
}
