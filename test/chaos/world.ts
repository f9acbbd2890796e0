import {execFile} from 'node:child_process'
import {mkdtemp} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {promisify} from 'node:util'
import {fileURLToPath} from 'node:url'
import {flux} from '@influxdata/influxdb-client'
import type {InfluxServer} from '../services/influxd.ts'
import type {KafkaServer} from '../services/kafka.ts'
import {fluxRows} from '../integration/flux-rows.ts'
import {connectRecords, type Records} from '../integration/records.ts'
import {freePorts} from '../services/free-ports.ts'
import {inFreshFolder, removeFolder} from '../services/fresh-folder.ts'
import {startInflux} from '../services/influxd.ts'
import {startKafka} from '../services/kafka.ts'
import {type ServerProcess, startServer} from '../services/server-process.ts'
import {DISK_BYTES} from './acts.ts'
import {type FaultProxy, startFaultProxy} from './http-proxy.ts'
import {CONSTRAINT, RETENTION_SECONDS, timeOf} from './messages.ts'
import type {Target} from './plan.ts'
import {startTcpProxy, type TcpProxy} from '../services/tcp-proxy.ts'

/** The servers that all rounds share, each round with a topic, a group and a bucket or table of its own. */
export interface World {
  readonly servers: {readonly kafka: KafkaServer; readonly influx: InfluxServer; readonly clickhouse: ClickHouseServer}
  /** Before each of them. */
  readonly proxies: {readonly kafka: TcpProxy; readonly influx: FaultProxy; readonly clickhouse: FaultProxy}
  readonly kafkaBehindProxy: string
  /** A folder on a disk of its own, so small that an act can fill it. */
  readonly disk: string
  readonly records: Records
  newBucket(name: string): Promise<Bucket>
  /** As ucs makes it, with a constraint. */
  newTable(name: string): Promise<void>
  storedIn(target: Target, name: string): Promise<Stored>
  close(): Promise<void>
}

export interface Bucket {
  write(line: string): Promise<void>
  newToken(): Promise<Token>
}

export interface Token {
  readonly text: string
  revoke(): Promise<void>
}

export interface Stored {
  /** Of InfluxDB. */
  readonly numbers: ReadonlySet<number>
  /** "partition/offset", of ClickHouse. */
  readonly places: ReadonlySet<string>
  readonly duplicates: readonly string[]
}

type ClickHouseServer = ServerProcess & {readonly url: string}

const PROGRAM = fileURLToPath(new URL('../../bin/run.js', import.meta.url))
const run = promisify(execFile)

