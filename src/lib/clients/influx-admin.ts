/** Where a bucket is, and who asks. */
export interface BucketQuery {
  readonly url: URL
  readonly org: string
  readonly token: string
  readonly bucket: string
  readonly timeoutMilliseconds: number
  /** PEM certificates to trust instead of the system's. */
  readonly ca: string | undefined
  readonly skipsVerification: boolean
}

export interface BucketFacts {
  readonly name: string
  /** How long one shard of it lasts. */
  readonly shardSeconds: number | undefined
}

/** Undefined when there is no such bucket, or the token may not read it. */
export async function findBucket({
  url,
  org,
  token,
  bucket,
  timeoutMilliseconds,
  ca,
  skipsVerification,
}: BucketQuery): Promise<BucketFacts | undefined> {
  const [{HttpError, InfluxDB}, {BucketsAPI}] = await Promise.all([
    import('@influxdata/influxdb-client'),
    import('@influxdata/influxdb-client-apis'),
  ])
  const transportOptions = {rejectUnauthorized: !skipsVerification, ...(ca === undefined ? {} : {ca})}
  const buckets = new BucketsAPI(new InfluxDB({url: url.href, token, timeout: timeoutMilliseconds, transportOptions}))
  const found = await buckets.getBuckets({org, name: bucket}).catch((error: unknown) => {
    if (error instanceof HttpError && error.statusCode === 404) return undefined
    throw error
  })
  const [first] = found?.buckets ?? []
  return first && {name: first.name, shardSeconds: first.retentionRules[0]?.shardGroupDurationSeconds}
}
