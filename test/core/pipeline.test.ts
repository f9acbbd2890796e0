import {describe, expect, it} from 'vitest'
import {runPipeline} from '../../src/lib/core/pipeline.ts'
import {AuthError, DataError, InterruptedError, PartialWriteError, UnavailableError} from '../../src/lib/errors.ts'
import {fakePipeline, message, numbers, policy} from '../fakes/pipeline.ts'

const odd = (value: number): never => {
  throw new DataError('odd', `bad ${value}`)
}

describe('order and durability', () => {
  it('acknowledges in read order although the second of two writes ends first', async () => {
    const {events, run} = fakePipeline({chunks: [numbers(0, 4)], send: async (rows, {sleep}) => sleep(rows[0] === 0 ? 500 : 10)})
    await run()
    expect(events).toEqual(['sent 0,1', 'sent 2,3', 'stored 2,3', 'stored 0,1', 'acked 0,1', 'acked 2,3', 'complete'])
  })

  it('keeps at most maxInFlight batches unacknowledged, also when later ones are stored', async () => {
    const {events, run} = fakePipeline({chunks: [numbers(0, 8)], send: async (rows, {sleep}) => sleep(rows[0] === 0 ? 500 : 10)})
    await run()
    expect(events.indexOf('sent 4,5')).toBeGreaterThan(events.indexOf('acked 0,1'))
  })

  it('puts the dead letters of a batch once, and acks after they are durable', async () => {
    const {events, letters, run} = fakePipeline({chunks: [numbers(0, 2)], transform: odd, put: (_, sleep) => sleep(500)})
    const ledger = await run()
    expect(events).toEqual(['dead 0,1', 'acked 0,1', 'complete'])
    expect(letters.map(({error}) => error.message)).toEqual(['bad 0', 'bad 1'])
    expect(ledger.rejectedBy).toEqual({odd: 2})
  })

  it('does not ack when the dead letter fails', async () => {
    const {events, ledger, run} = fakePipeline({chunks: [numbers(0, 2)], transform: odd, put: () => Promise.reject(new Error('disk full'))})
    await expect(run()).rejects.toThrow('disk full')
    expect(events).toEqual([])
    expect(ledger.unacknowledged).toBe(2)
  })

  it('writes the other rows of a message of which one cannot be made, and puts that one into the dead letters by its place', async () => {
    const bad = new DataError('odd', 'bad row')
    const {events, letters, run} = fakePipeline({
      chunks: [numbers(1, 2)],
      transform: (value) => ({rows: value === 1 ? [10, bad, 12, bad] : [20]}),
    })
    const ledger = await run()
    expect(events).toEqual(['sent 10,12,20', 'stored 10,12,20', 'dead 1,1', 'acked 1,2', 'complete'])
    expect(letters.map(({index}) => index)).toEqual([1, 3])
    expect(ledger).toMatchObject({read: 2, written: 1, rejected: 1, rows: 3, rejectedBy: {odd: 1}})
  })

  it('names the place of a refused row among all rows of its message', async () => {
    const {letters, run} = fakePipeline({
      chunks: [numbers(1, 1)],
      transform: () => ({rows: [new DataError('odd', 'bad row'), 10, 11]}),
      async send(rows) {
        if (rows.includes(11)) throw new PartialWriteError('not 11')
      },
    })
    await run()
    expect(letters.map(({index}) => index)).toEqual([0, 2])
  })

  it('does not wait for a dead letter after an abort, and leaves its message unacknowledged', async () => {
    const fake = fakePipeline({
      chunks: [numbers(0, 2)],
      transform: odd,
      put() {
        setImmediate(fake.abort)
        return new Promise(() => {})
      },
    })
    await expect(fake.run()).rejects.toBeInstanceOf(InterruptedError)
    expect(fake.ledger.unacknowledged).toBe(2)
  })

  it('tries a dead letter again that could not be reached', async () => {
    let failures = 2
    const {letters, run} = fakePipeline({
      chunks: [numbers(0, 2)],
      transform: odd,
      async put() {
        if (failures-- > 0) throw new UnavailableError('no broker')
      },
    })
    await run()
    expect(letters).toHaveLength(2)
  })

  it('lets the last write win when two batches in flight share a key', async () => {
    const {stored, run} = fakePipeline({
      chunks: [numbers(0, 4)],
      key: (row) => row % 2,
      send: async (rows, {sleep}) => sleep(rows[0] === 0 ? 500 : 10),
    })
    await run()
    expect([...stored]).toEqual([
      [0, 2],
      [1, 3],
    ])
  })

  it('lets the last write win also in a batch that was sent in parts', async () => {
    const {stored, run} = fakePipeline({
      chunks: [numbers(0, 8)],
      count: 8,
      key: (row) => row % 3,
      sink: {explain: (rows) => [{rows: rows.flatMap((row, index) => (row >= 4 ? [index] : []))}]}, // so that the later rows go first
      async send(rows) {
        if (rows.includes(3)) throw new PartialWriteError('not 3')
      },
    })
    const ledger = await run()
    expect([...stored].sort()).toEqual([
      [0, 6],
      [1, 7],
      [2, 5],
    ])
    expect(ledger).toMatchObject({rows: 7, collapsed: 4}) // of the seven that are stored, three are left
  })

  it('keeps one partition a batch, and one batch of a partition in flight, where the sink asks for it', async () => {
    const inFlight = new Map<string, number>()
    let most = 0
    const chunk = numbers(0, 12).map(({value}) => message(value, `t/${value % 3}@1`))
    const {events, run} = fakePipeline({
      chunks: [chunk],
      count: 4,
      maxInFlight: 5,
      sink: {onePartitionABatch: true},
      async send(rows, {sleep}) {
        const partitions = new Set(rows.map((row) => `${row % 3}`))
        expect(partitions.size).toBe(1)
        const [partition] = [...partitions] as [string]
        inFlight.set(partition, (inFlight.get(partition) ?? 0) + 1)
        most = Math.max(most, inFlight.get(partition)!)
        await sleep(100 - rows[0]!)
        inFlight.set(partition, inFlight.get(partition)! - 1)
      },
    })
    const ledger = await run()
    expect(most).toBe(1)
    expect(ledger.written).toBe(12)
    expect(
      events
        .filter((event) => event.startsWith('acked'))
        .flatMap((event) => event.slice(6).split(','))
        .filter((value) => Number(value) % 3 === 0),
    ).toEqual(['0', '3', '6', '9'])
  })

  it('keeps one batch of a partition in flight also when the partition was assigned anew in the meantime', async () => {
    const {events, revoke, run} = fakePipeline({
      async *read(_, sleep) {
        yield numbers(0, 2, () => 't/0@1')
        await sleep(100)
        revoke('t/0@1') // while its batch is with the server
        yield [...numbers(0, 2, () => 't/0@2'), ...numbers(2, 2, () => 't/1@2')]
      },
      sink: {onePartitionABatch: true},
      maxInFlight: 5,
      send: (_, {sleep}) => sleep(500),
    })
    await run()
    const sent = events.filter((event) => /^s(en|tor)/.test(event))
    expect(sent).toEqual(['sent 0,1', 'stored 0,1', 'sent 0,1', 'sent 2,3', 'stored 0,1', 'stored 2,3'])
  })

  it('takes a message whose rows stand or fall together as one row of the sink', async () => {
    const stored: number[] = []
    const {ledger, runtime, source, deadLetter} = fakePipeline({chunks: [numbers(0, 3)]})
    await runPipeline<number, number[]>(
      {
        source,
        deadLetter,
        retry: policy,
        batch: {count: 3, bytes: 1e6, milliseconds: 1000},
        transform: (value) => ({rows: [[value, value * 10]]}),
        sink: {
          maxInFlight: 1,
          async check() {},
          async close() {},
          async send(rows) {
            if (rows.flat().includes(10)) throw new PartialWriteError('row 10')
            stored.push(...rows.flat())
          },
        },
      },
      runtime,
      ledger,
    )
    expect(stored).toEqual([0, 0, 2, 20])
    expect(ledger.rejected).toBe(1)
  })
})

