import {describe, expect, it} from 'vitest'
import {UnavailableError} from '../../src/lib/errors.ts'
import {never, setUp, settled, upTo} from './kafka-reader.ts'

describe('a position', () => {
  it('carries the number of the assignment, which no name shows', async () => {
    const {source, start, takeOf, join} = setUp()
    await start(3)
    const first = await takeOf({partition: 3, offsets: [17]})
    await source.ack(first)
    await join(3)
    const second = await takeOf({partition: 3, offsets: [18]})
    const positions = [...first, ...second].map(({position}) => position)
    expect(positions).toEqual([
      {partition: 't/3@1', offset: 17n},
      {partition: 't/3@2', offset: 18n},
    ])
    expect(positions.map((position) => source.describe(position))).toEqual(['t/3/17', 't/3/18'])
  })
})

describe('a batch', () => {
  it('is handed over in order, 1,000 messages at a time, and the next one waits until all of it is taken', async () => {
    const {start, take, deliver, taken} = setUp()
    await start(0)
    let isDelivered = false
    const delivering = deliver({offsets: upTo(2500)}).then(() => (isDelivered = true))
    const lengths: number[] = []
    for (let chunk = 0; chunk < 3; chunk++) {
      await settled()
      expect(isDelivered).toBe(false)
      lengths.push((await take()).length)
    }

    await delivering
    expect(lengths).toEqual([1000, 1000, 500])
    expect(taken).toEqual(['0:999', '0:1999', '0:2499'])
  })

  it.each([
    {bytes: 400_000, chunks: [2, 2, 1]},
    {bytes: 1_500_000, chunks: [1, 1, 1, 1, 1]},
  ])('of messages of $bytes bytes is handed over 1 MB at a time, but for one that is heavier alone', async ({bytes, chunks}) => {
    const {start, take, deliver} = setUp()
    await start(0)
    const delivering = deliver({offsets: upTo(5), bytes})
    for (const length of chunks) expect(await take()).toHaveLength(length)
    await delivering
  })

  it('shows the group every 3 s that we are alive while nobody takes it', async () => {
    const {start, take, deliver, clock} = setUp()
    await start(0)
    const beats: number[] = []
    const begunAt = clock.now()
    const delivering = deliver({offsets: [0], heartbeat: async () => void beats.push(clock.now() - begunAt)})
    await clock.sleep(10_000, never)
    await take()
    await delivering
    expect(beats).toEqual([3000, 6000, 9000])
  })

  it('that was taken is not to be delivered again, though the heartbeat fails that was under way', async () => {
    const heartbeat = Promise.withResolvers<undefined>()
    const {start, take, deliver, clock, taken} = setUp()
    await start(0)
    let isBeating = false
    const delivering = deliver({
      offsets: [0, 1],
      async heartbeat() {
        isBeating = true
        await heartbeat.promise
      },
    })
    delivering.catch(() => {})
    while (!isBeating) await clock.sleep(1000, never)
    await take()
    heartbeat.reject(new Error('The coordinator is not available'))
    await expect(delivering).rejects.toThrow('not available')
    expect(taken).toEqual(['0:1'])
  })

  it('that nobody took before the heartbeat failed is taken by nobody, and delivered again', async () => {
    const {start, take, deliver, taken} = setUp()
    await start(0)
    await expect(deliver({offsets: [0], heartbeat: () => Promise.reject(new Error('no coordinator'))})).rejects.toThrow('no coordinator')
    expect(taken).toEqual([])
    const [chunk] = await Promise.all([take(), deliver({offsets: [0]})])
    expect(chunk).toHaveLength(1)
  })

  it('is waited with no longer once the source is closed', async () => {
    const {source, start, deliver, taken} = setUp()
    await start(0)
    const delivering = deliver({offsets: upTo(2000)})
    await settled()
    await source.close()
    await delivering
    expect(taken).toEqual([])
  })
})

