import type {Bucket, BucketsClient} from '../clients/influx-buckets.ts'
import type {Ask} from '../core/types.ts'
import type {Session} from './base-command.ts'
import type {Values} from './flag.ts'
import {bucketsClient, influxToken} from './connections.ts'
import {influxServerFlags, retryFlag} from './flags.ts'
import {runJob} from './job.ts'

/** How every command about buckets finds its server. */
export const bucketsFlags = {...influxServerFlags, ...retryFlag} as const

export interface Buckets {
  readonly client: BucketsClient
  readonly orgId: string
  readonly ask: Ask
}

export type BucketsSession = Pick<Session<typeof bucketsFlags>, 'log' | 'given'> & {readonly values: Values<typeof bucketsFlags>}

/** A job with the buckets of the organisation that the flags name. */
export async function withBuckets<T>({values, given, log}: BucketsSession, work: (buckets: Buckets) => Promise<T>): Promise<T> {
  const token = await influxToken(values, given)
  return runJob({log, retryForMilliseconds: values['retry-for']}, async ({signal, clock, asking}) => {
    const client = await bucketsClient(values, token, clock, signal)
    try {
      const ask = asking(client.target)
      const orgId = await client.organisation(values['influx-org'], ask)
      return await work({client, orgId, ask})
    } finally {
      client.close()
    }
  })
}

/** Those of the organisation, by name. */
export async function listBuckets({client, orgId, ask}: Buckets): Promise<readonly Bucket[]> {
  const all = await client.all(orgId, ask)
  return all.toSorted((one, other) => (one.name < other.name ? -1 : 1))
}