describe('the ledger of a run', () => {
  it('counts a message of several rows once, and its rows each', async () => {
    const {run} = fakePipeline({chunks: [numbers(0, 2)], transform: (value) => ({rows: [value, value + 10, value + 20]})})
    expect(await run()).toMatchObject({read: 2, written: 2, rows: 6})
  })

  it('counts what is filtered by its reason, and a message without rows as filtered', async () => {
    const {run} = fakePipeline({
      chunks: [numbers(0, 3)],
      transform: (value) => (value === 0 ? {filtered: 'tombstone'} : {rows: value === 1 ? [] : [value]}),
    })
    expect((await run()).filteredBy).toEqual({tombstone: 1, 'no rows': 1})
  })

  it('counts as printed what a sink only shows', async () => {
    const {run} = fakePipeline({chunks: [numbers(0, 3)], sink: {prints: true}})
    expect(await run()).toMatchObject({read: 3, printed: 3, written: 0, rows: 0})
  })
})

describe('stop, abort, failure', () => {
  it('drains on stop: writes and acks what was read, and does not complete', async () => {
    const {events, run, stop} = fakePipeline({
      async *read(signal, sleep) {
        yield numbers(0, 3)
        void sleep(200).then(stop)
        await sleep(1e6, signal).catch(() => {})
      },
      send: (_, {sleep}) => sleep(500),
    })
    const ledger = await run()
    expect(events.filter((event) => !event.startsWith('s'))).toEqual(['acked 0,1', 'acked 2'])
    expect(ledger.written).toBe(3)
  })

  it('ends an aborted backoff with the error that was waited out', async () => {
    const {events, run, abort, ledger} = fakePipeline({
      chunks: [numbers(0, 2)],
      async send() {
        setImmediate(abort)
        throw new UnavailableError('503', {retryAfterMilliseconds: 10_000})
      },
    })
    await expect(run()).rejects.toBeInstanceOf(UnavailableError)
    expect(events).toEqual(['sent 0,1'])
    expect(ledger.unacknowledged).toBe(2)
  })

  it('ends an aborted write with InterruptedError', async () => {
    const {run, abort} = fakePipeline({
      chunks: [numbers(0, 2)],
      send(_, {sleep, signal}) {
        setImmediate(abort)
        return sleep(1e9, signal)
      },
    })
    await expect(run()).rejects.toBeInstanceOf(InterruptedError)
  })

  it('ends the run on a fatal write while a read is pending, and acks nothing', async () => {
    const {events, run, clock} = fakePipeline({
      async *read(signal, sleep) {
        yield numbers(0, 4)
        await sleep(1e9, signal) // an AbortError must not hide the failure
      },
      async send(rows, {sleep, signal}) {
        await sleep(rows[0] === 0 ? 1e6 : 10, signal)
        throw new Error('401')
      },
    })
    await expect(run()).rejects.toThrow('401')
    expect(events).toEqual(['sent 0,1', 'sent 2,3'])
    expect(clock.now()).toBe(10)
  })

  it('ends with the failure of an ack', async () => {
    const {run} = fakePipeline({chunks: [numbers(0, 8)], ack: () => Promise.reject(new Error('commit'))})
    await expect(run()).rejects.toThrow('commit')
  })

  it('ends the run on a bug in the transform while a read is pending', async () => {
    const {run} = fakePipeline({
      async *read(signal, sleep) {
        yield numbers(0, 2)
        await sleep(1e9, signal).catch(() => {})
      },
      transform() {
        throw new TypeError('a bug')
      },
    })
    await expect(run()).rejects.toBeInstanceOf(TypeError)
  })

  it('lets the writes under way land and acks them when a read fails', async () => {
    const {events, run} = fakePipeline({
      async *read(_, sleep) {
        yield numbers(0, 4)
        await sleep(10)
        throw new Error('read') // while the pipeline waits for the sink
      },
      send: (_, {sleep}) => sleep(500),
      maxInFlight: 1,
    })
    await expect(run()).rejects.toThrow('read')
    expect(events.filter((event) => event.startsWith('acked'))).toEqual(['acked 0,1', 'acked 2,3'])
  })

  it('completes after an empty read, but not after a stop or a failure', async () => {
    const empty = fakePipeline({chunks: []})
    await empty.run()
    expect(empty.events).toEqual(['complete'])
    const stopped = fakePipeline({chunks: []})
    stopped.stop()
    await stopped.run()
    expect(stopped.events).toEqual([])
    const failing = fakePipeline({chunks: [numbers(0, 2)], send: () => Promise.reject(new Error('401'))})
    await expect(failing.run()).rejects.toThrow('401')
    expect(failing.events).toEqual(['sent 0,1'])
  })

  it('pauses on a refused token after the first write, skips nothing, and goes on when it is accepted', async () => {
    let sends = 0
    const {events, clock, run} = fakePipeline({
      chunks: [numbers(0, 4)],
      maxInFlight: 1,
      pauseMilliseconds: 30_000,
      async send() {
        if (++sends > 1 && sends < 5) throw new AuthError('401')
      },
    })
    expect(await run()).toMatchObject({written: 4})
    expect(events.filter((event) => event.startsWith('acked'))).toEqual(['acked 0,1', 'acked 2,3'])
    expect(clock.now()).toBe(90_000)
  })

  it('ends on a refused token before the first write', async () => {
    const {run} = fakePipeline({chunks: [numbers(0, 4)], pauseMilliseconds: 30_000, send: () => Promise.reject(new AuthError('401'))})
    await expect(run()).rejects.toBeInstanceOf(AuthError)
  })

  it('takes a batch that was revoked before it was sent for no proof that the token works', async () => {
    const {revoke, run} = fakePipeline({
      chunks: [[message(0, 'a@1'), message(1, 'a@1')], numbers(2, 2)],
      maxInFlight: 1,
      pauseMilliseconds: 30_000,
      transform: (value) => {
        if (value === 1) revoke('a@1')
        return {rows: [value]}
      },
      send: () => Promise.reject(new AuthError('401')),
    })
    await expect(run()).rejects.toBeInstanceOf(AuthError)
  })

  it('tells its observer when records come to wait, and not for those that come behind them', async () => {
    const seen: string[] = []
    const {run} = fakePipeline({
      async *read(_, sleep) {
        yield numbers(0, 1)
        yield numbers(1, 1)
        await sleep(10_000)
        yield numbers(2, 2)
      },
      observer: {waiting: () => seen.push('waiting'), settled: ({messages}) => seen.push(`settled ${messages}`)},
    })
    await run()
    expect(seen).toEqual(['waiting', 'settled 2', 'waiting', 'settled 2'])
  })

  it('tells its observer what was settled, and when', async () => {
    const seen: unknown[] = []
    const {run} = fakePipeline({chunks: [numbers(0, 2)], send: (_, {sleep}) => sleep(40), observer: {settled: (batch) => seen.push(batch)}})
    await run()
    expect(seen).toEqual([{messages: 2, milliseconds: 40}])
  })
})

