import type {PrometheusQuery} from '../format/prometheus-sample.ts'
import type {FileCheckpoint} from '../runtime/checkpoint.ts'
import type {Lock} from '../runtime/lock.ts'
import type {PrometheusServer} from '../sources/query-job.ts'
import type {PrometheusValues} from './prometheus.ts'
import {queryLabel} from '../format/prometheus-sample.ts'
import {createFileCheckpoint} from '../runtime/checkpoint.ts'
import {acquireLock} from '../runtime/lock.ts'
import {stateFolder} from '../runtime/state.ts'

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

  const checkpoint = createFileCheckpoint(stateFolder(values['state-dir'], process.env))
  const target = `${values['influx-url'].origin}/${values['influx-org']}/${values['influx-bucket']}`
  const keyOf = ({server, query}: (typeof pairs)[number]) =>
    `prom-to-influx ${queryLabel(query)} query=${JSON.stringify([query.name ?? null, query.expression])} at=${server.client.target} to=${target}${past?.key ?? ''}`
  const keys = pairs.map(keyOf)
  const locks: Lock[] = []
  const release = async () => {
    await Promise.allSettled(locks.map((lock) => lock.release()))
  }
  try {
    for (const key of keys) locks.push(await acquireLock(checkpoint.lockPath(key)))
  } catch (error) {
    await release()
    throw error
  }

  return {
    cursors: pairs.map((pair, index) => ({...pair, cursor: {checkpoint, key: keys[index]!}})),
    async forget() {
      await Promise.all(keys.map((key) => checkpoint.forget(key)))
    },
    release,
  }
}
