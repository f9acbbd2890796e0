import type {Runtime, Sink} from '../core/types.ts'
import type {Line} from '../format/line-protocol.ts'
import type {Given} from '../runtime/given.ts'
import type {Values} from './flag.ts'
import type {batchFlags, dryRunFlag, influxBucketFlag, influxFlags, typeConflictFlag} from './flags.ts'
import {createLinesSink} from '../sinks/lines.ts'
import {bucketsClient, influxClient, influxToken, shouldCompress} from './connections.ts'

type SinkValues = Values<
  typeof influxFlags & typeof typeConflictFlag & typeof dryRunFlag & ReturnType<typeof influxBucketFlag> & ReturnType<typeof batchFlags>
>

const HOUR_NANOSECONDS = 3_600_000_000_000n

/** Lines to a bucket, or in a dry run to standard output. */
export async function openInfluxSink(
  values: SinkValues,
  given: ReadonlyMap<string, Given>,
  runtime: Pick<Runtime, 'clock' | 'log'>,
): Promise<Sink<Line>> {
  const sinkTo = await openInfluxSinks(values, given, runtime)
  return sinkTo(values['influx-bucket'])
}

/** Sinks to buckets of one server, which share its connections: to close one closes all. */
export async function openInfluxSinks(
  values: Omit<SinkValues, 'influx-bucket'>,
  given: ReadonlyMap<string, Given>,
  {clock, log}: Pick<Runtime, 'clock' | 'log'>,
): Promise<(bucket: string) => Sink<Line>> {
  if (values['dry-run']) {
    return () =>
      createLinesSink<Line>({
        output: process.stdout,
        name: 'standard output',
        toText: (line) => line.bytes.toString().trimEnd(),
        prints: true,
      })
  }

  const {createInfluxSink} = await import('../sinks/influx.ts')
  const token = await influxToken(values, given)
  const [client, compresses] = await Promise.all([influxClient(values, token, clock), shouldCompress(values)])
  const {'in-flight': maxInFlight, 'on-type-conflict': onTypeConflict} = values
  return (bucket) =>
    createInfluxSink({client, bucket, compresses, maxInFlight, onTypeConflict, shardNanoseconds: () => shardNanoseconds(bucket)})

  async function shardNanoseconds(bucket: string): Promise<bigint> {
    const buckets = await bucketsClient(values, token, clock, new AbortController().signal)
    try {
      const found = await buckets.named({org: values['influx-org']}, bucket)
      return BigInt(found?.shardSeconds ?? 3600) * 1_000_000_000n
    } catch (error) {
      log.debug('bucket.unreadable', {message: (error as Error).message})
      return HOUR_NANOSECONDS // the shortest that a bucket can have: more requests, never a wrong verdict
    } finally {
      buckets.close()
    }
  }
}

/** For lines that are the same whenever they come: two batches that hold one need not wait for each other. */
export const withoutKey = ({key: _, ...sink}: Sink<Line>): Sink<Line> => sink