describe('revocation', () => {
  it('settles what was sent and discards what was not', async () => {
    const {events, ledger, revoke, run} = fakePipeline({
      chunks: [[message(0, 'a@1'), message(1, 'a@1'), message(2, 'b@1'), message(3, 'a@1'), message(4, 'a@1'), message(5, 'a@1')]],
      async send(rows, {sleep}) {
        await sleep(500)
        if (rows[0] === 0) revoke('a@1')
      },
      maxInFlight: 1,
    })
    await run()
    const expected = ['sent 0,1', 'acked 0,1', 'sent 2', 'acked 2', 'released 3', 'released 4,5', 'complete']
    expect(events.filter((event) => !event.startsWith('stored'))).toEqual(expected)
    expect(ledger).toMatchObject({read: 6, written: 3, unacknowledged: 3})
  })

  it('ends the attempts of a batch in its backoff', async () => {
    const {events, ledger, revoke, run} = fakePipeline({
      chunks: [numbers(0, 2)],
      async send() {
        setImmediate(() => revoke('t/0@7'))
        throw new UnavailableError('503')
      },
    })
    await run()
    expect(events).toEqual(['sent 0,1', 'released 0,1', 'complete'])
    expect(ledger.unacknowledged).toBe(2)
  })

  it('leaves no gap: what is stored or filtered after an unsent message is not acknowledged', async () => {
    const {events, stored, ledger, revoke, run} = fakePipeline({
      chunks: [numbers(0, 6)],
      transform: (value) => (value === 4 ? {filtered: 'odd'} : {rows: [value]}),
      async send(rows, {sleep}) {
        if (rows[0] === 0) {
          await sleep(10)
          throw new UnavailableError('503')
        }

        await sleep(5)
        setImmediate(() => revoke('t/0@7'))
      },
    })
    await run()
    expect([...stored.keys()]).toEqual([2, 3])
    expect(events.filter((event) => event.startsWith('acked'))).toEqual([])
    expect(ledger.unacknowledged).toBe(6)
  })
})
