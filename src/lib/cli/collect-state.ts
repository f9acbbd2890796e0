import type {CollectQuery} from './collect-queries.ts'
import type {CollectSource} from './collect-sources.ts'
import type {CollectValues} from './collect-flags.ts'
import {bucketInKey} from './cursors.ts'

/** A query of a bucket of a server, and where its points go. */
export interface CollectPair {
  readonly source: CollectSource
  readonly query: CollectQuery
  readonly bucket: string
  readonly target: string
}

type PlaceValues = Pick<CollectValues, 'influx-url' | 'influx-org'>

/** A query that is written anew goes on where it was. */
export function cursorKey({source, query, bucket, target}: CollectPair, values: PlaceValues): string {
  return `collect ${source.name}/${bucket}/${query.name} at=${source.client.target}/${source.org} to=${bucketInKey(values, target)}`
}
