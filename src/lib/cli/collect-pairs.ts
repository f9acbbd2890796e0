import type {Logger} from '../core/types.ts'
import type {CollectQuery} from './collect-queries.ts'
import type {CollectSource} from './collect-sources.ts'
import type {CollectPair} from './collect-state.ts'
import type {CollectValues} from './collect-flags.ts'
import {UsageError} from '../errors.ts'

type NameValues = Pick<CollectValues, 'bucket-map' | 'influx-bucket' | 'source-tag'>

/** What is asked of whom. Warns of what somebody may not have meant. */
export function pairsOf(
  sources: readonly CollectSource[],
  queries: readonly CollectQuery[],
  values: NameValues,
  log: Logger,
): readonly CollectPair[] {
  const targetOf = targets(values, log)
  const pairs = sources.flatMap((source) =>
    source.buckets.flatMap((bucket) => {
      const own = queries.filter((query) => query.asksFor(bucket))
      if (own.length === 0) log.warn('bucket.unasked', {source: source.name, bucket, message: 'no query is for this bucket'})
      return own.map((query) => ({source, query, bucket, target: targetOf(bucket)}))
    }),
  )
  if (pairs.length === 0) throw new UsageError('no query is for any bucket of the sources', {suggestion: 'Check buckets: in the queries'})
  if (values['source-tag'] === undefined) warnOfMerging(pairs, log)
  return pairs
}

function targets(values: NameValues, log: Logger): (bucket: string) => string {
  const map = new Map(values['bucket-map'])
  const warned = new Set<string>()
  return (bucket) => {
    const mapped = map.get(bucket) ?? bucket
    if (mapped !== '') return mapped
    const {'influx-bucket': central} = values
    if (central === undefined) throw new UsageError(`--bucket-map maps ${bucket} to nothing, and there is no INFLUXDB_CENTRAL_BUCKET`)
    if (!warned.has(bucket)) log.warn('bucket.unmapped', {bucket, message: `its points go to ${central}`})
    warned.add(bucket)
    return central
  }
}

/** Copies of points from two servers overwrite each other where their tags are the same. */
function warnOfMerging(pairs: readonly CollectPair[], log: Logger): void {
  const raw = Map.groupBy(
    pairs.filter(({query}) => query.mode === 'raw'),
    ({target}) => target,
  )
  for (const [bucket, own] of raw) {
    const names = [...new Set(own.map(({source}) => source.name))]
    if (names.length < 2) continue
    log.warn('sources.merged', {
      bucket,
      sources: names,
      message: 'points of these with the same tags overwrite each other; --source-tag tells them apart',
    })
  }
}
