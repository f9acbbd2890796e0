import type {BucketAnswer, BucketsClient} from '../clients/influx-buckets.ts'
import type {Ask, Logger} from '../core/types.ts'
import type {WantedBucket} from '../runtime/bucket-file.ts'
import type {BucketStep, Difference} from './bucket-plan.ts'
import {AuthError, UnavailableError} from '../errors.ts'
import {describeDifference, differencesOf, planBucket, settingsToCreate, settingsToUpdate} from './bucket-plan.ts'

export interface CreateBuckets {
  readonly client: BucketsClient
  readonly orgId: string
  readonly wanted: readonly WantedBucket[]
  /** Whether a bucket that is there and differs is changed. */
  readonly updates: boolean
  readonly ask: Ask
  readonly log: Logger
}

/** Names, in the order of the file. */
export interface BucketsOutcome {
  readonly created: string[]
  /** They were there already. */
  readonly skipped: string[]
  readonly updated: string[]
  readonly failed: {readonly name: string; readonly message: string}[]
  /** How those that were there differed from the file: of the updated ones until now, of the skipped ones still. */
  readonly drift: ({readonly name: string} & Difference)[]
}

/** So often a server error is taken for one that passes; then it is about this bucket. */
const ATTEMPTS_AT_A_BUCKET = 3

/** Looks at what is there, and changes nothing. */
export async function planBuckets({client, orgId, wanted, updates, ask}: Omit<CreateBuckets, 'log'>): Promise<readonly BucketStep[]> {
  const present = new Map((await client.all(orgId, ask)).map((bucket) => [bucket.name, bucket]))
  return wanted.map((one) => planBucket(one, present.get(one.name), updates))
}

/**
 * One bucket after the other, each looked at again when it is done. What others do at the same time is no error: a bucket that somebody
 * else has made by now was there already. `outcome` is filled as it goes on. Rejects with what ends the run for all of them.
 */
export async function carryOut(steps: readonly BucketStep[], options: CreateBuckets, outcome: BucketsOutcome): Promise<void> {
  const {client, orgId, updates, ask, log} = options
  for (const step of steps) await perform(step)

  async function perform(step: BucketStep): Promise<void> {
    const {name} = step.wanted
    if (step.action === 'create') return create(step.wanted)
    outcome.drift.push(...step.differences.map((difference) => ({name, ...difference})))
    if (step.action === 'update') return update(step)
    outcome.skipped.push(name)
    log.debug('bucket.skipped', {bucket: name})
  }

  async function create(wanted: WantedBucket): Promise<void> {
    const {name} = wanted
    const answer = await answerTo(() => client.create(orgId, name, settingsToCreate(wanted)))
    if ('refused' in answer) return answer.exists ? takeOther(wanted) : fail(name, answer.refused)
    const fault = await faultIn(answer.id, wanted)
    if (fault !== undefined) return fail(name, fault)
    outcome.created.push(name)
    log.info('bucket.created', {bucket: name})
  }

  async function update({wanted, bucket, differences}: Exclude<BucketStep, {action: 'create'}>): Promise<void> {
    const {name, retentionSeconds} = wanted
    const answer = await answerTo(() => client.update(bucket.id, settingsToUpdate(wanted, bucket)))
    if ('refused' in answer) return fail(name, answer.refused)
    const fault = await faultIn(answer.id, wanted)
    if (fault !== undefined) return fail(name, fault)
    outcome.updated.push(name)
    log.info('bucket.updated', {bucket: name, changes: differences.map(describeDifference)})
    if (retentionSeconds < (bucket.retentionSeconds || Infinity) && retentionSeconds > 0)
      log.warn('bucket.shortened', {bucket: name, message: 'from now on the server deletes what is older than the new retention'})
  }

  /** Somebody was quicker than we; or it was we, and the answer did not come. */
  async function takeOther(wanted: WantedBucket): Promise<void> {
    const bucket = await ask(() => client.named({orgID: orgId}, wanted.name))
    if (bucket) return perform(planBucket(wanted, bucket, updates))
    if (updates) return fail(wanted.name, 'it is there, and the token may not read it: nobody knows whether it differs')
    outcome.skipped.push(wanted.name)
  }

  function answerTo(request: () => Promise<BucketAnswer>): Promise<BucketAnswer> {
    let attempts = 0
    return ask(async () => {
      try {
        return await request()
      } catch (error) {
        const isItsOwn = error instanceof UnavailableError && error.divisible && ++attempts === ATTEMPTS_AT_A_BUCKET
        if (isItsOwn) return {refused: error.message, exists: false}
        throw error
      }
    })
  }

  /** Servers have been seen to say that a bucket is made, and to have none. Undefined: it is there as it should be, or we may not look. */
  async function faultIn(id: string, wanted: WantedBucket): Promise<string | undefined> {
    try {
      const bucket = await ask(() => client.withId(id))
      if (!bucket) return 'the server said that it is done, and has no such bucket'
      const left = differencesOf(wanted, bucket).map(describeDifference)
      return left.length > 0 ? `the server said that it is done, and the bucket still differs: ${left.join(', ')}` : undefined
    } catch (error) {
      if (error instanceof AuthError) return undefined
      throw error
    }
  }

  function fail(name: string, message: string): void {
    outcome.failed.push({name, message})
    log.warn('bucket.failed', {bucket: name, message})
  }
}
