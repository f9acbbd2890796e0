import {describe, expect, it} from 'vitest'
import {DataError, PartialWriteError, UnavailableError} from '../../src/lib/errors.ts'
import {fakePipeline, message, numbers} from '../fakes/pipeline.ts'

const divisible = () => new UnavailableError('500', {divisible: true})
const valuesOf = (letters: readonly {message: {value: unknown}}[]) => letters.map((letter) => letter.message.value)

describe('a batch of which the server refuses some', () => {
  it('is bisected: 3 bad rows of 5000 in few requests, and a 503 in the middle repeats no settled part', async () => {
    const bad = new Set([7, 8, 4321])
    const accepted: string[] = []
    let sends = 0
    const {letters, stored, run} = fakePipeline({
      chunks: [numbers(0, 5000)],
      count: 5000,
      async send(rows, {token}) {
        if (++sends === 20) throw new UnavailableError('503')
        if (rows.some((row) => bad.has(row))) throw new PartialWriteError('some of it')
        accepted.push(token)
      },
    })
    const ledger = await run()
    expect(valuesOf(letters)).toEqual([...bad])
    expect(stored.size).toBe(4997)
    expect(new Set(accepted).size).toBe(accepted.length)
    expect(sends).toBeLessThanOrEqual(2 * 3 * Math.ceil(Math.log2(5000)))
    expect(ledger).toMatchObject({written: 4997, rejected: 3, rows: 4997})
  })

  it('costs at most two requests a group when every row conflicts', async () => {
    const shard = (row: number) => row % 3
    let sends = 0
    const {letters, run} = fakePipeline({
      chunks: [numbers(0, 5000)],
      count: 5000,
      sink: {
        explain(rows, error) {
          const groups = [...Map.groupBy(rows.keys(), (index) => shard(rows[index]!)).values()]
          return groups.length > 1
            ? groups.map((group) => ({rows: group}))
            : groups.map((group) => ({rows: group, refused: new DataError('type conflict', error.message)}))
        },
      },
      async send() {
        sends++
        throw new PartialWriteError('field type conflict')
      },
    })
    const ledger = await run()
    expect(sends).toBe(4)
    expect(letters).toHaveLength(5000)
    expect(ledger.rejectedBy).toEqual({'type conflict': 5000})
  })

  it('is sent again without what the sink explained, and nothing that it left unexplained is lost', async () => {
    const {letters, stored, run} = fakePipeline({
      chunks: [numbers(0, 10)],
      count: 10,
      sink: {explain: (rows) => (rows.includes(3) ? [{rows: [rows.indexOf(3)], refused: new DataError('named', 'unable to parse')}] : [])},
      async send(rows) {
        if (rows.includes(3) || rows.includes(6)) throw new PartialWriteError('400')
      },
    })
    const ledger = await run()
    expect(valuesOf(letters)).toEqual([3, 6])
    expect(stored.size).toBe(8)
    expect(ledger.rejectedBy).toEqual({named: 1, refused: 1})
  })

  it('goes on with the replacements that the sink gives', async () => {
    const {letters, rows, run} = fakePipeline({
      chunks: [numbers(0, 4)],
      count: 4,
      sink: {explain: (sent) => [{rows: [1], replacements: new Map([[1, sent[1]! + 100]])}]},
      async send(sent) {
        if (sent.includes(1)) throw new PartialWriteError('not 1')
      },
    })
    const ledger = await run()
    expect([...rows].sort((a, b) => a - b)).toEqual([0, 2, 3, 101])
    expect(letters).toEqual([])
    expect(ledger.written).toBe(4)
  })

  it('replaces all rows of a part and does not take that for a standstill', async () => {
    const {rows, run} = fakePipeline({
      chunks: [numbers(0, 2)],
      sink: {explain: (sent) => [{rows: [0, 1], replacements: new Map(sent.map((row, index) => [index, row + 100]))}]},
      async send(sent) {
        if (sent.some((row) => row < 100)) throw new PartialWriteError('too small')
      },
    })
    await run()
    expect([...rows]).toEqual([100, 101])
  })

  it('names the range of each partition in its token, and tells apart parts with the same ends', async () => {
    const tokens: string[] = []
    const {run} = fakePipeline({
      chunks: [[message(5), message(80, 't/1@4'), message(6), message(7)]],
      count: 4,
      sink: {explain: () => [{rows: [1], refused: new DataError('named', 'bad')}]},
      async send(_, {token}) {
        tokens.push(token)
        if (tokens.length === 1) throw new PartialWriteError('at row 1')
      },
    })
    await run()
    expect(tokens).toEqual(['t/0/5-7,t/1/80-80', 't/0/5-7,t/1/80-80#0-0,2-3'])
  })
})

