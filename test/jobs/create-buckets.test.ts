import {describe, expect, it} from 'vitest'
import type {Bucket, BucketAnswer, BucketsClient, BucketSettings} from '../../src/lib/clients/influx-buckets.ts'
import type {Ask} from '../../src/lib/core/types.ts'
import type {WantedBucket} from '../../src/lib/runtime/bucket-file.ts'
import {AuthError, UnavailableError} from '../../src/lib/errors.ts'
import {type BucketsOutcome, carryOut, planBuckets} from '../../src/lib/jobs/create-buckets.ts'
import {rememberingLogger} from '../fakes/logger.ts'

const DAY = 86_400

const named = (name: string, own: Partial<Bucket> = {}): Bucket => ({
  id: `id of ${name}`,
  name,
  isSystem: false,
  description: '',
  retentionSeconds: 0,
  shardSeconds: 7 * DAY,
  ...own,
})
const want = (name: string, own: Partial<WantedBucket> = {}): WantedBucket => ({
  name,
  description: undefined,
  retentionSeconds: 0,
  shardSeconds: undefined,
  ...own,
})

interface Scenario {
  readonly there?: readonly Bucket[]
  readonly updates?: boolean
  /** In the place of the server, where they are given. */
  readonly client?: Partial<BucketsClient>
  /** How often a failure that can pass is waited out. */
  readonly patience?: number
}

/** A server of a few lines, as far as the real one was seen to go: see test/integration/buckets.test.ts for that one. */
async function run(wanted: readonly WantedBucket[], {there = [], updates = false, client = {}, patience = 10}: Scenario = {}) {
  const buckets = new Map(there.map((bucket) => [bucket.id, bucket]))
  const asked: string[] = []
  const change = (bucket: Bucket, {description, retention}: BucketSettings): BucketAnswer => {
    const {seconds = bucket.retentionSeconds, shardSeconds} = retention ?? {}
    const own = {
      description: description ?? bucket.description,
      retentionSeconds: seconds,
      shardSeconds: shardSeconds ?? bucket.shardSeconds,
    }
    buckets.set(bucket.id, {...bucket, ...own})
    return {id: bucket.id}
  }
  const server: BucketsClient = {
    target: 'the server',
    organisation: async () => 'org',
    all: async () => [...buckets.values()],
    named: async (_, name) => [...buckets.values()].find((bucket) => bucket.name === name),
    withId: async (id) => buckets.get(id),
    async create(_, name, settings) {
      asked.push(`create ${name}`)
      return change(named(name), settings)
    },
    async update(id, settings) {
      asked.push(`update ${id}`)
      return change(buckets.get(id)!, settings)
    },
    close() {},
    ...client,
  }
  const ask: Ask = async (request) => {
    for (let left = patience; ; left--) {
      try {
        return await request()
      } catch (error) {
        if (!(error instanceof UnavailableError) || left === 0) throw error
      }
    }
  }
  const {log, events} = rememberingLogger()
  const outcome: BucketsOutcome = {created: [], skipped: [], updated: [], failed: [], drift: []}
  const options = {client: server, orgId: 'org', wanted, updates, ask, log}
  const end = carryOut(await planBuckets(options), options, outcome)
  return {
    outcome,
    events,
    asked,
    buckets,
    error: await end.then(
      () => undefined,
      (error: unknown) => error,
    ),
  }
}

describe('creating buckets', () => {
  it('makes what is missing in the order of the file, and leaves the rest alone', async () => {
    const {outcome, asked} = await run(
      ['c', 'a', 'b'].map((name) => want(name)),
      {there: [named('a')]},
    )
    expect(outcome).toEqual({created: ['c', 'b'], skipped: ['a'], updated: [], failed: [], drift: []})
    expect(asked).toEqual(['create c', 'create b'])
  })

  it('tells how those that it leaves alone differ', async () => {
    const {outcome, asked} = await run([want('a', {retentionSeconds: DAY})], {there: [named('a', {shardSeconds: 3600})]})
    expect(outcome).toMatchObject({skipped: ['a'], drift: [{name: 'a', setting: 'retention', from: '0', to: '1d'}]})
    expect(asked).toEqual([])
  })

  it('changes those that differ where it may, says what, and warns where the server will delete data', async () => {
    const there = [named('a', {description: 'x'}), named('b'), named('c', {retentionSeconds: 2 * DAY, shardSeconds: 3600})]
    const wanted = [want('a', {description: 'y'}), want('b', {retentionSeconds: 14 * DAY}), want('c', {retentionSeconds: 3 * DAY})]
    const {outcome, events, buckets} = await run(wanted, {there, updates: true})
    expect(outcome).toMatchObject({created: [], skipped: [], updated: ['a', 'b', 'c'], failed: []})
    expect([...buckets.values()]).toMatchObject([{description: 'y'}, {retentionSeconds: 14 * DAY}, {retentionSeconds: 3 * DAY}])
    const told = events.map(([level, event, {bucket, changes}]) => [level, event, bucket, changes])
    expect(told).toEqual([
      ['info', 'bucket.updated', 'a', ['description "x" → "y"']],
      ['info', 'bucket.updated', 'b', ['retention for ever → 14d']],
      ['warn', 'bucket.shortened', 'b', undefined],
      ['info', 'bucket.updated', 'c', ['retention 2d → 3d']],
    ])
  })

  it('goes on after a bucket that the server refuses', async () => {
    const refused = {refused: 'key too large', exists: false}
    const client = {create: async (_: string, name: string) => (name === 'b' ? refused : {id: `id of ${name}`})}
    const {outcome, error} = await run(
      ['a', 'b', 'c'].map((name) => want(name)),
      {
        client: {...client, withId: async (id: string) => named(id)},
      },
    )
    expect(error).toBeUndefined()
    expect(outcome).toMatchObject({created: ['a', 'c'], failed: [{name: 'b', message: 'key too large'}]})
  })
})

