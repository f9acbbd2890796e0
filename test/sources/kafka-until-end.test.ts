import {describe, expect, it} from 'vitest'
import type {FakeConsumerOptions} from '../fakes/kafka-consumer.ts'
import {UnavailableError} from '../../src/lib/errors.ts'
import {never, setUp, settled} from './kafka-reader.ts'

describe('--until-end', () => {
  it.each<{what: string; ranges: FakeConsumerOptions['ranges']; committed?: Record<number, number>; owned: number[]}>([
    {what: 'a topic without a message', ranges: [[0, 0]], owned: [0]},
    {what: 'a topic of which retention has taken all', ranges: [[7, 7]], owned: [0]},
    {what: 'a partition that was read to its end before', ranges: [[0, 5]], committed: {0: 5}, owned: [0]},
  ])('ends at once on $what', async ({ranges, committed = {}, owned}) => {
    const {start, rest, clock} = setUp({untilEnd: true, ranges: ranges!, committed})
    await start(...owned)
    expect(await rest()).toBe('ended')
    expect(clock.now()).toBeLessThanOrEqual(1000)
  })

  it.each([
    {what: 'some', owned: [0]},
    {what: 'all', owned: []},
  ])('ends, when others have $what of the partitions, as soon as their commits cover them', async ({owned}) => {
    const committed: Record<number, number> = {0: 0, 1: 3}
    const {start, rest, clock} = setUp({untilEnd: true, ranges: [[0, 0], [0, 5]], committed}) // prettier-ignore
    await start(...owned)
    const ending = rest()
    await clock.sleep(20_000, never)
    expect(await Promise.race([ending, settled('not yet')])).toBe('not yet')
    committed[1] = 5
    expect(await ending).toBe('ended')
    expect(clock.now()).toBeLessThanOrEqual(22_000)
  })

  it.each([
    {what: 'of which retention has taken all that was not read', ranges: [[50, 50]], committed: {0: 10}, message: '40 records'},
    {what: 'that was made anew', ranges: [[0, 0]], committed: {0: 40}, message: 'ends at offset 0, and was read up to 40'},
  ])('does not take a partition for read $what, though it is empty', async ({ranges, committed, message}) => {
    for (const onOffsetGap of ['fail', 'earliest'] as const) {
      const options = {untilEnd: true, onOffsetGap, ranges: ranges as [number, number][], committed: {0: committed[0]}}
      const {start, outOfRange, rest} = setUp(options)
      await start(0)
      const ending = rest()
      expect(await Promise.race([ending, settled('not yet')])).toBe('not yet')
      await outOfRange(0, committed[0]).catch(() => {})
      expect(await ending).toEqual(
        onOffsetGap === 'earliest' ? 'ended' : expect.objectContaining({message: expect.stringContaining(message) as string}),
      )
    }
  })

  it('reads itself what a member has left that was killed, though that had the partition at first', async () => {
    const {source, start, rest, clock, join, takeOf} = setUp({untilEnd: true, ranges: [[0, 2]]})
    await start()
    await clock.sleep(30_000, never)
    await join(0)
    await source.ack(await takeOf({offsets: [0, 1]}))
    expect(await rest()).toBe('ended')
  })

  it('leaves to others what they keep for longer than a session: they are alive', async () => {
    const {start, rest, clock} = setUp({untilEnd: true, ranges: [[0, 5]]})
    await start()
    expect(await rest()).toBe('ended')
    expect(clock.now()).toBeGreaterThanOrEqual(50_000)
  })

  it('ends when each partition of ours is settled up to the end that it had at the start', async () => {
    const {source, start, takeOf, rest, commits} = setUp({untilEnd: true, ranges: [[0, 3], [2, 4], [0, 0]]}) // prettier-ignore
    await start(0, 1, 2)
    await source.ack(await takeOf({offsets: [0, 1, 2], end: 50}))
    await source.ack(await takeOf({partition: 1, offsets: [2, 3, 4, 5], end: 50}))
    expect(await rest()).toBe('ended')
    expect(commits).toEqual(['0:3', '1:6'])
  })

  it('does not end while something is read and not settled, and asks for it to be sent', async () => {
    const {source, start, takeOf, takeAny} = setUp({untilEnd: true, ranges: [[0, 2]]})
    await start(0)
    const chunk = await takeOf({offsets: [0, 1]})
    expect(await takeAny()).toEqual([])
    const ending = takeAny()
    await source.ack(chunk.slice(0, 1))
    expect(await Promise.race([ending, settled('not yet')])).toBe('not yet')
    await source.ack(chunk.slice(1))
    expect(await ending).toBeUndefined()
  })

  it('waits for what has not come yet', async () => {
    const {source, start, takeOf, rest} = setUp({untilEnd: true, ranges: [[0, 3]]})
    await start(0)
    await source.ack(await takeOf({offsets: [0, 1]}))
    expect(await rest()).toBe('waits')
  })

  it.each([
    {what: 'control records follow the last message', offsets: [0, 1], next: 5, passes: []},
    {what: 'a later fetch brings control records only', offsets: [0, 1], next: 2, passes: [5]},
    {what: 'the last messages were compacted away', offsets: [0], next: 1, passes: [3, 9]},
    {what: 'no message is left at all', offsets: [], next: 0, passes: [2, 5]},
  ])('ends where $what', async ({offsets, next, passes}) => {
    const {source, start, takeOf, pass, rest} = setUp({untilEnd: true, ranges: [[0, 5]]})
    await start(0)
    if (offsets.length > 0) await source.ack(await takeOf({offsets, next}))
    const ending = rest()
    for (const offset of passes) await pass(0, offset)
    expect(await ending).toBe('ended')
  })

  it('does not end because another partition is at its end', async () => {
    const {source, start, takeOf, rest} = setUp({untilEnd: true, ranges: [[0, 1], [0, 1]]}) // prettier-ignore
    await start(0, 1)
    await source.ack(await takeOf({offsets: [0]}))
    expect(await rest()).toBe('waits')
  })

  it('does not end between two assignments', async () => {
    const {start, running, rest, join} = setUp({untilEnd: true, ranges: [[0, 1], [0, 0]]}) // prettier-ignore
    await start(0)
    await (await running).leaving()
    expect(await rest()).toBe('waits')
    await join(1)
  })

  it('takes over the partition of a member that has left, from where that one has committed', async () => {
    const committed: Record<number, number> = {}
    const {source, start, takeOf, join, rest, commits} = setUp({untilEnd: true, ranges: [[0, 2], [0, 6]], committed}) // prettier-ignore
    await start(0)
    const chunk = await takeOf({offsets: [0]})
    const joined = join(0, 1)
    await source.ack(chunk)
    committed[0] = 1
    committed[1] = 4
    await joined
    await source.ack(await takeOf({offsets: [1]}))
    await source.ack(await takeOf({partition: 1, offsets: [4, 5]}))
    expect(await rest()).toBe('ended')
    expect(commits).toEqual(['0:1', '0:2', '1:6'])
  })

  it('learns where it stands also if the broker tells it only later', async () => {
    let failures = 3
    const {start, rest, clock} = setUp({
      untilEnd: true,
      ranges: [[0, 5]],
      consumer: {
        async committed() {
          if (failures-- > 0) throw new UnavailableError('no coordinator')
          return [{partition: 0, offset: 5n}]
        },
      },
    })
    await start(0)
    expect(await rest()).toBe('ended')
    expect(clock.now()).toBeLessThan(5000)
  })
})
