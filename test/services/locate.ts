import {execFile} from 'node:child_process'
import {promisify} from 'node:util'
import {findInfluxd, type InfluxAddress, startInflux} from './influxd.ts'
import {findKafka, type KafkaAddress, startKafka} from './kafka.ts'
import {checkKafka} from './kafka-probe.ts'
import {findPrometheus, type PrometheusAddress, startPrometheus} from './prometheus.ts'

/** What a test file gets to know of a service. */
export interface Addresses {
  readonly kafka: KafkaAddress
  readonly influx: InfluxAddress
  readonly prometheus: PrometheusAddress
  /** The engine is within the test's process, so there is no address: see clickhouse-facade.ts. */
  readonly clickhouse: object
}

export type ServiceName = keyof Addresses

export interface Located<Address> {
  readonly address: Address
  /** Nothing to do for a server that was there before. */
  stop(): Promise<void>
}

type Environment = Readonly<Record<string, string | undefined>>

interface Service<Address> {
  readonly label: string
  /** How to get it. */
  readonly remedy: string
  /** Whether a test could start one of its own. */
  isInstalled(): boolean
  /** Undefined when the environment names none. Rejects when the one that it names is of no use. */
  fromEnvironment(environment: Environment): Promise<Address | undefined>
  /** Rejects when it is not installed. */
  start(): Promise<Located<Address>>
}

export const SERVICES: {readonly [Name in ServiceName]: Service<Addresses[Name]>} = {
  kafka: {
    label: 'Kafka',
    remedy: 'npm run services:install, or UCS_TEST_KAFKA=host:port',
    isInstalled: () => findKafka() !== undefined,
    async fromEnvironment({UCS_TEST_KAFKA: address}) {
      if (!address) return undefined
      await checkKafka(address)
      return {address}
    },
    async start() {
      const {address, stop} = await startKafka()
      return {address: {address}, stop}
    },
  },

  influx: {
    label: 'InfluxDB',
    remedy: 'npm run services:install, or UCS_TEST_INFLUX=url with UCS_TEST_INFLUX_TOKEN and UCS_TEST_INFLUX_ORG',
    isInstalled: () => findInfluxd() !== undefined,
    async fromEnvironment({UCS_TEST_INFLUX: url, UCS_TEST_INFLUX_TOKEN: token, UCS_TEST_INFLUX_ORG: org}) {
      if (!url) return undefined
      if (!token || !org) throw new Error('needs UCS_TEST_INFLUX_TOKEN and UCS_TEST_INFLUX_ORG')
      await checkInflux({url, token, org})
      return {url, token, org}
    },
    async start() {
      const {url, org, token, stop} = await startInflux()
      return {address: {url, org, token}, stop}
    },
  },

  prometheus: {
    label: 'Prometheus',
    remedy: 'npm run services:install, or UCS_TEST_PROMETHEUS=url',
    isInstalled: () => findPrometheus() !== undefined,
    async fromEnvironment({UCS_TEST_PROMETHEUS: url}) {
      if (!url) return undefined
      await answerOf(`${url}/api/v1/status/buildinfo`)
      return {url}
    },
    async start() {
      const {url, stop} = await startPrometheus()
      return {address: {url}, stop}
    },
  },

  clickhouse: {
    label: 'the ClickHouse engine',
    remedy: 'npm install, on Linux with glibc or macOS',
    isInstalled: () => true,
    async fromEnvironment() {
      return undefined
    },
    async start() {
      // In a process of its own: half a gigabyte of engine has no place in this one.
      const loading = promisify(execFile)(process.execPath, ['--eval', LOAD_ENGINE], {cwd: import.meta.dirname})
      await loading.catch(({stderr}: {stderr: string}) => {
        throw new Error(stderr)
      })
      return {address: {}, stop: async () => {}}
    },
  },
}

const LOAD_ENGINE = `import('chdb').catch(({message}) => { process.stderr.write(message.split('\\n', 1)[0]); process.exitCode = 1 })`

/** The first that works: what the environment names, else one that is started here. Rejects with the reasons. */
export async function locate<Name extends ServiceName>(name: Name, environment: Environment): Promise<Located<Addresses[Name]>> {
  const service: Service<Addresses[Name]> = SERVICES[name]
  const refusals: string[] = []
  try {
    const address = await service.fromEnvironment(environment)
    if (address) return {address, stop: async () => {}}
  } catch (error) {
    refusals.push(`the one in the environment: ${messageOf(error)}`)
  }

  try {
    return await service.start()
  } catch (error) {
    throw new Error([...refusals, messageOf(error)].join('; '), {cause: error})
  }
}

/** `ucs` is built for 2.7 or later. */
async function checkInflux({url, token, org}: InfluxAddress): Promise<void> {
  const {version} = (await answerOf(`${url}/health`)) as {version: string}
  const [major, minor] = version.replace(/^v/, '').split('.').map(Number) as [number, number]
  if (major !== 2 || minor < 7) throw new Error(`is InfluxDB ${version}, older than 2.7 or another product`)
  await answerOf(`${url}/api/v2/orgs?org=${encodeURIComponent(org)}`, {authorization: `Token ${token}`})
}

const ANSWER_MILLISECONDS = 3000

async function answerOf(url: string, headers: Readonly<Record<string, string>> = {}): Promise<unknown> {
  const response = await fetch(url, {headers, signal: AbortSignal.timeout(ANSWER_MILLISECONDS)})
  if (!response.ok) throw new Error(`${url} answers ${response.status}`)
  return response.json()
}

/** fetch hides what happened in the cause. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}
