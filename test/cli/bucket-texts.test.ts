import {describe, expect, it} from 'vitest'
import type {Bucket} from '../../src/lib/clients/influx-buckets.ts'
import type {BucketsOutcome} from '../../src/lib/jobs/create-buckets.ts'
import {bucketRecord, bucketTable, driftText, failureOf, outcomeText, planTable, planText} from '../../src/lib/cli/bucket-texts.ts'
import {planBucket} from '../../src/lib/jobs/bucket-plan.ts'

const bucket = (name: string, own: Partial<Bucket> = {}): Bucket => ({
  id: '0db7ae40c03a878e',
  name,
  isSystem: false,
  description: '',
  retentionSeconds: 0,
  shardSeconds: 604_800,
  ...own,
})
const outcome = (own: Partial<BucketsOutcome>): BucketsOutcome => ({created: [], skipped: [], updated: [], failed: [], drift: [], ...own})

describe('the table of buckets', () => {
  const described = bucket('a', {description: 'what it is, in many words', retentionSeconds: 86_400})

  it('ends at the edge of the terminal, and is whole where there is none', async () => {
    const whole = await bucketTable([described])
    expect(whole.split('\n')[1]).toBe('a     1d         7d      user  0db7ae40c03a878e  what it is, in many words')
    const cut = (await bucketTable([described], 60)).split('\n')
    expect(cut[1]).toBe('a     1d         7d      user  0db7ae40c03a878e  what it is…')
    expect(cut[1]).toHaveLength(60)
    expect(await bucketTable([described], whole.split('\n')[1]!.length)).toBe(whole)
  })

  it('has a line a bucket, whatever its name, and nothing that steers a terminal', async () => {
    const table = await bucketTable([bucket('two\nlines'), bucket('\u001b[2J', {description: 'a\r\nb'})])
    expect(table.split('\n')).toHaveLength(3)
    expect(table).not.toContain('\u001b')
    expect(table).toMatch(/^two\\nlines /m)
  })

  it('of none is its header', async () => {
    expect(await bucketTable([])).toMatch(/^name +retention .*description$/)
  })
})

it('a bucket for scripts has its values as the file has them', () => {
  expect(bucketRecord(bucket('_monitoring', {isSystem: true, retentionSeconds: 5400, shardSeconds: undefined}))).toEqual({
    id: '0db7ae40c03a878e',
    name: '_monitoring',
    type: 'system',
    description: '',
    retention: '1h30m',
    shardDuration: '0',
  })
})

it('a plan is counted, and has a line a bucket', async () => {
  const wanted = ['a\n', 'b'].map((name) => ({name, description: undefined, retentionSeconds: 86_400, shardSeconds: undefined}))
  const steps = [
    planBucket(wanted[0]!, undefined, true),
    planBucket(wanted[1]!, bucket('b', {retentionSeconds: 86_400, shardSeconds: 1}), true),
  ]
  expect(planText(steps)).toBe('would create 1 skip 1 update 0')
  expect((await planTable(steps)).split('\n')).toEqual(['action  bucket  what', 'create  a\\n     retention 1d', 'skip    b'])
})

describe('the summary', () => {
  it('names what always counts, and of the rest what happened', () => {
    expect(outcomeText(outcome({created: ['a'], skipped: ['b', 'c']}))).toBe('created 1 skipped 2')
    expect(outcomeText(outcome({updated: ['a'], failed: [{name: 'b', message: 'x'}]}))).toBe('created 0 skipped 0 updated 1 failed 1')
  })

  it('tells how those differ that were left alone, and nothing of those that were changed', () => {
    const retention = {setting: 'retention', from: '0', to: '30d'} as const
    const drift = [{name: 'a', ...retention}, {name: 'b', ...retention}, {name: 'b', setting: 'description', from: '', to: 'x'} as const]
    expect(driftText({skipped: ['b', 'c'], drift})).toBe(
      '1 differ from the file, which --update changes: b (retention for ever → 30d, description "" → "x")',
    )
    expect(driftText({skipped: ['c'], drift})).toBeUndefined()
  })

  it('names five and counts the rest', () => {
    const names = Array.from({length: 7}, (_, index) => `b${index}`)
    const drift = names.map((name) => ({name, setting: 'retention', from: '0', to: '30d'}) as const)
    expect(driftText({skipped: names, drift})).toMatch(/^7 differ .*: b0 \(.*\), .*, b4 \([^)]*\), and 2 more$/)
    expect(failureOf(outcome({failed: names.map((name) => ({name, message: 'no'}))}), 9)).toMatchObject({
      exitCode: 3,
      message: '7 of 9 buckets failed: b0: no; b1: no; b2: no; b3: no; b4: no; and 2 more',
    })
  })
})
