import {describe, expect, it} from 'vitest'
import type {ClickHouse} from '../../src/lib/clients/clickhouse.ts'
import type {MessageRows, SensorRow} from '../../src/lib/transforms/to-row.ts'
import {UnavailableError} from '../../src/lib/errors.ts'
import {createStoredPositions, type StoredPositions} from '../../src/lib/sinks/clickhouse-positions.ts'

const TABLE = '`default`.`sensor_data`'
const never = new AbortController().signal

describe('what a table has already', () => {
  it('is left out, whatever is before it and after it', async () => {
    const {positions} = tableWith(['5/0', '7/0'])
    const rows = await positions.rowsNotStored(
      [4, 5, 6, 7, 8].map((offset) => message(offset)),
      never,
    )
    expect(rows.map(({row, owner}) => [row, owner])).toEqual([
      [expect.objectContaining({_offset: '4', _index: 0}), 0],
      [expect.objectContaining({_offset: '6', _index: 0}), 2],
      [expect.objectContaining({_offset: '8', _index: 0}), 4],
    ])
  })

  it('is known row by row of a message', async () => {
    const {positions} = tableWith(['1/0', '1/2'])
    const rows = await positions.rowsNotStored([message(1, {rows: 4})], never)
    expect(rows.map(({row}) => (row as unknown as {_index: number})._index)).toEqual([1, 3])
  })

  it('may be all of a batch', async () => {
    const {positions} = tableWith(['1/0', '2/0'])
    expect(await positions.rowsNotStored([message(1), message(2)], never)).toEqual([])
  })

  it('is asked for by topic and partition, from the first message of the batch on', async () => {
    const {positions, queries} = tableWith([])
    await positions.rowsNotStored([message(17, {partition: 'sensor.data-1/12@3'}), message(18, {partition: 'sensor.data-1/12@3'})], never)
    expect(queries).toEqual([{topic: 'sensor.data-1', partition: 12, offset: '17', index: 0, limit: 50_000}])
  })

  it('is asked for from the lowest message on, and again for lower ones: letters come in any order', async () => {
    const {positions, queries} = tableWith(['3/0', '8/0', '9/0', '20/0'])
    expect(await ownersOf(positions, [9, 7, 8])).toEqual([1])
    expect(await ownersOf(positions, [20, 19])).toEqual([1])
    expect(await ownersOf(positions, [4, 2, 3])).toEqual([0, 1])
    expect(queries.map(({offset}) => offset)).toEqual(['7', '2'])
  })
})

describe('a table that has much', () => {
  const upTo = (count: number) => Array.from({length: count}, (_, index) => index)
  const everySecond = (count: number) => upTo(count).filter((number) => number % 2 === 0)

  it('is read a page at a time, and a page is all that is kept', async () => {
    const {positions, queries, answered} = tableWith(
      everySecond(100).map((offset) => `${offset}/0`),
      10,
    )
    for (const first of [0, 25, 50, 75]) {
      const batch = upTo(25).map((index) => first + index)
      const missing = batch.flatMap((offset, owner) => (offset % 2 === 1 ? [owner] : []))
      expect(await ownersOf(positions, batch)).toEqual(missing)
    }

    expect(queries.map(({offset}) => offset)).toEqual(['0', '19', '39', '59', '79', '99'])
    expect(Math.max(...answered)).toBe(10)
  })

  it('is not asked any more once there is nothing further', async () => {
    const {positions, queries} = tableWith(['1/0', '2/0', '3/0'], 2)
    for (const offset of [1, 2, 3, 4, 5, 1000]) await positions.rowsNotStored([message(offset)], never)
    expect(queries.map(({offset}) => offset)).toEqual(['1', '3'])
  })

  it('may have the rows of a message on two pages', async () => {
    const {positions, queries} = tableWith(['1/0', '1/1', '1/3', '2/0'], 2)
    const rows = await positions.rowsNotStored([message(1, {rows: 5}), message(2)], never)
    expect(rows.map(({owner, index}) => [owner, index])).toEqual([
      [0, 2],
      [0, 4],
    ])
    expect(queries.map(({offset, index}) => [offset, index])).toEqual([
      ['1', 0],
      ['1', 2],
    ])
  })

  it('may have a row more often than a page has room', async () => {
    const {positions} = tableWith(['1/0', '1/0', '1/0', '2/0'], 2)
    expect(await ownersOf(positions, [1, 2, 3])).toEqual([2])
  })
})

