import type {Kafka, KafkaConfig, RetryOptions, SASLOptions} from 'kafkajs'
import type {Logger} from '../../core/types.ts'
import {UsageError} from '../../errors.ts'
import {registerCodecs} from './codecs.ts'
import {patchKafkaJs} from './patches.ts'

/** How to reach a cluster. */
export interface KafkaSettings {
  readonly brokers: readonly string[]
  readonly connectTimeoutMilliseconds: number
  readonly tls: KafkaTls | undefined
  readonly sasl: KafkaSasl | undefined
}

/** PEM texts. */
export interface KafkaTls {
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
}

export interface KafkaSasl {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
  readonly username: string
  readonly password: string
}

let loaded: Promise<typeof import('kafkajs')> | undefined

/** kafkajs, mended, on first use: importing it takes longer than a whole `ucs --version`. */
export function loadKafkaJs(): Promise<typeof import('kafkajs')> {
  loaded ??= (async () => {
    patchKafkaJs()
    const {default: kafkajs} = await import('kafkajs')
    registerCodecs(kafkajs.CompressionCodecs, kafkajs.KafkaJSNotImplemented)
    return kafkajs
  })()
  return loaded
}

export type Patience = 'one attempt' | 'few attempts' | 'reconnecting'

/**
 * A client that tries each broker once, for a start that should fail soon; one that bridges a change of leader and leaves the
 * rest to whoever calls it; or one that keeps reconnecting.
 */
export async function createKafka(settings: KafkaSettings, patience: Patience, log: Logger): Promise<Kafka> {
  const {Kafka, logLevel} = await loadKafkaJs()
  const config: KafkaConfig = {
    clientId: 'ucs',
    brokers: [...settings.brokers],
    connectionTimeout: settings.connectTimeoutMilliseconds,
    authenticationTimeout: settings.connectTimeoutMilliseconds,
    ...(patience === 'one attempt' ? {requestTimeout: settings.connectTimeoutMilliseconds} : {}),
    retry: retryOptions(settings, patience),
    logLevel: logLevel.INFO,
    // Its errors are normal events ("the group is rebalancing"): what matters reaches us as events and rejections.
    logCreator:
      () =>
      ({namespace, log: {message, timestamp: _, logger: __, stack: ___, ...fields}}) =>
        log.debug('kafkajs', {namespace, message, ...fields}),
  }
  if (settings.tls) config.ssl = definedOnly({ca: settings.tls.ca, cert: settings.tls.cert, key: settings.tls.key})
  if (settings.sasl) config.sasl = {...settings.sasl} as SASLOptions
  return new Kafka(config)
}

function retryOptions({brokers}: KafkaSettings, patience: Patience): RetryOptions {
  if (patience === 'one attempt') return {retries: brokers.length - 1, initialRetryTime: 20, maxRetryTime: 100}
  if (patience === 'few attempts') return {retries: brokers.length + 1, initialRetryTime: 100, maxRetryTime: 500}
  return {retries: 8, initialRetryTime: 300, maxRetryTime: 5000}
}

/** `host:port` texts, the port 9092 where none is given. */
export function parseBrokers(text: string): readonly string[] {
  const brokers = text.split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]))
  if (brokers.length === 0) throw new UsageError('no broker is named', {suggestion: '--broker host:9092'})
  return brokers.map((broker) => (/:\d+$/.test(broker) ? broker : `${broker}:9092`))
}

const definedOnly = (values: Record<string, string | undefined>) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