describe('a server that fails', () => {
  it('is unavailable when it fails everything: no dead letters, few requests, then the batch goes whole', async () => {
    let sends = 0
    let healthyFrom = Infinity
    const options = {
      chunks: [numbers(0, 5000)],
      count: 5000,
      async send() {
        if (++sends < healthyFrom) throw divisible()
      },
    }
    const failing = fakePipeline({...options, forMilliseconds: 0})
    await expect(failing.run()).rejects.toBeInstanceOf(UnavailableError)
    expect(sends).toBeLessThanOrEqual(1 + 2 * Math.ceil(Math.log2(5000)))
    expect([failing.letters.length, failing.ledger.unacknowledged]).toEqual([0, 5000])

    healthyFrom = sends * 2 + 1
    const recovering = fakePipeline(options)
    await recovering.run()
    expect(recovering.events.filter((event) => event.startsWith('stored'))).toHaveLength(1)
  })

  it.each([
    ['alone', [1234]],
    ['adjacent', [0, 1, 2, 3]],
    ['in the majority', [...Array(80).keys()]],
  ])('gets its rows dead-lettered when only they fail, three times each (%s)', async (_, bad) => {
    const alone = new Map<number, number>()
    const {letters, stored, run} = fakePipeline({
      chunks: [[...numbers(0, 100), message(1234)]],
      count: 5000,
      async send(rows) {
        if (!rows.some((row) => bad.includes(row))) return
        if (rows.length === 1) alone.set(rows[0]!, (alone.get(rows[0]!) ?? 0) + 1)
        throw divisible()
      },
    })
    await run()
    expect(valuesOf(letters)).toEqual(bad)
    expect(stored.size).toBe(101 - bad.length)
    for (const row of bad) expect(alone.get(row)).toBeGreaterThanOrEqual(3)
  })

  it('has nobody blamed for an outage that begins amid the search', async () => {
    for (let outageFrom = 1; outageFrom < 30; outageFrom++) {
      let sends = 0
      const {letters, ledger, run} = fakePipeline({
        chunks: [numbers(0, 16)],
        count: 16,
        async send(rows) {
          sends++
          if (rows.includes(5) || (sends >= outageFrom && sends < outageFrom + 40)) throw divisible()
        },
      })
      await run()
      expect(valuesOf(letters), `outage from request ${outageFrom}`).toEqual([5])
      expect(ledger.written).toBe(15)
    }
  })

  it('takes no part for a witness that the server has already and was not asked for', async () => {
    const fake = fakePipeline({
      chunks: [numbers(0, 10)],
      count: 10,
      async send(rows, {skipped}) {
        if (rows.every((row) => row < 5)) skipped?.()
        else if (fake.clock.now() < 60_000) throw divisible()
      },
    })
    const ledger = await fake.run()
    expect(fake.letters).toEqual([])
    expect(ledger).toMatchObject({written: 10, rejected: 0})
  })

  it('waits with a batch of one row, which has no witness', async () => {
    const {letters, run} = fakePipeline({chunks: [numbers(0, 1)], forMilliseconds: 60_000, send: () => Promise.reject(divisible())})
    await expect(run()).rejects.toBeInstanceOf(UnavailableError)
    expect(letters).toEqual([])
  })
})
