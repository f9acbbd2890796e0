import {describe, expect, it} from 'vitest'
import {InterruptedError, UnavailableError} from '../../src/lib/errors.ts'
import {setUp, settled, upTo} from './kafka-reader.ts'

describe('what is committed', () => {
  it('is what is settled, and never more', async () => {
    const {source, start, takeOf, commits} = setUp()
    await start(0)
    const chunk = await takeOf({offsets: [5, 6, 8]})
    expect(commits).toEqual([])
    await source.ack(chunk.slice(0, 1))
    await settled()
    await source.ack(chunk.slice(1))
    await settled()
    expect(commits).toEqual(['0:6', '0:9'])
  })

  it('reaches over control records once all before them is settled', async () => {
    const {source, start, takeOf, commits} = setUp()
    await start(0)
    const chunk = await takeOf({offsets: [0, 1], next: 7})
    await source.ack(chunk.slice(0, 1))
    await settled()
    await source.ack(chunk.slice(1))
    await settled()
    expect(commits).toEqual(['0:1', '0:7'])
  })

  it('reaches over what a fetch passed, not before what was read before is settled', async () => {
    const {source, start, takeOf, pass, commits} = setUp()
    await start(0, 1)
    await pass(1, 4)
    await settled()
    expect(commits).toEqual(['1:4'])
    const chunk = await takeOf({offsets: [0, 1]})
    await pass(0, 9)
    await settled()
    await source.ack(chunk.slice(0, 1))
    await settled()
    await source.ack(chunk.slice(1))
    await settled()
    expect(commits).toEqual(['1:4', '0:1', '0:9'])
  })

  it('is what is settled by then, for all partitions at once, while one commit is under way', async () => {
    const answer = Promise.withResolvers<undefined>()
    const commits: string[] = []
    const {source, start, takeOf} = setUp({
      consumer: {
        async commit(offsets) {
          commits.push(offsets.map(({partition, offset}) => `${partition}:${offset}`).join(' '))
          await answer.promise
        },
      },
    })
    await start(0, 1)
    const [one, other] = [await takeOf({offsets: [0, 1, 2]}), await takeOf({partition: 1, offsets: [0]})]
    for (const message of one) {
      await source.ack([message])
      await settled()
    }

    await source.ack(other)
    answer.resolve(undefined)
    await settled()
    expect(commits).toEqual(['0:1', '0:3 1:1'])
  })

  it.each(upTo(12))('is also what is settled %i turns after the broker has answered an earlier commit', async (turns) => {
    const answer = Promise.withResolvers<undefined>()
    const committed: bigint[] = []
    const {source, start, takeOf} = setUp({
      consumer: {
        async commit(offsets) {
          await answer.promise
          committed.push(offsets[0]!.offset)
        },
      },
    })
    await start(0)
    const chunk = await takeOf({offsets: [0, 1]})
    await source.ack(chunk.slice(0, 1))
    await settled()
    answer.resolve(undefined)
    for (let turn = 0; turn < turns; turn++) await Promise.resolve()
    await source.ack(chunk.slice(1))
    await settled()
    expect(committed).toEqual([1n, 2n])
  })

  it('is nothing where nothing is new', async () => {
    const {source, start, takeOf, commits, join} = setUp({ranges: [[0, 4]], committed: {0: 4}})
    await start(0)
    await source.complete()
    await join(0)
    await source.complete()
    expect(commits).toEqual([])
    await source.ack(await takeOf({offsets: [4]}))
    await source.complete()
    await source.complete()
    expect(commits).toEqual(['0:5'])
  })

  it('is nothing of what was released, whatever comes after it', async () => {
    const {source, start, takeOf, pass, commits} = setUp()
    await start(0)
    const chunk = await takeOf({offsets: upTo(10)})
    source.release!(chunk.slice(3))
    await source.ack(chunk.slice(0, 3))
    await pass(0, 20)
    await source.complete()
    expect(commits).toEqual(['0:3'])
  })

  it('is exactly so many messages under a limit that is reached in the middle of a chunk', async () => {
    const {source, start, take, deliver, takeAny, commits} = setUp({maxMessages: 5})
    await start(0)
    const delivering = deliver({offsets: upTo(8, 100), next: 120})
    const chunk = await take()
    expect(chunk.map(({position}) => position.offset)).toEqual([100n, 101n, 102n, 103n, 104n])
    await source.ack(chunk)
    expect(await takeAny()).toBeUndefined()
    await source.complete()
    await Promise.all([source.close(), delivering])
    expect(commits).toEqual(['0:105'])
  })

  it('is tried again with the next one, if the broker refuses it', async () => {
    let failures = 1
    const committed: bigint[] = []
    const {source, start, takeOf, warnings} = setUp({
      consumer: {
        async commit(offsets) {
          if (failures-- > 0) throw new UnavailableError('no coordinator')
          committed.push(offsets[0]!.offset)
        },
      },
    })
    await start(0)
    const chunk = await takeOf({offsets: [0, 1]})
    await source.ack(chunk.slice(0, 1))
    await settled()
    expect(warnings()).toEqual([{event: 'kafka.commit_failed', message: 'no coordinator'}])
    await source.ack(chunk.slice(1))
    await settled()
    expect(committed).toEqual([2n])
  })
})

