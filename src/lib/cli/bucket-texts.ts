import type {Bucket} from '../clients/influx-buckets.ts'
import type {BucketStep} from '../jobs/bucket-plan.ts'
import type {BucketsOutcome} from '../jobs/create-buckets.ts'
import {PartialError} from '../errors.ts'
import {formatDuration} from '../format/duration.ts'
import {printable} from '../format/printable.ts'
import {describeDifference, describeWanted} from '../jobs/bucket-plan.ts'
import {formatTable} from './table.ts'

/** A bucket in the words of the file, and what only the server knows of it. */
export function bucketRecord({id, name, isSystem, description, retentionSeconds, shardSeconds = 0}: Bucket) {
  const [retention, shardDuration] = [retentionSeconds, shardSeconds].map((seconds) => formatDuration(seconds * 1000)) as [string, string]
  return {id, name, type: isSystem ? 'system' : 'user', description, retention, shardDuration}
}

/** `columns`: how wide the terminal is; nothing is cut off where there is none. */
export async function bucketTable(buckets: readonly Bucket[], columns = Infinity): Promise<string> {
  const rows = buckets.map(bucketRecord).map(({id, name, type, description, retention, shardDuration}) => {
    return [printable(name), retention === '0' ? 'for ever' : retention, shardDuration, type, id, printable(description)]
  })
  const table = await formatTable(['name', 'retention', 'shards', 'type', 'id', 'description'], rows)
  return table.replaceAll(/.+/g, (line) => (line.length > columns ? `${line.slice(0, columns - 1)}…` : line))
}

/** What a run would do, and why. */
export async function planTable(steps: readonly BucketStep[]): Promise<string> {
  const rows = steps.map((step) => {
    return [step.action, printable(step.wanted.name), step.action === 'create' ? describeWanted(step.wanted) : changesOf(step)]
  })
  return formatTable(['action', 'bucket', 'what'], rows)
}

function changesOf({action, differences}: Exclude<BucketStep, {action: 'create'}>): string {
  const changes = differences.map(describeDifference).join(', ')
  return action === 'skip' && changes !== '' ? `${changes} with --update` : changes
}

export function planText(steps: readonly BucketStep[]): string {
  const [create, skip, update] = (['create', 'skip', 'update'] as const).map(
    (action) => steps.filter((step) => step.action === action).length,
  )
  return `would create ${create} skip ${skip} update ${update}`
}

export function outcomeText({created, skipped, updated, failed}: BucketsOutcome): string {
  return [
    `created ${created.length} skipped ${skipped.length}`,
    ...(updated.length > 0 ? [`updated ${updated.length}`] : []),
    ...(failed.length > 0 ? [`failed ${failed.length}`] : []),
  ].join(' ')
}

/** What a person reads on after the counts; the rest is in the log and in the JSON. */
const BUCKETS_TOLD = 5

/** Of buckets that differ and were left alone. Undefined where there are none. */
export function driftText({skipped, drift}: Pick<BucketsOutcome, 'skipped' | 'drift'>): string | undefined {
  const left = Map.groupBy(drift, ({name}) => name)
  const told = skipped.flatMap((name) => {
    const differences = left.get(name)?.map(describeDifference)
    return differences ? [`${printable(name)} (${differences.join(', ')})`] : []
  })
  return told.length > 0 ? `${told.length} differ from the file, which --update changes: ${few(told, ', ')}` : undefined
}

export function failureOf({failed}: BucketsOutcome, all: number): PartialError {
  const told = failed.map(({name, message}) => printable(`${name}: ${message}`))
  return new PartialError(`${failed.length} of ${all} buckets failed: ${few(told, '; ')}`)
}

const few = (texts: readonly string[], separator: string) =>
  [...texts.slice(0, BUCKETS_TOLD), ...(texts.length > BUCKETS_TOLD ? [`and ${texts.length - BUCKETS_TOLD} more`] : [])].join(separator)
