import type {PrometheusQuery} from '../format/prometheus-sample.ts'
import type {FileCheckpoint} from '../runtime/checkpoint.ts'
import type {Lock} from '../runtime/lock.ts'
import type {PrometheusServer} from '../sources/query-job.ts'
import type {PrometheusValues} from './prometheus.ts'
import {createHash} from 'node:crypto'
import {IoError, LockedError} from '../errors.ts'
import {queryLabel} from '../format/prometheus-sample.ts'
import {acquireLock} from '../runtime/lock.ts'
import {bucketInKey, lockAll, openCheckpoint} from './cursors.ts'

interface State {
  readonly cursors: readonly {
    readonly server: PrometheusServer
    readonly query: PrometheusQuery
    readonly cursor: {readonly checkpoint: FileCheckpoint; readonly key: string} | undefined
  }[]
  forget(): Promise<void>
  release(): Promise<void>
}

/** Each query at each server has a cursor, which one run at a time may use. */
export async function openState(
  values: PrometheusValues,
  servers: readonly PrometheusServer[],
  queries: readonly PrometheusQuery[],
  past: {readonly key: string} | undefined,
): Promise<State> {
  const pairs = servers.flatMap((server) => queries.map((query) => ({server, query})))
  const remembers = !values['dry-run'] && (past !== undefined || values['catch-up'])
  if (!remembers) return {cursors: pairs.map((pair) => ({...pair, cursor: undefined})), async forget() {}, async release() {}}

  const checkpoint = openCheckpoint(values)
  const target = bucketInKey(values, values['influx-bucket'])
  const headers = values['prometheus-header'] // such as the tenant: another has other data
  const audience = headers.length === 0 ? '' : ` headers=${createHash('sha256').update(JSON.stringify(headers)).digest('hex').slice(0, 12)}`
  const keyOf = ({server, query}: (typeof pairs)[number]) =>
    `prom-to-influx ${queryLabel(query)} query=${JSON.stringify([query.name ?? null, query.expression])} at=${server.name ?? ''}=${server.client.target}${audience} to=${target}${past?.key ?? ''}`
  const keys = pairs.map(keyOf)
  const release = await lockAll(checkpoint, keys, (path, index) => lockQuery(path, queryLabel(pairs[index]!.query)))

  return {
    cursors: pairs.map((pair, index) => ({...pair, cursor: {checkpoint, key: keys[index]!}})),
    async forget() {
      await Promise.all(keys.map((key) => checkpoint.forget(key)))
    },
    release,
  }
}

async function lockQuery(path: string, label: string): Promise<Lock> {
  return acquireLock(path).catch((error: unknown) => {
    if (error instanceof LockedError)
      throw new LockedError(`another run has the query ${label} for this bucket: ${error.message}`, {
        cause: error,
        suggestion: 'Wait for it to end, or leave the cursor to it with --no-catch-up',
      })
    if (error instanceof IoError)
      throw new IoError(error.message, {cause: error, suggestion: 'Name a folder that this user may write to with --state-dir'})
    throw error
  })
}
