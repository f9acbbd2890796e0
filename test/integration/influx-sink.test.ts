import {describe, expect, test} from 'vitest'
import type {InfluxSinkOptions} from '../../src/lib/sinks/influx.ts'
import {isolate} from '../../src/lib/core/isolate.ts'
import {encodePoint, type FieldValue, type Line} from '../../src/lib/format/line-protocol.ts'
import {describeWith} from '../services/use.ts'
import {type BucketOptions, influxClient, influxSink, newBucket} from './influx-bucket.ts'

const never = new AbortController().signal
const SECOND = 1_000_000_000n
const WEEK = 604_800n * SECOND
/** A Monday, when a week's shard begins. */
const MONDAY = BigInt(Date.UTC(2026, 0, 5)) * 1_000_000n

describeWith('influx')('the InfluxDB sink', () => {
  describe('lines that cannot be parsed', () => {
    test('are refused with what is wrong with each, and the others are stored by one more request', async () => {
      const {settle, storedValues} = await newTarget()
      const lines = [
        'm f=1 1',
        'm f= 2',
        'm f=3 3',
        'm f=NaN 4',
        'm,time=x f=5 5',
        'm f=6 6',
        'm f="it\'s \': odd" 7x',
        'm f=8 99999999999999999999',
      ].map(raw)
      const {refused, requests} = await settle(lines)
      expect(refused).toEqual([
        {index: 1, reason: 'unparsable line', message: 'missing field value'},
        {index: 3, reason: 'unparsable line', message: 'invalid number'},
        {index: 4, reason: 'unparsable line', message: 'cannot use reserved tag key "time"'},
        {index: 6, reason: 'unparsable line', message: 'bad timestamp'},
        {index: 7, reason: 'unparsable line', message: expect.stringContaining('value out of range') as string},
      ])
      expect(requests).toBe(2)
      expect(await storedValues()).toEqual(['1', '3', '6'])
    })

    test('are found by division when the message does not quote them as they are', async () => {
      const {settle, storedValues} = await newTarget()
      const {refused} = await settle([raw('m f=1 1'), raw('m s="line\nbreak" x'), raw('m f=3 3')])
      expect(refused).toMatchObject([{index: 1, reason: 'refused'}])
      expect(await storedValues()).toEqual(['1', '3'])
    })

    test('are all refused when all are bad', async () => {
      const {settle, storedValues} = await newTarget()
      const {refused, requests} = await settle(Array.from({length: 500}, (_, index) => raw(`m f= ${index}`)))
      expect(refused).toHaveLength(500)
      expect(requests).toBe(1)
      expect(await storedValues()).toEqual([])
    })
  })

  describe('fields of another type', () => {
    test('are refused over several shards, all of them and no other line', async () => {
      const {settle, write, storedValues} = await newTarget()
      for (const week of [0n, 1n, 2n]) await write([point({f: 0}, MONDAY + week * WEEK)])
      const lines = Array.from({length: 300}, (_, index) =>
        point({f: index % 10 === 3 ? 'text' : index}, MONDAY + BigInt(index % 3) * WEEK + BigInt(index + 1) * SECOND),
      )
      const {refused, requests} = await settle(lines)
      expect(refused.map(({index}) => index)).toEqual(Array.from({length: 30}, (_, index) => index * 10 + 3))
      expect(refused[0]).toMatchObject({reason: 'type conflict', message: 'field "f" of "m" is string here and float in the bucket'})
      expect(requests).toBeLessThanOrEqual(2 + 2 * 3)
      expect(await storedValues()).toHaveLength(3 + 270)
    })

    test('are refused in few requests when every line has one', async () => {
      const {settle, write, storedValues} = await newTarget()
      for (const week of [0n, 1n, 2n, 3n]) await write([point({f: 0}, MONDAY + week * WEEK)])
      const lines = Array.from({length: 400}, (_, index) => point({f: true}, MONDAY + BigInt(index % 4) * WEEK + BigInt(index + 1)))
      const {refused, requests} = await settle(lines)
      expect(refused).toHaveLength(400)
      expect(requests).toBeLessThanOrEqual(1 + 2 * 4)
      expect(await storedValues()).toHaveLength(4)
    })

    test('take the good field of their point with them, for the server drops it whole', async () => {
      const {settle, write, storedValues} = await newTarget()
      await write([point({f: 0})])
      const {refused} = await settle([point({f: 'x', g: 5}, MONDAY + 1n), point({g: 6}, MONDAY + 2n)])
      expect(refused).toMatchObject([{index: 0, reason: 'type conflict'}])
      expect(await storedValues()).toEqual(['0', '6'])
    })

    test('may conflict within the batch itself', async () => {
      const {settle, storedValues} = await newTarget()
      const {refused} = await settle([point({f: 1}), point({f: 'x'}, MONDAY + 1n), point({f: 2}, MONDAY + 2n)])
      expect(refused).toMatchObject([{index: 1, reason: 'type conflict'}])
      expect(await storedValues()).toEqual(['1', '2'])
    })

    test.each([
      ['spaces', 'my field', 'my measurement'],
      ['quotes', 'f"x"', 'm"x"'],
      ['backslashes', 'f\\x', 'm\\x'],
      ['another script', 'Füllstand', 'Messung Ä'],
    ])('are understood under names with %s', async (_, field, measurement) => {
      const {settle, write, storedValues} = await newTarget()
      await write([point({[field]: 0}, MONDAY, measurement)])
      const lines = Array.from({length: 40}, (_each, index) =>
        point({[field]: index % 2 ? 'x' : 1}, MONDAY + BigInt(index + 1), measurement),
      )
      const {refused, requests} = await settle(lines)
      expect(refused).toHaveLength(20)
      expect(requests).toBeLessThanOrEqual(4)
      expect(await storedValues()).toHaveLength(21)
    })

    test('of numbers are coerced when nothing is lost', async () => {
      const {settle, write, stored} = await newTarget({}, {onTypeConflict: 'coerce'})
      await write([point({float: 0.5, integer: 0n})])
      const {refused} = await settle([
        point({float: 1n}, MONDAY + 1n),
        point({integer: 2}, MONDAY + 2n),
        point({integer: 2.5}, MONDAY + 3n),
        point({float: 3n, integer: 4}, MONDAY + 4n),
        point({float: true}, MONDAY + 5n),
        point({float: 9_007_199_254_740_993n}, MONDAY + 6n),
      ])
      expect(refused.map(({index}) => index)).toEqual([2, 4, 5])
      const values = (await stored()).map(({_field, _value}) => `${_field}=${_value}`)
      expect(values.sort()).toEqual(['float=0.5', 'float=1', 'float=3', 'integer=0', 'integer=2', 'integer=4'])
    })
  })

  test('points outside retention are refused, and the others stored', async () => {
    const {settle, storedValues} = await newTarget({retentionSeconds: 3600, shardSeconds: 3600})
    const now = BigInt(Date.now()) * 1_000_000n
    const lines = Array.from({length: 100}, (_, index) =>
      point({f: index}, index % 4 === 0 ? MONDAY - BigInt(index) * WEEK : now + BigInt(index)),
    )
    const {refused, requests} = await settle(lines)
    expect(refused.map(({index}) => index)).toEqual(Array.from({length: 25}, (_, index) => index * 4))
    expect(refused[0]).toMatchObject({reason: 'outside retention', message: 'the bucket keeps 1h0m0s, and the point lies outside'})
    expect(requests).toBeLessThanOrEqual(2)
    expect(await storedValues()).toHaveLength(75)
  })

  test('lines with every fault at once are each refused for their own', async () => {
    const {settle, write, storedValues} = await newTarget({retentionSeconds: 86_400, shardSeconds: 3600})
    const now = BigInt(Date.now()) * 1_000_000n
    const anHourAgo = now - 3600n * SECOND
    await write([point({f: 0}, now), point({f: 0}, anHourAgo)])
    const lines = [
      point({f: 1}, now + 1n),
      point({f: 'x'}, now + 2n),
      raw('m f= 3'),
      point({f: 4}, MONDAY - 52n * WEEK),
      point({f: 'x'}, anHourAgo + 5n),
      point({f: 6}, anHourAgo + 6n),
      point({f: 'x'}, MONDAY - 52n * WEEK),
    ]
    const {refused} = await settle(lines)
    expect(refused.map(({index, reason}) => [index, reason]).sort()).toEqual([
      [1, 'type conflict'],
      [2, 'unparsable line'],
      [3, 'outside retention'],
      [4, 'type conflict'],
      [6, 'outside retention'],
    ])
    expect(await storedValues()).toEqual(['0', '0', '1', '6'])
  })

  test('of lines with one series and time the last is stored, to the nanosecond', async () => {
    const {write, stored} = await newTarget()
    await write([point({f: 1}, MONDAY + 1n), point({f: 2}, MONDAY + 1n), point({f: 3}, MONDAY + 2n)])
    expect((await stored()).map(({_time, _value}) => [_time, _value])).toEqual([
      ['2026-01-05T00:00:00.000000001Z', '2'],
      ['2026-01-05T00:00:00.000000002Z', '3'],
    ])
  })

  test('the length of a shard is asked for when something is refused in part, and once', async () => {
    let asked = 0
    const shardNanoseconds = async () => {
      asked++
      return WEEK
    }
    const {settle, write} = await newTarget({}, {shardNanoseconds})
    await write([point({f: 0})])
    await settle([raw('m f= 1')])
    expect(asked).toBe(0)
    for (const offset of [1n, 2n]) await settle([point({f: 'x'}, MONDAY + offset)])
    expect(asked).toBe(1)
  })
})

