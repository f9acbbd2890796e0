import {describe, expect, it} from 'vitest'
import {nearest} from '../../src/lib/format/nearest.ts'

const FLAGS = ['broker', 'topic', 'influx-url', 'influx-org', 'influx-bucket', 'token', 'token-file', 'batch-size', 'batch-bytes']

describe('nearest', () => {
  it.each([
    ['brokr', 'broker'],
    ['brokers', 'broker'],
    ['borker', 'broker'],
    ['BROKER', 'broker'],
    ['influx-uri', 'influx-url'],
    ['influxbucket', 'influx-bucket'],
    ['batchsize', 'batch-size'],
    ['tokenfile', 'token-file'],
    ['topics', 'topic'],
  ])('finds for %s the word %s', (typed, meant) => {
    expect(nearest(typed, FLAGS)).toBe(meant)
  })

  it('names nothing when nothing is near', () => {
    expect(nearest('dead-letter', FLAGS)).toBeUndefined()
  })

  it.each(['<<', 'x', 'ab', ''])('takes no other short word for "%s"', (typed) => {
    expect(nearest(typed, ['tz', 'cat', 'topic'])).toBeUndefined()
  })

  it('names nothing when there is nothing to name', () => {
    expect(nearest('broker', [])).toBeUndefined()
  })

  it('prefers the first of several that are as near', () => {
    expect(nearest('bat', ['cat', 'rat'])).toBe('cat')
  })

  it('prefers the word itself', () => {
    expect(nearest('rat', ['cat', 'rat'])).toBe('rat')
  })
})