describe('close', () => {
  it('waits 10 s for the group to let us go, and no longer', async () => {
    const {source, start, clock} = setUp({consumer: {close: () => new Promise(() => {})}})
    await start(0)
    const begunAt = clock.now()
    await source.close()
    expect(clock.now() - begunAt).toBe(10_000)
  })

  it('takes leave of the group also when the run is aborted, or the next one would wait until its session is over', async () => {
    let hasLeft = false
    const close = async () => {
      await settled()
      hasLeft = true
    }

    const {source, start, abort} = setUp({consumer: {close}})
    await start(0)
    abort()
    await source.close()
    expect(hasLeft).toBe(true)
  })

  it('leaves no timer behind once the group has let us go', async () => {
    const {source, start, clock, silence} = setUp()
    await start(0)
    silence()
    await source.close()
    const closedAt = clock.now()
    await settled()
    await settled()
    expect(clock.now()).toBe(closedAt)
  })
})

describe.each(['complete', 'close'] as const)('%s', (ending) => {
  it('commits what is settled, and waits for it', async () => {
    let failures = 3
    const committed: bigint[] = []
    const {source, start, takeOf} = setUp({
      consumer: {
        async commit(offsets) {
          if (failures-- > 0) throw new UnavailableError('no coordinator')
          committed.push(offsets[0]!.offset)
        },
      },
    })
    await start(0)
    await source.ack(await takeOf({offsets: [0]}))
    await source[ending]()
    expect(committed).toEqual([1n])
  })

  it('rejects after 20 s when it cannot be committed: it is read again', async () => {
    const {source, start, takeOf, clock, calls} = setUp({consumer: {commit: () => Promise.reject(new UnavailableError('no coordinator'))}})
    await start(0)
    await source.ack(await takeOf({offsets: [0]}))
    await settled()
    const begunAt = clock.now()
    await expect(source[ending]()).rejects.toThrow('no coordinator')
    expect(clock.now() - begunAt).toBe(20_000)
    expect(calls.includes('close')).toBe(ending === 'close')
  })

  it('does not fail after an abort where nothing is left to commit', async () => {
    const {source, start, takeOf, abort, commits} = setUp()
    await start(0)
    await source.ack(await takeOf({offsets: [0]}))
    await settled()
    abort()
    await source[ending]()
    expect(commits).toEqual(['0:1'])
  })

  it('ends at once after an abort with something left to commit', async () => {
    const {source, start, takeOf, abort, clock} = setUp({consumer: {commit: () => Promise.reject(new UnavailableError('no coordinator'))}})
    await start(0)
    await source.ack(await takeOf({offsets: [0]}))
    await settled()
    abort()
    const begunAt = clock.now()
    await expect(source[ending]()).rejects.toThrow(InterruptedError)
    expect(clock.now()).toBe(begunAt)
  })

  it('waits 20 s for a commit under way that is never answered, and after an abort not at all', async () => {
    for (const isAborted of [false, true]) {
      const {source, start, takeOf, abort, clock} = setUp({consumer: {commit: () => new Promise(() => {})}})
      await start(0)
      await source.ack(await takeOf({offsets: [0]}))
      await settled()
      if (isAborted) abort()
      const begunAt = clock.now()
      await expect(source[ending]()).rejects.toThrow(isAborted ? InterruptedError : UnavailableError)
      expect(clock.now() - begunAt).toBe(isAborted ? 0 : 20_000)
    }
  })
})

describe('what is settled and not committed', () => {
  it('is known while the broker refuses, and told once', async () => {
    let isRefused = true
    const {source, start, takeOf, warnings} = setUp({
      consumer: {
        async commit() {
          if (isRefused) throw new UnavailableError('not a member')
        },
      },
    })
    await start(0, 1)
    for (const partition of [0, 1]) {
      await source.ack(await takeOf({partition, offsets: [0, 1, 2]}))
      await settled()
    }

    expect(source.uncommitted()).toBe(6)
    expect(warnings()).toEqual([{event: 'kafka.commit_failed', message: 'not a member'}])
    isRefused = false
    await source.ack(await takeOf({offsets: [3]}))
    await settled()
    expect(source.uncommitted()).toBe(0)
  })
})