describe('a bucket that somebody else makes meanwhile', () => {
  const exists = {refused: 'bucket with name a already exists', exists: true}

  it('was there already', async () => {
    const {outcome} = await run([want('a')], {client: {create: async () => exists, named: async () => named('a')}})
    expect(outcome).toMatchObject({created: [], skipped: ['a'], failed: []})
  })

  it('is changed where it differs and that is wanted', async () => {
    const there = named('a', {description: 'theirs'})
    const client = {all: async () => [], create: async () => exists}
    const {outcome} = await run([want('a', {description: 'ours'})], {there: [there], updates: true, client})
    expect(outcome).toMatchObject({updated: ['a'], drift: [{name: 'a', setting: 'description', from: 'theirs', to: 'ours'}]})
  })

  it.each<[updates: boolean, outcome: object]>([
    [false, {skipped: ['a'], failed: []}],
    [true, {skipped: [], failed: [{name: 'a', message: expect.stringContaining('the token may not read it') as string}]}],
  ])('and that the token may not read is left alone, but not taken for up to date (update: %s)', async (updates, outcome) => {
    const found = await run([want('a')], {updates, client: {create: async () => exists, named: async () => undefined}})
    expect(found.outcome).toMatchObject(outcome)
  })

  it('and removes again while it is to be changed has failed', async () => {
    const client = {update: async () => ({refused: 'it was deleted meanwhile', exists: false})}
    const {outcome} = await run([want('a', {retentionSeconds: DAY})], {there: [named('a')], updates: true, client})
    expect(outcome).toMatchObject({updated: [], failed: [{name: 'a', message: 'it was deleted meanwhile'}]})
  })
})

describe('what the server says that it did', () => {
  it('is not believed where there is no such bucket', async () => {
    const {outcome} = await run([want('a'), want('b')], {client: {withId: async (id) => (id === 'id of b' ? named('b') : undefined)}})
    expect(outcome).toMatchObject({
      created: ['b'],
      failed: [{name: 'a', message: 'the server said that it is done, and has no such bucket'}],
    })
  })

  it.each([true, false])('is not believed where the bucket still differs (it was there: %s)', async (wasThere) => {
    const there = wasThere ? [named('a')] : []
    const client = {withId: async () => named('a', {retentionSeconds: 2 * DAY})}
    const {outcome} = await run([want('a', {retentionSeconds: DAY})], {there, updates: true, client})
    expect(outcome).toMatchObject({
      created: [],
      updated: [],
      failed: [{name: 'a', message: expect.stringContaining('still differs: retention 2d → 1d') as string}],
    })
  })

  it('is believed where the token may not look', async () => {
    const withId = async () => Promise.reject(new AuthError('read:buckets is unauthorized'))
    expect((await run([want('a')], {client: {withId}})).outcome).toMatchObject({created: ['a'], failed: []})
  })
})

describe('a server', () => {
  const failing = (times: number, error: Error) => {
    let left = times
    return async (_: string, name: string): Promise<BucketAnswer> => {
      if (name === 'a' && left-- > 0) throw error
      return {id: `id of ${name}`}
    }
  }
  const withId = async (id: string) => named(id)
  const internal = () => new UnavailableError('answered 500', {divisible: true})

  it('that fails twice at a bucket is asked again', async () => {
    const {outcome} = await run([want('a'), want('b')], {client: {create: failing(2, internal()), withId}})
    expect(outcome).toMatchObject({created: ['a', 'b'], failed: []})
  })

  it('that fails at a bucket three times has failed at that one alone', async () => {
    const {outcome, error} = await run([want('a'), want('b')], {client: {create: failing(3, internal()), withId}})
    expect(error).toBeUndefined()
    expect(outcome).toMatchObject({created: ['b'], failed: [{name: 'a', message: 'answered 500'}]})
  })

  it('that cannot be reached is waited for however often', async () => {
    const {outcome} = await run([want('a')], {client: {create: failing(9, new UnavailableError('refused')), withId}})
    expect(outcome).toMatchObject({created: ['a'], failed: []})
  })

  it.each([
    ['cannot be reached any more', new UnavailableError('refused')],
    ['takes the token no longer', new AuthError('unauthorized')],
  ])('that %s ends the run, and what was done is told', async (_, reason) => {
    const client = {create: async (_org: string, name: string) => (name === 'b' ? Promise.reject(reason) : {id: 'x'}), withId}
    const {outcome, error} = await run(
      ['a', 'b', 'c'].map((name) => want(name)),
      {client},
    )
    expect(error).toBe(reason)
    expect(outcome).toMatchObject({created: ['a'], failed: []})
  })
})
