import {describe, expect, it} from 'vitest'
import type {BadTimestampPolicy} from '../../src/lib/transforms/event-time.ts'
import {DataError} from '../../src/lib/errors.ts'
import {timestampParser} from '../../src/lib/format/timestamp.ts'
import {eventTime} from '../../src/lib/transforms/event-time.ts'
import {rawMessage} from '../fakes/raw-message.ts'

const NOW = 1_700_000_000_123
const RECEIVED = 1_600_000_000_456
const MILLISECOND = 1_000_000n

interface Given {
  readonly value?: unknown
  readonly field?: string | undefined
  readonly policy: BadTimestampPolicy
  readonly received?: number | undefined
}

function timeOf({value, policy, ...given}: Given): bigint {
  const field = 'field' in given ? given.field : 'Timestamp'
  const received = 'received' in given ? given.received : RECEIVED
  return eventTime(value, field, rawMessage({}, received), {
    parse: timestampParser('auto', 'UTC'),
    onBadTimestamp: policy,
    now: () => NOW,
  })
}

describe('eventTime', () => {
  it.each(['reject', 'broker', 'now'] as const)(
    'is the time of the record itself when it can be read, whatever the policy: %s',
    (policy) => {
      expect(timeOf({value: '22/12/2015 4:00:10 PM', policy})).toBe(1_450_800_010_000n * MILLISECOND)
    },
  )

  it.each([
    ['unreadable', {value: '12/22/2015 4:00:10 PM'}],
    ['null', {value: null}],
    ['empty', {value: ''}],
    ['absent', {field: undefined}],
  ])('is that of the broker, or of now, only when asked for: a time that is %s', (_, given) => {
    expect(timeOf({...given, policy: 'broker'})).toBe(BigInt(RECEIVED) * MILLISECOND)
    expect(timeOf({...given, policy: 'now'})).toBe(BigInt(NOW) * MILLISECOND)
    expect(() => timeOf({...given, policy: 'reject'})).toThrow(DataError)
  })

  it.each([
    ['a line of input, which no broker has seen', undefined],
    ['a record without a time, for which Kafka says -1', -1],
    ['a record whose producer made up a time', 9e15],
  ])('is never made up for %s', (_, received) => {
    expect(() => timeOf({value: 'soon', policy: 'broker', received})).toThrow(DataError)
  })

  it('is that of the broker also at the very beginning', () => {
    expect(timeOf({value: 'soon', policy: 'broker', received: 0})).toBe(0n)
  })

  it('is refused with the name of the field and what is wrong with it', () => {
    expect(() => timeOf({value: 'soon', policy: 'reject'})).toThrow(
      expect.objectContaining({reason: 'bad timestamp', message: expect.stringMatching(/^timestamp field "Timestamp": "soon" is not/)}),
    )
    expect(() => timeOf({field: undefined, policy: 'reject'})).toThrow(
      expect.objectContaining({reason: 'bad timestamp', message: 'the record has no timestamp field'}),
    )
  })
})