describe('what is kept of a table', () => {
  it('is nothing once all of it lies behind: a lower message is asked for again', async () => {
    const {positions, queries} = tableWith(['1/0', '2/0', '5/0'])
    expect(await ownersOf(positions, [1, 5, 5])).toEqual([])
    expect(await ownersOf(positions, [2])).toEqual([])
    expect(queries).toHaveLength(1)
    expect(await ownersOf(positions, [6, 7])).toEqual([0, 1])
    expect(await ownersOf(positions, [8])).toEqual([0])
    expect(queries).toHaveLength(1)
    expect(await ownersOf(positions, [2, 8])).toEqual([1])
    expect(queries.map(({offset}) => offset)).toEqual(['1', '2'])
  })

  it('is bounded for all partitions together: the one that was longest not looked at is read again', async () => {
    const {positions, queries} = tableWith(['1/0', '2/0', '9/0'], 50_000, 7)
    const look = async (...partitions: readonly string[]) => {
      for (const partition of partitions) expect(await ownersOf(positions, [message(1, {partition})])).toEqual([])
      return queries.splice(0).map(({topic, partition}) => `${topic}/${partition}`)
    }

    expect(await look('t/0@1', 't/1@1', 't/2@1')).toEqual(['t/0', 't/1', 't/2'])
    expect(await look('t/1@1', 't/2@1', 't/1@1')).toEqual([])
    expect(await look('t/0@1')).toEqual(['t/0'])
    expect(await look('t/1@1', 't/0@1')).toEqual([])
    expect(await look('t/2@1')).toEqual(['t/2'])
  })

  it('is at least the page that is looked at, however little may be kept', async () => {
    const {positions, queries} = tableWith(['1/0', '2/0', '9/0'], 50_000, 1)
    for (const offset of [1, 2]) expect(await ownersOf(positions, [offset])).toEqual([])
    expect(queries).toHaveLength(1)
  })
})

describe('rows that were stored already', () => {
  it('are counted once, however often their messages are sent', async () => {
    const {positions} = tableWith(['1/0', '1/1', '3/0'])
    const messages = [message(1, {rows: 3}), message(2), message(3)]
    for (let times = 0; times < 3; times++) await positions.rowsNotStored(messages, never)
    expect(positions.alreadyStored()).toBe(3)
  })

  it('are not those of an insert of ours whose answer was lost', async () => {
    const {positions, stored} = tableWith(['1/0'])
    const messages = [message(1), message(2)]
    await positions.rowsNotStored(messages, never)
    stored.add('2/0')
    positions.doubt(messages)
    expect(await positions.rowsNotStored(messages, never)).toEqual([])
    expect(positions.alreadyStored()).toBe(1)
  })
})

describe('a row that is not stored', () => {
  it('carries its position, and its values', async () => {
    const {positions} = tableWith([])
    const rows = await positions.rowsNotStored([message(9_007_199_254_740_993n, {partition: 'sensor_data/3@7', rows: 2})], never)
    expect(rows.map(({row}) => row)).toEqual(
      [0, 1].map((index) => ({...ROW, _topic: 'sensor_data', _partition: 3, _offset: '9007199254740993', _index: index})),
    )
  })
})

