import {describe, expect, it} from 'vitest'
import type {InfluxQueryClient} from '../../src/lib/clients/influx-query.ts'
import type {Message} from '../../src/lib/core/types.ts'
import type {FluxRows} from '../../src/lib/format/annotated-csv.ts'
import type {FluxPoint} from '../../src/lib/format/flux-point.ts'
import {createLimit} from '../../src/lib/core/limit.ts'
import {UnavailableError} from '../../src/lib/errors.ts'
import {pointCells} from '../../src/lib/format/flux-point.ts'
import {createInfluxQuerySource} from '../../src/lib/sources/influx-query.ts'
import {describeSource, messagesOf} from '../contract/source.ts'

type Query = InfluxQueryClient['query']

/** A table of texts, of one series or of as many as it has rows. */
function tableOf(texts: readonly string[], isOneSeries = true): FluxRows {
  const columns = [
    {name: 'host', type: 'string', isGroupKey: isOneSeries},
    {name: '_time', type: 'dateTime', isGroupKey: false},
    {name: '_value', type: 'string', isGroupKey: false},
  ] as const
  return {
    table: {result: '_result', number: '0', columns},
    rows: texts.map((text, index) => [isOneSeries ? 'a' : `h${index}`, `t${index}`, text]),
  }
}

async function* partsOf(texts: readonly string[]): AsyncGenerator<FluxRows> {
  const {table, rows} = tableOf(texts)
  for (let at = 0; at < rows.length; at += 700) yield {table, rows: rows.slice(at, at + 700)}
}

function openSource(query: Query, own: Partial<Parameters<typeof createInfluxQuerySource>[0]> = {}) {
  return createInfluxQuerySource({
    client: {target: 'http://source', query, close() {}},
    request: {flux: 'from(bucket: "b")', now: 0},
    partition: 'a/b/c/0',
    firstOffset: 5_000_000_000_000_000,
    queries: createLimit(1),
    answers: createLimit(1),
    bounded: (_, request) => request(),
    async complete() {},
    ...own,
  })
}

const textOf = (point: FluxPoint) => point.cell(2)
const endless: Query = async function* ({signal}) {
  await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  yield tableOf([])
}
const failing: Query = async function* () {
  yield tableOf(['1'])
  throw new UnavailableError('broken off')
}

describeSource('an answer to a query', {
  open: async (texts) => openSource(() => partsOf(texts)),
  textOf,
  openQuiet: async () => openSource(endless),
  openFailing: async () => openSource(failing),
})

describe('a row', () => {
  it.each([true, false])('has all of its cells (of one series: %s)', async (isOneSeries) => {
    async function* query() {
      yield tableOf(['x', 'y'], isOneSeries)
    }
    const found = (await messagesOf(openSource(query))).map(({value}) => pointCells(value))
    expect(found).toEqual([
      {host: isOneSeries ? 'a' : 'h0', _time: 't0', _value: 'x'},
      {host: isOneSeries ? 'a' : 'h1', _time: 't1', _value: 'y'},
    ])
  })

  it('has a position that no other run gives', async () => {
    const source = openSource(() => partsOf(['x', 'y']))
    const positions = (await messagesOf(source)).map(({position}) => source.describe(position))
    expect(positions).toEqual(['a/b/c/0/5000000000000000', 'a/b/c/0/5000000000000001'])
  })
})

describe('an answer', () => {
  it('that breaks off is not complete, and tells what is not settled', async () => {
    const source = openSource(failing)
    await expect(messagesOf(source)).rejects.toThrow('broken off')
    expect(source.failure()).toMatchObject({message: 'broken off'})
    expect(source.unsettled()).toBe(0) // what was not handed on is nobody's
  })

  it('counts what was handed on and not acknowledged', async () => {
    const source = openSource(() => partsOf(Array.from({length: 1500}, () => 'x')))
    const chunks = source.read(new AbortController().signal)[Symbol.asyncIterator]()
    const {value: chunk} = (await chunks.next()) as {value: readonly Message<FluxPoint>[]}
    expect(source.unsettled()).toBe(1000)
    await source.ack(chunk.slice(0, 400))
    expect(source.unsettled()).toBe(600)
  })

  it('takes a place among those that are read when it begins to come, and gives it back also when it fails', async () => {
    const [queries, answers] = [createLimit(1), createLimit(1)]
    const quiet = openSource(endless, {answers})
    const stopping = new AbortController()
    const waiting = messagesOf(quiet, stopping.signal) // holds no place while nothing comes
    expect(await messagesOf(openSource(() => partsOf(['x']), {queries, answers}))).toHaveLength(1)
    await expect(messagesOf(openSource(failing, {queries, answers}))).rejects.toThrow('broken off')
    expect(await messagesOf(openSource(() => partsOf(['x']), {queries, answers}))).toHaveLength(1)
    stopping.abort()
    await waiting
  })
})
