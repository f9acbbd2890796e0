import type {CollectQuery} from './collect-queries.ts'
import type {CollectSource} from './collect-sources.ts'
import type {FileCheckpoint} from '../runtime/checkpoint.ts'
import type {Lock} from '../runtime/lock.ts'
import type {CollectValues} from './collect-flags.ts'
import {createFileCheckpoint} from '../runtime/checkpoint.ts'
import {acquireLock} from '../runtime/lock.ts'
import {stateFolder} from '../runtime/state.ts'

/** A query of a bucket of a server, and where its points go. */
export interface CollectPair {
  readonly source: CollectSource
  readonly query: CollectQuery
  readonly bucket: string
  readonly target: string
}

type PlaceValues = Pick<CollectValues, 'influx-url' | 'influx-org' | 'state-dir'>

export const openCheckpoint = (values: PlaceValues): FileCheckpoint => createFileCheckpoint(stateFolder(values['state-dir'], process.env))

/** A query that is written anew goes on where it was. */
export function cursorKey({source, query, bucket, target}: CollectPair, values: PlaceValues): string {
  const central = `${values['influx-url'].origin}/${values['influx-org']}/${target}`
  return `collect ${source.name}/${bucket}/${query.name} at=${source.client.target}/${source.org} to=${central}`
}

/** One run at a time has these cursors. */
export async function lockAll(checkpoint: FileCheckpoint, keys: readonly string[]): Promise<() => Promise<void>> {
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

  return release
}
