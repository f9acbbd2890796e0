import type {RetryPolicy, Runtime} from '../core/types.ts'
import type {Counted} from '../jobs/verify-collected.ts'
import type {Session} from './base-command.ts'
import type {CollectFlags, CollectValues} from './collect-flags.ts'
import type {CollectPair} from './collect-state.ts'
import {createLimit} from '../core/limit.ts'
import {withRetry} from '../core/retry.ts'
import {PartialError} from '../errors.ts'
import {fluxRequest} from '../format/flux-query.ts'
import {createCollectProgress} from '../jobs/collect-progress.ts'
import {verifyCollected} from '../jobs/verify-collected.ts'
import {fieldReader, relabel} from '../transforms/relabel.ts'
import {openPairs, relabelOptions} from './collect.ts'
import {cursorKey} from './collect-state.ts'
import {openCheckpoint} from './cursors.ts'
import {influxQueryClient, influxToken} from './connections.ts'

/** How one query of one bucket compares. */
export interface VerifiedJob {
  readonly job: string
  /** RFC 3339; null where nothing was collected yet. */
  readonly from: string | null
  readonly to: string | null
  readonly series: number
  readonly points: number
  readonly differences: readonly Counted[]
  /** Why it could not be compared. */
  readonly message: string | null
}

const CHUNK_MILLISECONDS = 3_600_000
const CENTRAL_QUERIES = 2

/** Reads both sides, and writes nothing. */
export async function verify(
  session: Pick<Session<CollectFlags>, 'values' | 'given' | 'collector' | 'variables' | 'log'>,
  windowMilliseconds: number,
  policy: RetryPolicy,
  runtime: Runtime,
): Promise<readonly VerifiedJob[]> {
  const {values, given} = session
  const client = await influxQueryClient(values, await influxToken(values, given), runtime.clock)
  const central = {client, queries: createLimit(CENTRAL_QUERIES)}
  const {pairs, close} = await openPairs(session, runtime.clock)
  try {
    return await Promise.all(pairs.map((pair) => verifyPair(pair)))
  } finally {
    close()
    client.close()
  }

  async function verifyPair(pair: CollectPair): Promise<VerifiedJob> {
    const {source, query, bucket, target} = pair
    const job = `${source.name}/${bucket}/${query.name}`
    const nothing = {job, from: null, to: null, series: 0, points: 0, differences: []}
    const range = await collectedRange(pair, values, windowMilliseconds)
    if (!range) return {...nothing, message: 'nothing was collected yet'}
    const options = relabelOptions(pair, values)
    const part = {
      client: source.client,
      queries: source.queries,
      target,
      range,
      chunkMilliseconds: Math.min(CHUNK_MILLISECONDS, query.maxChunkMilliseconds),
      isLabelledByStart: query.template === undefined && (query.mode === 'raw' || query.timeLabel === 'start'),
      request: (asked: typeof range) => fluxRequest(query, bucket, asked),
      transform: relabel(options),
      fieldOf: fieldReader(options),
    }
    const ends = {from: new Date(range.start).toISOString(), to: new Date(range.stop).toISOString()}
    try {
      const counted = await withRetry({work: () => verifyCollected(part, central, runtime.stop), policy, signal: runtime.stop}, runtime)
      const points = counted.reduce((sum, {source: own}) => sum + own, 0)
      const differences = counted.filter(({source: own, central: stored}) => own !== stored)
      return {job, ...ends, series: counted.length, points, differences, message: null}
    } catch (error) {
      return {...nothing, ...ends, message: (error as Error).message}
    }
  }
}

/** The last of what is collected, in whole windows. */
async function collectedRange(pair: CollectPair, values: CollectValues, milliseconds: number) {
  const {everyMilliseconds: unit} = pair.query
  const saved = await openCheckpoint(values).load(cursorKey(pair, values))
  const progress = createCollectProgress(saved, {unitMilliseconds: unit, overlapMilliseconds: 0})
  const [since, until] = [progress.since(), progress.until()]
  if (since === undefined || until === undefined || since === until) return undefined
  return {start: Math.max(since, Math.floor((until - milliseconds) / unit) * unit), stop: until}
}

/** Throws where the two sides differ, or could not be compared. */
export function refuseDifferences(jobs: readonly VerifiedJob[]): void {
  const count = jobs.reduce((sum, {differences}) => sum + differences.length, 0)
  const unread = jobs.filter(({message}) => message !== null)
  if (count === 0 && unread.length === 0) return
  const parts = [
    ...(count > 0 ? [`${count} fields have other points in the central server`] : []),
    ...(unread.length > 0
      ? [`${unread.length} of ${jobs.length} queries could not be compared, the first of them ${unread[0]!.job}: ${unread[0]!.message}`]
      : []),
  ]
  throw new PartialError(parts.join('; '), {
    suggestion: count > 0 ? 'Points that came late are collected by a longer --overlap or --lag' : undefined,
  })
}