async function newTarget(bucket: BucketOptions = {}, options: Partial<InfluxSinkOptions> = {}) {
  const {name, stored} = await newBucket(bucket)
  let requests = 0
  const client = influxClient()
  const counting = {
    ...client,
    write(write: Parameters<typeof client.write>[0]) {
      requests++
      return client.write(write)
    },
  }
  const shardNanoseconds = async () => BigInt(bucket.shardSeconds ?? 604_800) * SECOND
  const sink = influxSink(name, {client: counting, shardNanoseconds, ...options})

  return {
    stored,
    storedValues: async () => (await stored()).map(({_value}) => _value).sort((a, b) => Number(a) - Number(b)),
    write: (lines: readonly Line[]) => sink.send(lines, {token: 't/0/0-0', signal: never}),
    /** As the pipeline does: until each line is stored or refused. */
    async settle(rows: readonly Line[]) {
      requests = 0
      const refused = await isolate(sink, {rows, token: 't/0/0-9', signal: never, withdrawn: () => false})()
      const verdicts = [...refused].map(([index, {reason, message}]) => ({index, reason, message}))
      return {refused: verdicts.sort((a, b) => a.index - b.index), requests}
    },
  }
}

const raw = (text: string): Line => ({bytes: Buffer.from(`${text}\n`), key: 0})

const point = (fields: Record<string, FieldValue>, time = MONDAY, measurement = 'm') => encodePoint({measurement, tags: {}, fields, time})
