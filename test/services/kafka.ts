import {execFile} from 'node:child_process'
import {existsSync} from 'node:fs'
import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {promisify} from 'node:util'
import {freePorts} from './free-ports.ts'
import {inFreshFolder} from './fresh-folder.ts'
import {commandOnPath, notInstalled, servicesFolder} from './installed.ts'
import {type Certificates, makeCertificates} from './kafka-certificates.ts'
import {hasBroker} from './kafka-probe.ts'
import {
  asSecondBroker,
  brokerSettings,
  type Listener,
  propertiesText,
  SCRAM_USERS,
  securitySettings,
  type Settings,
} from './kafka-settings.ts'
import {type ServerProcess, startServer} from './server-process.ts'

export interface KafkaAddress {
  /** "host:port", neither encrypted nor authenticated. */
  readonly address: string
}

/** Addresses of the other listeners. alice/alice-pw is PLAIN's user, bob/bob-pw that of SCRAM-SHA-256 and SCRAM-SHA-512. */
export interface SecureKafkaAddress extends Certificates {
  readonly sasl: string
  readonly saslTls: string
  readonly tls: string
  /** Wants the client's certificate. */
  readonly mutualTls: string
}

export type KafkaServer = KafkaAddress & ServerProcess

export interface KafkaOptions {
  /** Over those of kafka-settings.ts. */
  readonly settings?: Settings
  /** Besides the plain one. */
  readonly listeners?: readonly Listener[]
}

/** What goes into java's class path. */
export function findKafka(): string | undefined {
  const libraries = join(servicesFolder(), 'kafka', 'lib')
  return existsSync(libraries) && commandOnPath('java') ? join(libraries, '*') : undefined
}

/** A broker of its own, in three to four seconds. */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaServer> {
  const [controllerPort, port] = (await freePorts(2)) as [number, number]
  return inFreshFolder('kafka', (folder) => {
    const listeners: Listener[] = [{name: 'PLAINTEXT', protocol: 'PLAINTEXT', port}, ...(options.listeners ?? [])]
    const settings = brokerSettings(join(folder, 'log'), controllerPort, listeners)
    return startBroker(folder, addressOf(port), {...settings, ...options.settings})
  })
}

/** Two brokers of one cluster, the first of them its controller. */
export async function startTwoBrokers(): Promise<{
  readonly addresses: readonly [string, string]
  readonly second: KafkaServer
  stop(): Promise<void>
}> {
  const [controllerPort, ...ports] = (await freePorts(3)) as [number, number, number]
  const addresses = ports.map(addressOf) as [string, string]
  const start = (id: 1 | 2) =>
    inFreshFolder('kafka', (folder) => {
      const listener = {name: 'PLAINTEXT', protocol: 'PLAINTEXT', port: ports[id - 1]!} as const
      const settings = brokerSettings(join(folder, 'log'), controllerPort, [listener])
      return startBroker(folder, addresses[id - 1]!, id === 1 ? settings : asSecondBroker(settings))
    })
  const first = await start(1)
  const second = await start(2).catch(async (error: unknown) => {
    await first.stop()
    throw error
  })
  return {
    addresses,
    second,
    async stop() {
      await second.stop() // it takes its leave of the other
      await first.stop()
    },
  }
}

/** The same with listeners for every way to authenticate and encrypt. */
export async function startSecureKafka(options: KafkaOptions = {}): Promise<KafkaServer & SecureKafkaAddress> {
  const [controllerPort, ...ports] = (await freePorts(6)) as [number, ...number[]]
  const [plain, sasl, saslTls, tls, mutualTls] = ports.map(addressOf) as [string, string, string, string, string]
  const listeners = SECURE_LISTENERS.map((listener, index) => ({...listener, port: ports[index]!}))
  return inFreshFolder('kafka', async (folder) => {
    const certificates = await makeCertificates(join(folder, 'tls'))
    const settings = {
      ...brokerSettings(join(folder, 'log'), controllerPort, listeners),
      ...securitySettings(listeners, certificates),
      ...options.settings,
    }
    const server = await startBroker(folder, plain, settings, SCRAM_USERS)
    return Object.assign(server, {sasl, saslTls, tls, mutualTls, ...certificates})
  })
}

const SECURE_LISTENERS: readonly Omit<Listener, 'port'>[] = [
  {name: 'PLAINTEXT', protocol: 'PLAINTEXT'},
  {name: 'SASLP', protocol: 'SASL_PLAINTEXT'},
  {name: 'SASLS', protocol: 'SASL_SSL'},
  {name: 'TLS', protocol: 'SSL'},
  {name: 'MTLS', protocol: 'SSL'},
]

async function startBroker(folder: string, address: string, settings: Settings, users: readonly string[] = []): Promise<KafkaServer> {
  const classPath = findKafka()
  if (!classPath) throw notInstalled('Kafka')
  const file = join(folder, 'server.properties')
  await writeFile(file, propertiesText(settings))
  const java = [...QUICK_JVM, ...archivedClasses(), '-cp', classPath]
  const format = ['kafka.tools.StorageTool', 'format', '--cluster-id', CLUSTER_ID, '--config', file, ...users]
  await promisify(execFile)('java', [...java, ...format])
  const server = await startServer({
    name: 'Kafka',
    folder,
    command: 'java',
    args: [...java, 'kafka.Kafka', file],
    isReady: () => hasBroker(address),
  })
  return Object.assign(server, {address})
}

/** Any 22 characters of base64url. */
const CLUSTER_ID = 'ucs-test-cluster-00001'

/** Made by install.sh. A JVM that cannot use it does without. */
function archivedClasses(): readonly string[] {
  const archive = join(servicesFolder(), 'kafka', 'classes.jsa')
  return existsSync(archive) ? [`-XX:SharedArchiveFile=${archive}`, '-Xlog:cds=off', '-Xlog:cds+dynamic=off'] : []
}

/** It lives for seconds: compiling its code well does not pay. */
const QUICK_JVM = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']

const addressOf = (port: number) => `127.0.0.1:${port}`
