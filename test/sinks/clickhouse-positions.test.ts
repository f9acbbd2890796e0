import {describe, expect, it} from 'vitest'
import type {ClickHouse} from '../../src/lib/clients/clickhouse.ts'
import type {MessageRows, SensorRow} from '../../src/lib/transforms/to-row.ts'
import {UnavailableError} from '../../src/lib/errors.ts'
import {createStoredPositions} from '../../src/lib/sinks/clickhouse-positions.ts'

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
    expect(queries).toEqual([{topic: 'sensor.data-1', partition: 12, from: '17'}])
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
    expect(queries.map(({topic, partition}) => `${String(topic)}/${String(partition)}`)).toEqual(['t/0', 't/1', 't/10', 'u/0'])
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
    expect(queries.map(({from}) => from)).toEqual(['1', '5'])
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

/** A client whose table has these positions, whichever partition is asked for. */
function tableWith(positions: readonly string[]) {
  const stored = new Set(positions)
  const queries: Readonly<Record<string, unknown>>[] = []
  const signals: AbortSignal[] = []
  const failures: Error[] = []
  const client: Pick<ClickHouse, 'query'> = {
    async query<Row>(_sql: string, parameters: Readonly<Record<string, unknown>>, signal: AbortSignal) {
      queries.push(parameters)
      signals.push(signal)
      const failure = failures.shift()
      if (failure) throw failure
      return [...stored].map((position) => ({position})) as Row[]
    },
  }
  return {positions: createStoredPositions(client as ClickHouse, TABLE), stored, queries, signals, failures}
}
