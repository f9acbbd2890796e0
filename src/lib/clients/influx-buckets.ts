import type {SendOptions, Transport} from '@influxdata/influxdb-client'
import type {Bucket as ApiBucket, RetentionRule} from '@influxdata/influxdb-client-apis'
import type {HttpAnswer, HttpClient} from './http.ts'
import type {Ask} from '../core/types.ts'
import type {InfluxOptions} from './influx.ts'
import {AuthError, NotFoundError, UcsError, UnavailableError} from '../errors.ts'
import {parseRetryAfter} from '../format/retry-after.ts'
import {authorization, CHECK_ADDRESS, CHECK_ORG, CHECK_TOKEN, readAnswer} from './influx.ts'

export interface Bucket {
  readonly id: string
  readonly name: string
  /** The server makes some for itself; nobody else can. */
  readonly isSystem: boolean
  /** Empty where it has none. */
  readonly description: string
  /** 0 is for ever. */
  readonly retentionSeconds: number
  /** How long one shard lasts. Undefined where the server does not say. */
  readonly shardSeconds: number | undefined
}

/** What to make of a bucket; of one that is there, what to change. */
export interface BucketSettings {
  readonly description?: string | undefined
  readonly retention?: {readonly seconds: number; readonly shardSeconds: number | undefined} | undefined
}

/** What became of a change. That a server refuses one bucket says nothing of the others. */
export type BucketAnswer = {readonly id: string} | {readonly refused: string; readonly exists: boolean}

export type Organisation = {readonly org: string} | {readonly orgID: string}

/** The half of InfluxDB 2's API that is about buckets. Calls are safe to repeat: what is there already is said, not made twice. */
export interface BucketsClient {
  readonly target: string
  /** The id of an organisation. Rejects with NotFoundError when there is none of that name or id. Each request that it takes goes through `ask`. */
  organisation(nameOrId: string, ask: Ask): Promise<string>
  /** All that the token may read, in the server's order. Each page goes through `ask`. */
  all(orgId: string, ask: Ask): Promise<readonly Bucket[]>
  /** Undefined when there is none, or the token may not read it. */
  named(whose: Organisation, name: string): Promise<Bucket | undefined>
  /** Undefined when there is none. Rejects with AuthError when the token may not read it. */
  withId(id: string): Promise<Bucket | undefined>
  create(orgId: string, name: string, settings: BucketSettings): Promise<BucketAnswer>
  update(id: string, settings: BucketSettings): Promise<BucketAnswer>
  close(): void
}

export interface BucketsOptions extends Omit<InfluxOptions, 'org'> {
  readonly signal: AbortSignal
}

/** As many as the server gives at most. */
const PAGE_SIZE = 100
/** After as many pages that brought nothing there is nothing more to hope for. */
const MAX_EMPTY_PAGES = 20
const ID = /^[\da-f]{16}$/

/** The paths, parameters and types are those of @influxdata/influxdb-client-apis; what goes over the wire is our own client's affair. */
export async function createBucketsClient(options: BucketsOptions): Promise<BucketsClient> {
  const {http} = options
  const [{InfluxDB}, {BucketsAPI, OrgsAPI}] = await Promise.all([
    import('@influxdata/influxdb-client'),
    import('@influxdata/influxdb-client-apis'),
  ])
  const transport = {request: requestOver(options)} as unknown as Transport // those APIs use nothing else of it
  const influx = new InfluxDB({url: http.target, transport})
  const [buckets, orgs] = [new BucketsAPI(influx), new OrgsAPI(influx)]

  return {
    target: http.target,
    close: () => http.close(),
    organisation,
    all: async (orgID, ask) => (await Array.fromAsync(everyBucket({orgID}, ask))).map(toBucket),
    async named(whose, name) {
      const found = await orUndefined(buckets.getBuckets({...whose, name}))
      return found?.buckets?.map(toBucket)[0]
    },
    async withId(bucketID) {
      const found = await orUndefined(buckets.getBucketsID({bucketID}))
      return found && toBucket(found)
    },
    create: (orgID, name, settings) => answered(buckets.postBuckets({body: {orgID, name, ...toBody(settings)}})),
    async update(bucketID, settings) {
      const answer = await orUndefined(answered(buckets.patchBucketsID({bucketID, body: toBody(settings)})))
      return answer ?? {refused: 'it was deleted meanwhile', exists: false}
    },
  }

  async function organisation(nameOrId: string, ask: Ask): Promise<string> {
    if (ID.test(nameOrId) && (await ask(() => isOrganisation(nameOrId)))) return nameOrId
    const {orgs: [named] = []} = await ask(() => orgs.getOrgs({org: nameOrId}))
    if (named?.id !== undefined) return named.id
    // A token that may read a bucket and no organisation finds none, but the bucket says whose it is.
    for await (const {orgID} of everyBucket({org: nameOrId}, ask)) if (orgID !== undefined) return orgID
    throw new AuthError(`the token may not read the organisation "${nameOrId}" of ${http.target}`, {
      suggestion: 'Give the token the permission to read it, or name the organisation by its id',
    })
  }

  /** So is one that the token may not read: what is asked of it next tells whether that is true. */
  async function isOrganisation(orgID: string): Promise<boolean> {
    try {
      return (await orUndefined(orgs.getOrgsID({orgID}))) !== undefined
    } catch (error) {
      if (error instanceof MissingPermission) return true
      throw error
    }
  }

  /**
   * The server takes from a page what the token may not read, so that a page may be short, or empty, with others behind it.
   * Only to a token that may read all buckets of an organisation does it show its own ones; then the first page that is short is the last.
   */
  async function* everyBucket(whose: Organisation, ask: Ask): AsyncGenerator<ApiBucket> {
    const seen = new Set<string>()
    let [seesAll, emptyPages] = [false, 0]
    for (let offset = 0; emptyPages <= MAX_EMPTY_PAGES; offset += PAGE_SIZE) {
      const {buckets: page = []} = await ask(() => buckets.getBuckets({...whose, limit: PAGE_SIZE, offset}))
      const fresh = page.filter(({id}) => !seen.has(id!)) // others come and go meanwhile, which moves the pages
      for (const bucket of fresh) {
        seen.add(bucket.id!)
        seesAll ||= bucket.type === 'system'
        yield bucket
      }

      if (seesAll && page.length < PAGE_SIZE) return
      emptyPages = fresh.length > 0 ? 0 : emptyPages + 1
    }
  }
}