describe('the table is read', () => {
  it('once for an assignment', async () => {
    const {positions, queries} = tableWith(['3/0'])
    await positions.rowsNotStored([message(1)], never)
    await positions.rowsNotStored([message(2)], never)
    expect(await positions.rowsNotStored([message(3)], never)).toEqual([])
    expect(queries).toHaveLength(1)
  })

  it('once for each partition', async () => {
    const {positions, queries} = tableWith([])
    for (const partition of ['t/0@1', 't/1@1', 't/10@1', 'u/0@1', 't/0@1', 't/1@1'])
      await positions.rowsNotStored([message(1, {partition})], never)
    expect(queries.map(({topic, partition}) => `${topic}/${partition}`)).toEqual(['t/0', 't/1', 't/10', 'u/0'])
  })

  it('again when the partition is assigned anew, and what was known of the former assignment is given up', async () => {
    const {positions, queries, stored} = tableWith([])
    await positions.rowsNotStored([message(1, {partition: 't/1@1'})], never)
    stored.add('1/0')
    expect(await positions.rowsNotStored([message(1, {partition: 't/1@2'})], never)).toEqual([])
    expect(await positions.rowsNotStored([message(1, {partition: 't/1@1'})], never)).toEqual([])
    expect(queries).toHaveLength(3)
  })

  it('again for messages whose insert failed, once', async () => {
    const {positions, queries, stored} = tableWith([])
    const messages = [5, 6, 7].map((offset) => message(offset))
    await positions.rowsNotStored([message(1)], never)
    stored.add('5/0').add('7/0')
    positions.doubt(messages)
    expect((await positions.rowsNotStored(messages, never)).map(({owner}) => owner)).toEqual([1])
    expect((await positions.rowsNotStored(messages, never)).map(({owner}) => owner)).toEqual([1])
    expect(queries.map(({offset}) => offset)).toEqual(['1', '5'])
  })

  it('for nothing but the messages in doubt: what was inserted meanwhile is sent again as it was', async () => {
    const {positions, stored} = tableWith([])
    const [witness, failed] = [message(1), message(2)]
    await positions.rowsNotStored([witness], never)
    stored.add('1/0')
    positions.doubt([failed])
    expect(await positions.rowsNotStored([failed], never)).toHaveLength(1)
    expect(await positions.rowsNotStored([witness], never)).toHaveLength(1)
  })

  it('for no message that was sent before, also after another was in doubt', async () => {
    const {positions, stored} = tableWith([])
    const [witness, failed, next] = [message(2), message(1), message(3)]
    await positions.rowsNotStored([failed, witness], never)
    stored.add('2/0').add('3/0')
    positions.doubt([failed])
    expect(await ownersOf(positions, [failed, witness, next])).toEqual([0, 1])
  })

  it('for no message whose doubt was settled', async () => {
    const {positions, stored} = tableWith([])
    const [settled, failed] = [message(1), message(2)]
    for (const each of [settled, failed]) {
      positions.doubt([each])
      await positions.rowsNotStored([each], never)
      stored.add(`${each.position.offset}/0`)
    }

    expect(await ownersOf(positions, [settled, failed])).toEqual([0, 1])
  })

  it('again when it could not be read', async () => {
    const {positions, queries, failures} = tableWith(['1/0'])
    failures.push(new UnavailableError('not now'))
    await expect(positions.rowsNotStored([message(1)], never)).rejects.toThrow('not now')
    expect(await positions.rowsNotStored([message(1)], never)).toEqual([])
    expect(queries).toHaveLength(2)
  })

  it('with the signal of the send', async () => {
    const {positions, signals} = tableWith([])
    const {signal} = new AbortController()
    await positions.rowsNotStored([message(1)], signal)
    expect(signals).toEqual([signal])
  })
})

const ROW = {device_id: 'd', ts: '1.000', co: 1, humidity: 2, light: 0, lpg: 3, motion: 1, smoke: 4, temp: 5} satisfies SensorRow

function message(offset: number | bigint, {partition = 't/0@1', rows = 1}: {partition?: string; rows?: number} = {}): MessageRows {
  return {position: {partition, offset: BigInt(offset)}, receivedAt: 1, rows: Array.from({length: rows}, () => ROW)}
}

/** Which of these messages have a row that is not stored. */
async function ownersOf(positions: StoredPositions, messages: readonly (number | MessageRows)[]): Promise<readonly number[]> {
  const whole = messages.map((each) => (typeof each === 'number' ? message(each) : each))
  return (await positions.rowsNotStored(whole, never)).map(({owner}) => owner)
}

interface Asked {
  readonly topic: string
  readonly partition: number
  readonly offset: string
  readonly index: number
  readonly limit: number
}

/** A client whose table has these positions, whichever partition is asked for. */
function tableWith(positions: readonly string[], pagePositions = 50_000, keptPositions = Infinity) {
  const rows = [...positions]
  const stored = {
    add(position: string) {
      rows.push(position)
      return stored
    },
  }
  const queries: Asked[] = []
  const answered: number[] = []
  const signals: AbortSignal[] = []
  const failures: Error[] = []
  const client: Pick<ClickHouse, 'query'> = {
    async query<Row>(_sql: string, parameters: unknown, signal: AbortSignal) {
      const asked = parameters as Asked
      queries.push(asked)
      signals.push(signal)
      const failure = failures.shift()
      if (failure) throw failure
      const [least, page] = [placeOf(`${asked.offset}/${asked.index}`), rows.map(placeOf).sort((one, other) => one - other)]
      const found = page.filter((place) => place >= least).slice(0, asked.limit)
      answered.push(found.length)
      return found.map((place) => ({position: `${Math.floor(place / 100)}/${place % 100}`})) as Row[]
    },
  }
  return {
    positions: createStoredPositions(client as ClickHouse, TABLE, {pagePositions, keptPositions}),
    stored,
    queries,
    answered,
    signals,
    failures,
  }
}

/** Ascending as the positions do. */
function placeOf(position: string): number {
  const [offset, index] = position.split('/').map(Number) as [number, number]
  return offset * 100 + index
}
