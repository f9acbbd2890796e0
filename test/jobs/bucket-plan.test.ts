import {describe, expect, it} from 'vitest'
import type {Bucket} from '../../src/lib/clients/influx-buckets.ts'
import type {WantedBucket} from '../../src/lib/runtime/bucket-file.ts'
import {
  describeDifference,
  describeWanted,
  differencesOf,
  planBucket,
  settingsToCreate,
  settingsToUpdate,
} from '../../src/lib/jobs/bucket-plan.ts'

const HOUR = 3600
const DAY = 24 * HOUR

const bucket = (own: Partial<Bucket> = {}): Bucket => ({
  id: 'b1',
  name: 'Water',
  isSystem: false,
  description: 'litres',
  retentionSeconds: 30 * DAY,
  shardSeconds: DAY,
  ...own,
})
const wanted = (own: Partial<WantedBucket> = {}): WantedBucket => ({
  name: 'Water',
  description: 'litres',
  retentionSeconds: 30 * DAY,
  shardSeconds: DAY,
  ...own,
})

describe('the plan', () => {
  it('makes what is missing, whether or not it may change what is there', () => {
    for (const updates of [true, false]) expect(planBucket(wanted(), undefined, updates)).toEqual({action: 'create', wanted: wanted()})
  })

  it('leaves alone what is as it should be', () => {
    for (const updates of [true, false]) expect(planBucket(wanted(), bucket(), updates)).toMatchObject({action: 'skip', differences: []})
  })

  it.each<[updates: boolean, action: string]>([
    [true, 'update'],
    [false, 'skip'],
  ])('knows what differs, and changes it only where it may (%s)', (updates, action) => {
    expect(planBucket(wanted({retentionSeconds: 7 * DAY}), bucket(), updates)).toMatchObject({
      action,
      differences: [{setting: 'retention', from: '30d', to: '7d'}],
    })
  })
})

describe('a difference', () => {
  it.each<[what: string, wanted: Partial<WantedBucket>, is: Partial<Bucket>, ...texts: string[]]>([
    ['another description', {description: 'm³'}, {}, 'description "litres" → "m³"'],
    ['a description too many', {description: ''}, {}, 'description "litres" → ""'],
    ['no description in the file', {description: undefined}, {}],
    ['another retention', {retentionSeconds: 7 * DAY}, {}, 'retention 30d → 7d'],
    ['a retention too many', {retentionSeconds: 0}, {}, 'retention 30d → for ever'],
    ['a retention too few', {}, {retentionSeconds: 0}, 'retention for ever → 30d'],
    ['other shards', {shardSeconds: 7 * DAY}, {}, 'shardDuration 1d → 7d'],
    ['shards that the file leaves open', {shardSeconds: undefined}, {shardSeconds: 12 * HOUR}],
    ['shards of which the server says nothing', {shardSeconds: undefined}, {shardSeconds: undefined}],
    [
      'all of it',
      {description: 'x', retentionSeconds: 0, shardSeconds: HOUR},
      {},
      'description "litres" → "x"',
      'retention 30d → for ever',
      'shardDuration 1d → 1h',
    ],
    ['open shards that still fit', {retentionSeconds: DAY, shardSeconds: undefined}, {}, 'retention 30d → 1d'],
    ['open shards that fit any length of time', {retentionSeconds: 0, shardSeconds: undefined}, {}, 'retention 30d → for ever'],
    [
      'open shards that are too long now',
      {retentionSeconds: 2 * DAY, shardSeconds: undefined},
      {retentionSeconds: 0, shardSeconds: 7 * DAY},
      'retention for ever → 2d',
      'shardDuration 7d → 1d',
    ],
    [
      'open shards that are too long for less than two days',
      {retentionSeconds: 2 * DAY - 1, shardSeconds: undefined},
      {retentionSeconds: 0, shardSeconds: 7 * DAY},
      'retention for ever → 1d23h59m59s',
      'shardDuration 7d → 1h',
    ],
  ])('is %s', (_, own, is, ...texts) => {
    expect(differencesOf(wanted(own), bucket(is)).map(describeDifference)).toEqual(texts)
  })
})

it.each<[wanted: Partial<WantedBucket>, text: string]>([
  [{}, 'retention 30d, shardDuration 1d, description "litres"'],
  [{description: '', retentionSeconds: 0, shardSeconds: undefined}, 'retention for ever'],
  [{description: 'a\u009b', shardSeconds: undefined}, 'retention 30d, description "a\\u009b"'],
])('a new bucket is described by what the file says: %j', (own, text) => {
  expect(describeWanted(wanted(own))).toBe(text)
})

describe('what the server is told', () => {
  it('of a new bucket is all that the file says', () => {
    expect(settingsToCreate(wanted())).toEqual({description: 'litres', retention: {seconds: 30 * DAY, shardSeconds: DAY}})
    expect(settingsToCreate(wanted({description: undefined, retentionSeconds: 0, shardSeconds: undefined}))).toEqual({
      description: undefined,
      retention: {seconds: 0, shardSeconds: undefined},
    })
  })

  it('of one that is there is what differs, and nothing else', () => {
    expect(settingsToUpdate(wanted({description: 'x'}), bucket())).toEqual({description: 'x', retention: undefined})
    expect(settingsToUpdate(wanted({description: undefined, retentionSeconds: 0}), bucket())).toEqual({
      description: undefined,
      retention: {seconds: 0, shardSeconds: DAY},
    })
  })

  it('names the shards with a new retention, for the server refuses those that are longer', () => {
    const {retention} = settingsToUpdate(wanted({retentionSeconds: HOUR, shardSeconds: undefined}), bucket())
    expect(retention).toEqual({seconds: HOUR, shardSeconds: HOUR})
  })
})