describe('an offset that is not there', () => {
  it('ends the read, with how much is lost and what to do, and leaves the place of the group as it is', async () => {
    const {source, start, outOfRange, rest, commits} = setUp({ranges: [[100, 120]], committed: {0: 40}})
    await start(0)
    await expect(outOfRange(0, 40)).rejects.toThrow(UnavailableError)
    expect(await rest()).toMatchObject({
      message: '60 records of partition 0 of topic "t" are gone before they were read: offsets 40 to 99',
      retryable: 'never',
      suggestion: expect.stringContaining('--on-offset-gap earliest') as string,
    })
    await source.close()
    expect(commits).toEqual([])
  })

  it('past the end ends the read with what that means', async () => {
    const {start, outOfRange, rest} = setUp({ranges: [[0, 2]], committed: {0: 40}})
    await start(0)
    await expect(outOfRange(0, 40)).rejects.toThrow(UnavailableError)
    expect(await rest()).toMatchObject({
      message: 'partition 0 of topic "t" ends at offset 2, and was read up to 40 before: it is not the topic that it was',
      suggestion: expect.stringContaining('--on-offset-gap earliest') as string,
    })
  })

  it('has what was read before it settled and committed, though the read ends', async () => {
    const ranges: [number, number][] = [[0, 120]]
    const {source, start, outOfRange, takeOf, commits} = setUp({ranges})
    await start(0)
    const chunk = await takeOf({offsets: [7, 8]})
    ranges[0] = [100, 120]
    await expect(outOfRange(0, 9)).rejects.toThrow(UnavailableError)
    await source.ack(chunk)
    await settled()
    expect(commits).toEqual(['0:9'])
  })

  const onOffsetGap = 'earliest'

  it('is counted when the read is to go on, and what is left is read and committed', async () => {
    const {source, start, outOfRange, takeOf, warnings, commits} = setUp({onOffsetGap, ranges: [[100, 120]], committed: {0: 40}})
    await start(0)
    expect(await outOfRange(0, 40)).toBe(100n)
    expect(warnings()).toEqual([{event: 'kafka.offset_gap', partition: 0, from: '40', to: '100', lost: '60'}])
    expect(source.lostToRetention()).toBe(60)
    expect(source.lag()).toBe(20)
    await source.ack(await takeOf({offsets: [100], end: 120}))
    await source.complete()
    expect(commits).toEqual(['0:100', '0:101'])
  })

  it('is counted also where retention has overtaken us, and what was read before is still to be settled', async () => {
    const ranges: [number, number][] = [[0, 120]]
    const {source, start, outOfRange, takeOf, warnings, commits} = setUp({onOffsetGap, ranges})
    await start(0)
    const chunk = await takeOf({offsets: [7, 8]})
    ranges[0] = [100, 120]
    await outOfRange(0, 9)
    await settled()
    expect(warnings()).toEqual([{event: 'kafka.offset_gap', partition: 0, from: '9', to: '100', lost: '91'}])
    expect(commits).toEqual([])
    await source.ack(chunk)
    await settled()
    expect(commits).toEqual(['0:100'])
  })

  it.each(['fail', 'earliest'] as const)('is asked for again where nobody knows what is there (%s)', async (onOffsetGap) => {
    const ranges: [number, number][] = [[40, 120]]
    const consumer = {ranges: () => Promise.reject(new UnavailableError('no broker'))}
    const {source, start, outOfRange, takeOf} = setUp({onOffsetGap, ranges, consumer})
    await start(0)
    await expect(outOfRange(0, 40)).rejects.toThrow('no broker')
    expect(await takeOf({offsets: [40]})).toHaveLength(1)
    expect(source.lostToRetention()).toBe(0)
  })

  it.each([
    {what: 'before the first', range: [100, 120] as const, from: 40, event: 'kafka.offset_gap'},
    {what: 'past the end', range: [0, 2] as const, from: 40, event: 'kafka.offset_past_end'},
  ])('$what is not taken for the end of the topic', async ({range: [low, high], from, event}) => {
    const options = {onOffsetGap, untilEnd: true, ranges: [[low, high]], committed: {0: from}} as const
    const {source, start, outOfRange, deliver, takeAny, rest, warnings} = setUp(options)
    await start(0)
    const taking = takeAny()
    expect(await Promise.race([taking, settled('not yet')])).toBe('not yet')
    await outOfRange(0, from)
    expect(warnings()).toMatchObject([{event, from: String(from), to: String(low)}])
    await deliver({offsets: upTo(high - low, low)})
    await source.ack((await taking)!)
    expect(await rest()).toBe('ended')
  })
})

describe('a partition of which the broker does not say where it begins', () => {
  it('is asked about each second, until it is not ours any more or we are closed', async () => {
    let calls = 0
    const {source, start, join, clock} = setUp({
      consumer: {
        async ranges() {
          calls++
          return [{partition: 1, low: 0n, high: 0n}]
        },
      },
    })
    const callsIn = async (seconds: number) => {
      const before = calls
      await clock.sleep(seconds * 1000, never)
      return calls - before
    }

    await start(0)
    expect(await callsIn(10)).toBeGreaterThanOrEqual(9)
    await join(1)
    await callsIn(1)
    expect(await callsIn(10)).toBe(0)
    await join(0)
    await source.close()
    await callsIn(1)
    expect(await callsIn(10)).toBe(0)
  })
})

describe('lag', () => {
  it('is what was written to our partitions and is not settled', async () => {
    const {source, start, takeOf, join} = setUp({ranges: [[0, 100], [50, 60], [0, 10]], committed: {0: 90, 2: 3}}) // prettier-ignore
    expect(source.lag()).toBe(0)
    await start(0, 1)
    expect(source.lag()).toBe(20)
    const chunk = await takeOf({offsets: [90, 91], end: 200})
    expect(source.lag()).toBe(120)
    await source.ack(chunk)
    expect(source.lag()).toBe(118)
    await join(2)
    await settled()
    expect(source.lag()).toBe(7)
  })

  it('counts what is read and not settled although the broker has not told yet where reading began', async () => {
    const {source, start, takeOf} = setUp({consumer: {committed: () => new Promise(() => {})}})
    await start(0)
    const chunk = await takeOf({offsets: [90, 91], end: 200})
    expect(source.lag()).toBe(110)
    await source.ack(chunk)
    expect(source.lag()).toBe(108)
  })

  it('is never less than nothing: control records are none', async () => {
    const {source, start, takeOf, pass} = setUp({ranges: [[0, 2], [0, 4]]}) // prettier-ignore
    await start(0, 1)
    await source.ack(await takeOf({offsets: [0, 1]}))
    await pass(0, 7)
    expect(source.lag()).toBe(4)
  })
})
