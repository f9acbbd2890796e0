import {mkdtemp} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {flux} from '@influxdata/influxdb-client'
import type {InfluxServer} from '../services/influxd.ts'
import type {KafkaServer} from '../services/kafka.ts'
import {fluxRows} from '../integration/flux-rows.ts'
import {connectRecords, type Records} from '../integration/records.ts'
import {type Facade, startFacade} from '../services/clickhouse-facade.ts'
import {removeFolder} from '../services/fresh-folder.ts'
import {startInflux} from '../services/influxd.ts'
import {startKafka} from '../services/kafka.ts'
import {type FaultProxy, startFaultProxy} from './fault-proxy.ts'

/** The servers that all rounds share, each round with a topic, a group and a bucket or table of its own. */
export interface World {
  readonly kafka: KafkaServer
  readonly influx: InfluxServer
  readonly facade: Facade
  /** Before each of them. */
  readonly proxies: {readonly influx: FaultProxy; readonly clickhouse: FaultProxy}
  readonly records: Records
  newBucket(name: string): Promise<{newToken(): Promise<{token: string; revoke(): Promise<void>}>}>
  writeLine(bucket: string, line: string): Promise<void>
  /** One number for each point that is stored. */
  numbersIn(bucket: string): Promise<readonly number[]>
  close(): Promise<void>
}

export async function openWorld(): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'ucs-chaos-'))
  const [kafka, influx] = await Promise.all([startKafka(), startInflux()])
  const facade = await startFacade({folder})
  const proxies = {influx: await startFaultProxy(influx.url), clickhouse: await startFaultProxy(facade.url)}
  const records = await connectRecords(kafka.address)
  const {orgs} = await ask<{orgs: {id: string}[]}>('GET', `/api/v2/orgs?org=${influx.org}`)
  const orgID = orgs[0]!.id

  return {
    kafka,
    influx,
    facade,
    proxies,
    records,
    async newBucket(name) {
      const {id} = await ask<{id: string}>('POST', '/api/v2/buckets', {orgID, name, retentionRules: []})
      return {
        async newToken() {
          const permissions = ['read', 'write'].map((action) => ({action, resource: {type: 'buckets', id, orgID}}))
          const made = await ask<{id: string; token: string}>('POST', '/api/v2/authorizations', {orgID, permissions})
          const revoke = async () => {
            await request('DELETE', `/api/v2/authorizations/${made.id}`)
          }
          return {token: made.token, revoke}
        },
      }
    },
    async writeLine(bucket, line) {
      await request('POST', `/api/v2/write?org=${influx.org}&bucket=${bucket}`, line)
    },
    async numbersIn(bucket) {
      const numbers = flux`from(bucket: ${bucket}) |> range(start: 2000-01-01T00:00:00Z) |> filter(fn: (r) => r._field == "number")`
      return (await fluxRows(influx, flux`${numbers} |> keep(columns: ["_value"])`.toString())).map(({_value}) => Number(_value))
    },
    async close() {
      await records.close().catch(() => {})
      await Promise.all([proxies.influx.close(), proxies.clickhouse.close()])
      await facade.close()
      await Promise.all([kafka.stop(), influx.stop(), removeFolder(folder)])
    },
  }

  async function ask<T>(method: string, path: string, body?: object): Promise<T> {
    return (await (await request(method, path, body)).json()) as T
  }

  /** Past the proxy, also while the server is being restarted. */
  async function request(method: string, path: string, body?: object | string): Promise<Response> {
    const headers = {authorization: `Token ${influx.token}`, 'content-type': 'application/json'}
    const answer = await fetch(influx.url + path, {method, headers, body: typeof body === 'string' ? body : JSON.stringify(body)})
    if (!answer.ok) throw new Error(`${method} ${path} answers ${answer.status}: ${await answer.text()}`)
    return answer
  }
}
