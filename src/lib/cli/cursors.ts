import type {FileCheckpoint} from '../runtime/checkpoint.ts'
import type {Lock} from '../runtime/lock.ts'
import type {Values} from './flag.ts'
import type {generalFlags, influxServerFlags} from './flags.ts'
import {redactUrls} from '../format/redact.ts'
import {createFileCheckpoint} from '../runtime/checkpoint.ts'
import {acquireLock} from '../runtime/lock.ts'
import {stateFolder} from '../runtime/state.ts'

export const openCheckpoint = (values: Pick<Values<typeof generalFlags>, 'state-dir'>): FileCheckpoint =>
  createFileCheckpoint(stateFolder(values['state-dir'], process.env))

/** A bucket in the key of a cursor. With the path: two servers may stand behind one proxy. */
export const bucketInKey = (values: Pick<Values<typeof influxServerFlags>, 'influx-url' | 'influx-org'>, bucket: string): string =>
  [redactUrls(values['influx-url'].href), values['influx-org'], bucket].join(' ')

/** One run at a time has these cursors. `lock` may say more of what it could not have. Resolves with what lets go of all. */
export async function lockAll(
  checkpoint: FileCheckpoint,
  keys: readonly string[],
  lock: (path: string, index: number) => Promise<Lock> = acquireLock,
): Promise<() => Promise<void>> {
  const locks: Lock[] = []
  const release = async () => {
    await Promise.allSettled(locks.map((held) => held.release()))
  }
  try {
    for (const [index, key] of keys.entries()) locks.push(await lock(checkpoint.lockPath(key), index))
  } catch (error) {
    await release()
    throw error
  }

  return release
}
