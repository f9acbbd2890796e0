import {describe, expect, it} from 'vitest'
import {UnavailableError} from '../../src/lib/errors.ts'
import {never, setUp, settled} from './kafka-reader.ts'

describe('a rebalance', () => {
  it('waits until what was sent is settled, and commits it before the next join', async () => {
    const commits: string[] = []
    const {source, start, takeOf, running, clock} = setUp({
      consumer: {
        async commit(offsets) {
          await clock.sleep(300, never)
          commits.push(offsets.map(({partition, offset}) => `${partition}:${offset}`).join(' '))
        },
      },
    })
    await start(0, 1)
    const [one, other] = [await takeOf({offsets: [0, 1]}), await takeOf({partition: 1, offsets: [7]})]
    const left = (await running).leaving().then(() => commits.push('left'))
    await source.ack(one)
    await clock.sleep(5000, never)
    await source.ack(other)
    await left
    expect(commits).toEqual(['0:2', '1:8', 'left'])
  })

  it('commits an acknowledgement that comes with the last of what it waited for', async () => {
    const {source, start, takeOf, running, commits} = setUp()
    await start(0)
    const chunk = await takeOf({offsets: [0, 1]})
    const left = (await running).leaving().then(() => commits.push('left'))
    await source.ack(chunk.slice(0, 1))
    source.release!(chunk.slice(1))
    await left
    expect(commits).toEqual(['0:1', 'left'])
  })

  it('waits for no message that was let go, and commits nothing of it', async () => {
    const {source, start, takeOf, running, commits, clock} = setUp()
    await start(0)
    const chunk = await takeOf({offsets: [0, 1, 2]})
    const begunAt = clock.now()
    const left = (await running).leaving()
    source.release!(chunk)
    await left
    expect(clock.now()).toBe(begunAt)
    expect(commits).toEqual([])
  })

  it('waits 20 s for a write that does not end, and goes on without it', async () => {
    const {start, takeOf, running, clock, commits} = setUp()
    await start(0)
    await takeOf({offsets: [0]})
    const begunAt = clock.now()
    await (await running).leaving()
    expect(clock.now() - begunAt).toBe(20_000)
    expect(commits).toEqual([])
  })

  it('asks for what was read to be sent at once', async () => {
    const {start, takeOf, takeAny, running} = setUp()
    await start(0)
    await takeOf({offsets: [0]})
    const taking = takeAny()
    void (await running).leaving()
    expect(await taking).toEqual([])
  })

  it('takes the partitions away, and says so to whoever writes', async () => {
    const {source, start, takeOf, running} = setUp()
    await start(0)
    const [message] = await takeOf({offsets: [0]})
    const revoked = source.revoked!(message!.position.partition)
    expect(revoked.aborted).toBe(false)
    void (await running).leaving()
    expect(revoked.aborted).toBe(true)
    expect(source.revoked!('t/0@99').aborted).toBe(true)
  })

  it('goes on when the broker refuses the commit', async () => {
    const {source, start, takeOf, join, warnings} = setUp({consumer: {commit: () => Promise.reject(new UnavailableError('rebalancing'))}})
    await start(0)
    await source.ack(await takeOf({offsets: [0]}))
    await join(0)
    expect(warnings().map(({event}) => event)).toContain('kafka.commit_failed')
  })

  it('makes what is acknowledged too late stale: it is counted, and never committed, also not in the next assignment', async () => {
    const {source, start, takeOf, join, commits} = setUp()
    await start(0)
    const late = await takeOf({offsets: [0, 1, 2]})
    await join(0)
    const again = await takeOf({offsets: [0, 1, 2]})
    await source.ack(late)
    await settled()
    expect({commits, stale: source.staleAcks()}).toEqual({commits: [], stale: 3})
    await source.ack(again.slice(0, 1))
    await source.complete()
    expect({commits, stale: source.staleAcks()}).toEqual({commits: ['0:1'], stale: 3})
  })

  it.each([
    {found: 'by a heartbeat', heartbeat: () => Promise.reject(new Error('The group is rebalancing'))},
    {found: 'by a fetch from another broker', heartbeat: async () => {}},
  ])('found $found drops a chunk that nobody has taken, and its batch is waited with no longer', async ({heartbeat}) => {
    const {start, takeAny, deliver, join, taken} = setUp()
    await start(0)
    const delivering = deliver({offsets: [0], heartbeat}).catch(() => {})
    await settled()
    await join(0)
    await delivering
    expect(taken).toEqual([])
    expect(await takeAny()).toEqual([])
    const taking = takeAny()
    await deliver({offsets: [0]})
    expect((await taking)!.map(({position}) => position.partition)).toEqual(['t/0@2'])
  })

  it('gives a reader that asks in the same moment nothing that was taken away', async () => {
    const {start, takeAny, deliver, running} = setUp()
    await start(0)
    void deliver({offsets: [0]})
    await settled()
    void (await running).leaving()
    expect(await takeAny()).toEqual([])
  })

  it('leaves what could not be committed to the next owner, also when that is us again', async () => {
    let failures = 2
    const commits: string[] = []
    const {source, start, takeOf, join} = setUp({
      consumer: {
        async commit(offsets) {
          if (failures-- > 0) throw new UnavailableError('rebalancing')
          commits.push(offsets.map(({partition, offset}) => `${partition}:${offset}`).join(' '))
        },
      },
    })
    await start(0)
    const [first] = await takeOf({offsets: [0, 1, 2]})
    await source.ack([first!]) // the others are on their way for ever
    await join(0)
    await source.ack((await takeOf({offsets: [0, 1, 2]})).slice(0, 2))
    await source.complete()
    expect(commits).toEqual(['0:2'])
  })

  it('gives other partitions than before', async () => {
    const {source, start, takeOf, join, deliver, commits} = setUp()
    await start(0, 1)
    await source.ack(await takeOf({offsets: [0]}))
    await join(1, 2)
    await deliver({partition: 0, offsets: [1]}) // of a partition that is not ours any more
    await source.ack(await takeOf({partition: 2, offsets: [4]}))
    await source.complete()
    expect(commits).toEqual(['0:1', '2:5'])
  })
})