export async function openWorld(): Promise<World> {
  const disk = await mkdtemp(join(tmpdir(), 'ucs-chaos-disk-'))
  const isMounted = await run('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'ucs-chaos', disk]).then(
    () => true,
    (error: Error) => {
      console.log(`No act will fill a disk, for that needs root: ${error.message.trim()}`)
      return false
    },
  )
  const [behind] = (await freePorts(1)) as [number]
  const kafkaProxy = await startTcpProxy(behind)
  const listener = {name: 'PROXIED', protocol: 'PLAINTEXT', port: behind, advertisedPort: kafkaProxy.port} as const
  const [kafka, influx, clickhouse] = await Promise.all([startKafka({listeners: [listener]}), startInflux(), startClickHouse()])
  const proxies = {kafka: kafkaProxy, influx: await startFaultProxy(influx.url), clickhouse: await startFaultProxy(clickhouse.url)}
  const records = await connectRecords(kafka.address)
  const {orgs} = await askInflux<{orgs: {id: string}[]}>('GET', `/api/v2/orgs?org=${influx.org}`)
  const orgID = orgs[0]!.id

  return {
    servers: {kafka, influx, clickhouse},
    proxies,
    kafkaBehindProxy: `127.0.0.1:${kafkaProxy.port}`,
    disk,
    records,
    async newBucket(name) {
      const retentionRules = [{type: 'expire', everySeconds: RETENTION_SECONDS}]
      const {id} = await askInflux<{id: string}>('POST', '/api/v2/buckets', {orgID, name, retentionRules})
      const permissions = ['read', 'write'].map((action) => ({action, resource: {type: 'buckets', id, orgID}}))
      return {
        async write(line) {
          await request('POST', `/api/v2/write?org=${influx.org}&bucket=${name}`, line)
        },
        async newToken() {
          const made = await askInflux<{id: string; token: string}>('POST', '/api/v2/authorizations', {orgID, permissions})
          return {
            text: made.token,
            async revoke() {
              await request('DELETE', `/api/v2/authorizations/${made.id}`)
            },
          }
        },
      }
    },
    async newTable(name) {
      const flags = ['kafka-to-clickhouse', '--table', name, '--delivery', 'exactly-once', '--print-ddl']
      const {stdout} = await run(process.execPath, [PROGRAM, ...flags])
      await askClickHouse(stdout.replace(/^\)/m, `, CONSTRAINT fit CHECK ${CONSTRAINT})`))
    },
    storedIn: (target, name) => (target === 'influx' ? storedInBucket(name) : storedInTable(name)),
    async close() {
      await records.close().catch(() => {})
      await Promise.all(Object.values(proxies).map((proxy) => proxy.close()))
      await Promise.all([kafka.stop(), influx.stop(), clickhouse.stop()])
      if (isMounted) await run('umount', [disk])
      await removeFolder(disk)
    },
  }

  async function storedInBucket(bucket: string): Promise<Stored> {
    const query = flux`from(bucket: ${bucket}) |> range(start: 1980-01-01T00:00:00Z) |> filter(fn: (r) => r._field == "number")
      |> group() |> keep(columns: ["_time", "_value"])`
    const points = (await fluxRows(influx, query.toString())).map(({_time, _value}) => ({
      at: Date.parse(String(_time)),
      number: Number(_value),
    }))
    return {
      numbers: new Set(points.map(({number}) => number)),
      places: new Set(),
      // There is one point a series and time, so one too many can only be at a wrong time.
      duplicates: points
        .filter(({at, number}) => at !== timeOf(number))
        .map(({at, number}) => `${number} at ${new Date(at).toISOString()}`),
    }
  }

  async function storedInTable(table: string): Promise<Stored> {
    const query = `SELECT concat(toString(_partition), '/', toString(_offset)), count() FROM default.\`${table}\` GROUP BY ALL FORMAT TabSeparated`
    const rows = (await askClickHouse(query)).split('\n').filter((row) => row !== '')
    const counts = rows.map((row) => row.split('\t') as [string, string])
    return {
      numbers: new Set(),
      places: new Set(counts.map(([place]) => place)),
      duplicates: counts.filter(([, count]) => count !== '1').map(([place, count]) => `${count} rows of ${place}`),
    }
  }

  /** Past its proxy. */
  async function askClickHouse(query: string): Promise<string> {
    const answer = await fetch(clickhouse.url, {method: 'POST', body: query})
    if (!answer.ok) throw new Error(`ClickHouse answers ${answer.status}: ${await answer.text()}`)
    return answer.text()
  }

  async function askInflux<T>(method: string, path: string, body?: object): Promise<T> {
    return (await (await request(method, path, body)).json()) as T
  }

  /** To InfluxDB, past its proxy. */
  async function request(method: string, path: string, body?: object | string): Promise<Response> {
    const headers = {authorization: `Token ${influx.token}`, 'content-type': 'application/json'}
    const answer = await fetch(influx.url + path, {method, headers, body: typeof body === 'string' ? body : JSON.stringify(body)})
    if (!answer.ok) throw new Error(`${method} ${path} answers ${answer.status}: ${await answer.text()}`)
    return answer
  }
}

/** The engine behind ClickHouse's interface, as a process that can be killed. */
async function startClickHouse(): Promise<ClickHouseServer> {
  const [port] = (await freePorts(1)) as [number]
  const url = `http://127.0.0.1:${port}`
  return inFreshFolder('clickhouse', async (folder) => {
    const server = await startServer({
      name: 'the ClickHouse engine',
      folder,
      command: process.execPath,
      args: [fileURLToPath(new URL('clickhouse-server.ts', import.meta.url)), join(folder, 'data'), String(port)],
      isReady: async () => (await fetch(`${url}/ping`)).ok,
    })
    return Object.assign(server, {url})
  })
}
