import {randomUUID} from 'node:crypto'
import {onTestFinished} from 'vitest'
import {useInflux} from '../services/use.ts'

/** An organisation of a test's own on the shared server, which may be somebody's: any name of a bucket is free in it. It goes when the test does. */
export interface Org {
  readonly id: string
  readonly name: string
  /** What a command needs to find it. */
  readonly env: Readonly<Record<string, string>>
  /** All but the server's own, by name. */
  buckets(): Promise<readonly StoredBucket[]>
  create(name: string, more?: object): Promise<StoredBucket>
  /** A token with these rights alone: `{action: 'read', resource: {type: 'buckets'}}`. */
  token(...rights: readonly {action: 'read' | 'write'; resource: {type: string; id?: string}}[]): Promise<string>
}

export interface StoredBucket {
  readonly id: string
  readonly name: string
  readonly description?: string
  readonly type: string
  readonly retentionRules: readonly {readonly everySeconds: number; readonly shardGroupDurationSeconds: number}[]
}

export async function newOrg(name = `test ${randomUUID()}`): Promise<Org> {
  const {url, token} = useInflux()
  const {id} = await call<{id: string}>('/api/v2/orgs', {body: {name}})
  const tokens: string[] = []
  onTestFinished(async () => {
    for (const authorization of tokens) await call(`/api/v2/authorizations/${authorization}`, {method: 'DELETE'})
    for (const bucket of await all()) if (bucket.type === 'user') await call(`/api/v2/buckets/${bucket.id}`, {method: 'DELETE'})
    await call(`/api/v2/orgs/${id}`, {method: 'DELETE'})
  })

  return {
    id,
    name,
    env: {INFLUX_URL: url, INFLUX_ORG: name, INFLUX_TOKEN: token},
    buckets: async () => (await all()).filter(({type}) => type === 'user').sort((one, other) => (one.name < other.name ? -1 : 1)),
    create: (bucket, more = {}) => call<StoredBucket>('/api/v2/buckets', {body: {orgID: id, name: bucket, ...more}}),
    async token(...rights) {
      const permissions = rights.map(({action, resource}) => ({action, resource: {...resource, orgID: id}}))
      const made = await call<{id: string; token: string}>('/api/v2/authorizations', {body: {orgID: id, permissions}})
      tokens.push(made.id)
      return made.token
    },
  }

  async function all(): Promise<StoredBucket[]> {
    const found: StoredBucket[] = []
    for (let offset = 0; ; offset += 100) {
      const {buckets} = await call<{buckets: StoredBucket[]}>(`/api/v2/buckets?orgID=${id}&limit=100&offset=${offset}`)
      found.push(...buckets)
      if (buckets.length < 100) return found
    }
  }

  async function call<T>(path: string, {body, method = body ? 'POST' : 'GET'}: {body?: object; method?: string} = {}): Promise<T> {
    const headers = {authorization: `Token ${token}`, 'content-type': 'application/json'}
    const answer = await fetch(url + path, {method, headers, ...(body ? {body: JSON.stringify(body)} : {})})
    if (!answer.ok) throw new Error(`${method} ${path} answers ${answer.status}: ${await answer.text()}`)
    return (answer.status === 204 ? undefined : await answer.json()) as T
  }
}
