import {randomUUID} from 'node:crypto'
import {flux} from '@influxdata/influxdb-client'
import {afterAll} from 'vitest'
import {createHttpClient} from '../../src/lib/clients/http.ts'
import {createInfluxClient, type InfluxClient} from '../../src/lib/clients/influx.ts'
import {createInfluxSink, type InfluxSinkOptions} from '../../src/lib/sinks/influx.ts'
import {useInflux} from '../services/use.ts'
import {fluxRows} from './flux-rows.ts'

/** A bucket of a test's own on the shared server. */
export interface Bucket {
  readonly name: string
  /** What is stored at this moment: one row for each value of a field. */
  stored(): Promise<readonly StoredValue[]>
  /** A token that may read the bucket, and nothing else. */
  readOnlyToken(): Promise<string>
}

/** All as text, as the server prints it. */
export type StoredValue = Readonly<Record<'_time' | '_measurement' | '_field' | '_value', string>> & Readonly<Record<string, string>>

export interface BucketOptions {
  /** For ever by default. */
  readonly retentionSeconds?: number
  /** A week by default. */
  readonly shardSeconds?: number
}

const made: string[] = []

/** The server may be somebody's own, and each bucket that stays keeps files open. */
afterAll(async () => {
  await Promise.all(made.map((id) => request(`/api/v2/buckets/${id}`, undefined, 'DELETE')))
})

/** It goes when the test file is done. */
export async function newBucket({retentionSeconds = 0, shardSeconds = 604_800}: BucketOptions = {}): Promise<Bucket> {
  const {org} = useInflux()
  const name = `test-${randomUUID()}`
  const {orgs} = await ask<{orgs: {id: string}[]}>(`/api/v2/orgs?org=${org}`)
  const [{id: orgID}] = orgs as [{id: string}]
  const retentionRules = [{type: 'expire', everySeconds: retentionSeconds, shardGroupDurationSeconds: shardSeconds}]
  const {id} = await ask<{id: string}>('/api/v2/buckets', {orgID, name, retentionRules})
  made.push(id)

  return {
    name,
    stored: () => readAll(name),
    async readOnlyToken() {
      const permissions = [{action: 'read', resource: {type: 'buckets', id, orgID}}]
      return (await ask<{token: string}>('/api/v2/authorizations', {orgID, permissions})).token
    },
  }
}

/** A sink to the shared server. */
export function influxSink(bucket: string, options: Partial<InfluxSinkOptions> & {url?: string; org?: string; token?: string} = {}) {
  const client = influxClient(options)
  return createInfluxSink({
    client,
    bucket,
    compresses: false,
    maxInFlight: 2,
    onTypeConflict: 'reject',
    shardNanoseconds: async () => 604_800_000_000_000n,
    ...options,
  })
}

export function influxClient({url, org, token}: {url?: string; org?: string; token?: string} = {}): InfluxClient {
  const server = useInflux()
  const http = createHttpClient({
    baseUrl: new URL(url ?? server.url),
    timeoutMilliseconds: 10_000,
    remedy: 'Is the server running?',
    caFlag: '--influx-ca',
  })
  return createInfluxClient({http, org: org ?? server.org, token: async () => token ?? server.token, now: () => Date.now()})
}

async function readAll(bucket: string): Promise<readonly StoredValue[]> {
  const all = flux`from(bucket: ${bucket}) |> range(start: 1677-09-22T00:00:00Z, stop: 2262-04-11T00:00:00Z)`
  return (await fluxRows(useInflux(), flux`${all} |> drop(columns: ["_start", "_stop"])`.toString())) as readonly StoredValue[]
}

async function ask<T>(path: string, body?: object): Promise<T> {
  return (await (await request(path, body)).json()) as T
}

async function request(path: string, body?: object, method = body ? 'POST' : 'GET'): Promise<Response> {
  const {url, token} = useInflux()
  const headers = {authorization: `Token ${token}`, 'content-type': 'application/json'}
  const answer = await fetch(url + path, {method, headers, ...(body ? {body: JSON.stringify(body)} : {})})
  if (!answer.ok) throw new Error(`${path} answers ${answer.status}: ${await answer.text()}`)
  return answer
}
