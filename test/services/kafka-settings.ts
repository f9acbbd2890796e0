import type {Certificates} from './kafka-certificates.ts'

const LARGEST_MESSAGE_BYTES = 40 * 1024 * 1024

export interface Listener {
  readonly name: string
  readonly protocol: 'PLAINTEXT' | 'SASL_PLAINTEXT' | 'SASL_SSL' | 'SSL'
  readonly port: number
  /** Which clients are told, where something stands before it. */
  readonly advertisedPort?: number
}

export type Settings = Readonly<Record<string, string | number>>

/** One node that is broker and controller. `listeners` begins with the plain one, through which it talks to itself. */
export function brokerSettings(folder: string, controllerPort: number, listeners: readonly Listener[]): Settings {
  const addresses = listeners.map(({name, port}) => `${name}://127.0.0.1:${port}`).join(',')
  const advertised = listeners.map(({name, port, advertisedPort = port}) => `${name}://127.0.0.1:${advertisedPort}`).join(',')
  const protocols = listeners.map(({name, protocol}) => `${name}:${protocol}`).join(',')
  return {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `${addresses},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': advertised,
    'listener.security.protocol.map': `${protocols},CONTROLLER:PLAINTEXT`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': listeners[0]!.name,
    'log.dirs': folder,
    'auto.create.topics.enable': 'true',
    'message.max.bytes': LARGEST_MESSAGE_BYTES,
    'replica.fetch.max.bytes': LARGEST_MESSAGE_BYTES,
    ...SINGLE_NODE,
    ...IMPATIENT,
  }
}

/** What it has to be told where the first node is the controller. */
export const asSecondBroker = (settings: Settings): Settings => ({
  ...settings,
  'process.roles': 'broker',
  'node.id': 2,
  listeners: settings['advertised.listeners']!,
})

const SINGLE_NODE: Settings = {
  'offsets.topic.replication.factor': 1,
  'offsets.topic.num.partitions': 1,
  'transaction.state.log.replication.factor': 1,
  'transaction.state.log.min.isr': 1,
  'transaction.state.log.num.partitions': 1,
}

/** So that groups form at once, and a killed broker is let in again after two seconds instead of nine. */
const IMPATIENT: Settings = {
  'group.initial.rebalance.delay.ms': 0,
  'broker.session.timeout.ms': 2000,
  'broker.heartbeat.interval.ms': 500,
}

const SCRAM = 'org.apache.kafka.common.security.scram.ScramLoginModule required;'
const PLAIN = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="alice-pw";'

/** What the listeners that are not plain need. */
export function securitySettings(listeners: readonly Listener[], certificates: Certificates): Settings {
  const sasl = listeners.filter(({protocol}) => protocol.startsWith('SASL')).map(({name}) => `listener.name.${name.toLowerCase()}`)
  return {
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': certificates.server,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': certificates.ca,
    'listener.name.mtls.ssl.client.auth': 'required',
    ...Object.fromEntries(
      sasl.flatMap((listener) => [
        [`${listener}.plain.sasl.jaas.config`, PLAIN],
        [`${listener}.scram-sha-256.sasl.jaas.config`, SCRAM],
        [`${listener}.scram-sha-512.sasl.jaas.config`, SCRAM],
      ]),
    ),
  }
}

/** Where SCRAM's users are made: when the folder is formatted. */
export const SCRAM_USERS = ['256', '512'].flatMap((bits) => ['--add-scram', `SCRAM-SHA-${bits}=[name=bob,password=bob-pw]`])

export const propertiesText = (settings: Settings) =>
  Object.entries(settings)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')
