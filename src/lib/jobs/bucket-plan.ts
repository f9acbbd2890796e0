import type {Bucket, BucketSettings} from '../clients/influx-buckets.ts'
import type {WantedBucket} from '../runtime/bucket-file.ts'
import {formatDuration} from '../format/duration.ts'
import {printable} from '../format/printable.ts'

/** What is to be done about one bucket. */
export type BucketStep =
  | {readonly action: 'create'; readonly wanted: WantedBucket}
  | {
      readonly action: 'update' | 'skip'
      readonly wanted: WantedBucket
      readonly bucket: Bucket
      readonly differences: readonly Difference[]
    }

/** Between what a bucket is and what it should be, in the words of the file: `retention` from "30d" to "0". */
export interface Difference {
  readonly setting: 'description' | 'retention' | 'shardDuration'
  readonly from: string
  readonly to: string
}

type State = Pick<Bucket, 'description' | 'retentionSeconds' | 'shardSeconds'>

const HOUR_SECONDS = 3600
const DAY_SECONDS = 24 * HOUR_SECONDS

/** `updates`: whether a bucket that differs is changed. */
export function planBucket(wanted: WantedBucket, bucket: Bucket | undefined, updates: boolean): BucketStep {
  if (!bucket) return {action: 'create', wanted}
  const differences = differencesOf(wanted, bucket)
  return {action: updates && differences.length > 0 ? 'update' : 'skip', wanted, bucket, differences}
}

export function differencesOf(wanted: WantedBucket, bucket: Bucket): readonly Difference[] {
  const [from, to] = [bucket, stateOf(wanted, bucket)].map(inWords) as [Words, Words]
  const settings = ['description', 'retention', 'shardDuration'] as const
  return settings.flatMap((setting) => (from[setting] === to[setting] ? [] : [{setting, from: from[setting], to: to[setting]}]))
}

/** For people: `retention for ever → 30d`. */
export function describeDifference({setting, from, to}: Difference): string {
  return `${setting} ${shown(setting, from)} → ${shown(setting, to)}`
}

/** What a new bucket will have, as far as the file says it. */
export function describeWanted({description, retentionSeconds, shardSeconds}: WantedBucket): string {
  const said = {
    retention: formatDuration(retentionSeconds * 1000),
    ...(shardSeconds === undefined ? {} : {shardDuration: formatDuration(shardSeconds * 1000)}),
    ...(description ? {description} : {}),
  }
  return Object.entries(said)
    .map(([setting, value]) => `${setting} ${shown(setting, value)}`)
    .join(', ')
}

function shown(setting: string, value: string): string {
  if (setting === 'description') return printable(JSON.stringify(value))
  return setting === 'retention' && value === '0' ? 'for ever' : value
}

export function settingsToCreate({description, retentionSeconds, shardSeconds}: WantedBucket): BucketSettings {
  return {description, retention: {seconds: retentionSeconds, shardSeconds}}
}

/** Nothing but what differs. Of retention and shards the server wants both when one of them changes. */
export function settingsToUpdate(wanted: WantedBucket, bucket: Bucket): BucketSettings {
  const {description, retentionSeconds, shardSeconds} = stateOf(wanted, bucket)
  const isKept = retentionSeconds === bucket.retentionSeconds && shardSeconds === bucket.shardSeconds
  return {
    description: description === bucket.description ? undefined : description,
    retention: isKept ? undefined : {seconds: retentionSeconds, shardSeconds},
  }
}

/** What the bucket would be: of what the file leaves open, what it is. */
function stateOf({description, retentionSeconds, shardSeconds}: WantedBucket, bucket: Bucket): State {
  return {
    description: description ?? bucket.description,
    retentionSeconds,
    shardSeconds: shardSeconds ?? fittingShard(retentionSeconds, bucket.shardSeconds),
  }
}

/** The server makes a shard fit only in a new bucket; here it refuses one that is longer than the data is kept. */
function fittingShard(retentionSeconds: number, shardSeconds: number | undefined): number | undefined {
  if (shardSeconds === undefined || retentionSeconds === 0 || shardSeconds <= retentionSeconds) return shardSeconds
  return retentionSeconds < 2 * DAY_SECONDS ? HOUR_SECONDS : DAY_SECONDS // as the server chooses; longer ones would have fitted
}

type Words = Readonly<Record<Difference['setting'], string>>

const inWords = ({description, retentionSeconds, shardSeconds = 0}: State): Words => ({
  description,
  retention: formatDuration(retentionSeconds * 1000),
  shardDuration: formatDuration(shardSeconds * 1000),
})