const toBucket = ({id, name, type, description, retentionRules: [rule]}: ApiBucket): Bucket => ({
  id: id!,
  name,
  isSystem: type === 'system',
  description: description ?? '',
  retentionSeconds: rule?.everySeconds ?? 0,
  shardSeconds: rule?.shardGroupDurationSeconds || undefined,
})

const toBody = ({description, retention}: BucketSettings) => ({
  ...(description === undefined ? {} : {description}),
  ...(retention === undefined ? {} : {retentionRules: [toRule(retention)]}),
})

const toRule = ({seconds, shardSeconds}: NonNullable<BucketSettings['retention']>): RetentionRule => ({
  type: 'expire',
  everySeconds: seconds,
  ...(shardSeconds === undefined ? {} : {shardGroupDurationSeconds: shardSeconds}),
})

function requestOver({http, token, now, signal}: BucketsOptions): Transport['request'] {
  return async (path, body: unknown, {method}: SendOptions): Promise<unknown> => {
    const answer = await http.send({
      method: method as 'GET' | 'POST' | 'PATCH',
      path,
      headers: {Authorization: authorization(await token()), ...(body ? {'Content-Type': 'application/json'} : {})},
      ...(body ? {body: Buffer.from(JSON.stringify(body))} : {}),
      signal,
    })
    if (answer.status >= 300) throw refusalOf(answer, http, now)
    try {
      return JSON.parse(answer.text)
    } catch (cause) {
      throw new UnavailableError(`${http.target} answered something that is no JSON`, {cause, permanent: true, suggestion: CHECK_ADDRESS})
    }
  }
}

/** The server has understood the request and will never do it. */
class Refusal extends UcsError {
  readonly exists: boolean

  constructor(message: string, exists: boolean) {
    super(message)
    this.exists = exists
  }
}

/** The token is a good one, but not for this. */
class MissingPermission extends AuthError {}

function refusalOf({status, headers, text}: HttpAnswer, {target}: HttpClient, now: () => number): UcsError {
  const {code, message, isInfluxDb} = readAnswer(text)
  const said = `${target} answered ${status}${message ? `: ${message}` : ''}`
  const [, permission] = /^((?:read|write):\S+) is unauthorized/.exec(message) ?? []
  if (permission) return new MissingPermission(said, {suggestion: `Give the token in --token or INFLUX_TOKEN the permission ${permission}`})
  if (status === 401 || status === 403) return new AuthError(said, {suggestion: CHECK_TOKEN})
  if (status === 404 && isInfluxDb) return new NotFoundError(said, {suggestion: CHECK_ORG})
  if ([400, 413, 422].includes(status) && isInfluxDb) return new Refusal(message, code === 'conflict')
  const retryAfterMilliseconds = parseRetryAfter(headers['retry-after'], now())
  if (status === 429 || status >= 500) return new UnavailableError(said, {retryAfterMilliseconds, divisible: status === 500})
  return new UnavailableError(said, {permanent: true, suggestion: CHECK_ADDRESS})
}

async function orUndefined<T>(request: Promise<T>): Promise<T | undefined> {
  return request.catch((error: unknown) => {
    if (error instanceof NotFoundError) return undefined
    throw error
  })
}

async function answered(request: Promise<ApiBucket>): Promise<BucketAnswer> {
  try {
    return {id: (await request).id!}
  } catch (error) {
    if (error instanceof Refusal) return {refused: error.message, exists: error.exists}
    throw error
  }
}
