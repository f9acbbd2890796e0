import {expect, it} from 'vitest'
import type {Message} from '../../src/lib/core/types.ts'
import {isBalanced} from '../../src/lib/core/ledger.ts'
import {DataError, PartialWriteError, UnavailableError} from '../../src/lib/errors.ts'
import {fakePipeline, numbers} from '../fakes/pipeline.ts'
import {seededRandom} from '../fakes/random.ts'

/*
 * Random runs against a model: chunks, batches, outages, poison, revocations, stops and aborts as the seed has it.
 * Whatever happens: the ledger balances, acks come in read order without gaps, and every acked message is stored,
 * dead-lettered or filtered.
 */

const RUNS = 600
const PARTITIONS = ['t/0@1', 't/1@1', 't/2@1']

const isFiltered = (value: number) => value % 11 === 3
const isBadInput = (value: number) => value % 13 === 5
const isPoison = (row: number) => row % 17 === 2 // answered with a partial write
const isDeadly = (row: number) => row % 41 === 7 // answered with 500
const rowsOf = (value: number) => (value % 5 === 0 ? [value, value + 100_000] : [value])
const keyOf = (row: number) => row % 50

it(`keeps its promises in ${RUNS} random runs`, async () => {
  const endings: Record<string, number> = {}
  for (let seed = 1; seed <= RUNS; seed++) {
    const ending = await randomRun(seed)
    endings[ending] = (endings[ending] ?? 0) + 1
  }

  // The runs are of use only if they end in every way.
  for (const ending of ['complete', 'stopped', 'UnavailableError', 'Error']) expect(endings[ending], ending).toBeGreaterThan(5)
})

async function randomRun(seed: number): Promise<string> {
  const random = seededRandom(seed)
  const chance = (probability: number) => random() < probability
  const below = (limit: number) => Math.floor(random() * limit)
  const total = below(400)
  const hasRevocations = chance(0.3)
  const hasOutages = chance(0.5)
  const isDown = () => hasOutages && Math.imul(Math.floor(fake.clock.now() / 500) + seed, 0x9e3779b1) >>> 0 < 0x2fffffff // a fifth of the half seconds
  const explains = chance(0.5)
  const isOnePartitionABatch = chance(0.3)
  const acked: Message<unknown>[] = []
  const read: Message<number>[] = []

  const fake = fakePipeline({
    random,
    count: 1 + below(60),
    maxInFlight: 1 + below(3),
    key: keyOf,
    acked,
    async *read(signal, sleep) {
      for (let offset = 0; offset < total && !signal.aborted;) {
        const chunk = numbers(offset, 1 + below(40), () => PARTITIONS[below(3)]!).filter(({value}) => value < total)
        offset += chunk.length
        read.push(...chunk)
        yield chunk
        if (chance(0.1)) yield []
        if (chance(0.3)) await sleep(below(3000), signal).catch(() => {})
        if (hasRevocations && chance(0.1)) fake.revoke(PARTITIONS[below(3)]!)
      }
    },
    transform(value) {
      if (isBadInput(value)) throw new DataError('bad', 'bad input')
      return isFiltered(value) ? {filtered: 'odd'} : {rows: rowsOf(value)}
    },
    async send(rows, {sleep, signal}) {
      await sleep(below(200), signal)
      if (isDown()) throw chance(0.2) ? new UnavailableError('503') : new UnavailableError('500', {divisible: true})
      if (chance(0.002)) throw new Error('401')
      if (rows.some(isDeadly)) throw new UnavailableError('500', {divisible: true})
      if (rows.some(isPoison)) throw new PartialWriteError('poison')
    },
    sink: {
      onePartitionABatch: isOnePartitionABatch,
      ...(explains
        ? {
            explain: (rows) => [
              {rows: rows.flatMap((row, index) => (isPoison(row) && row % 2 ? [index] : [])), refused: new DataError('named', 'poison')},
            ],
          }
        : {}),
    },
    forMilliseconds: chance(0.1) ? 2000 : 120_000,
  })
  const never = new AbortController().signal
  if (chance(0.2)) void fake.clock.sleep(below(20_000), never).then(fake.stop)
  if (chance(0.1)) void fake.clock.sleep(below(20_000), never).then(fake.abort)

  const failure: unknown = await fake.run().then(
    () => undefined,
    (error: unknown) => error,
  )
  checkPromises({fake, read, acked, failure, isOnePartitionABatch}, `seed ${seed}`)
  const isStopped = fake.runtime.stop.aborted || fake.runtime.abort.aborted
  return failure ? (failure as Error).constructor.name : isStopped ? 'stopped' : 'complete'
}

interface Outcome {
  readonly fake: ReturnType<typeof fakePipeline>
  readonly read: readonly Message<number>[]
  readonly acked: readonly Message<unknown>[]
  readonly failure: unknown
  readonly isOnePartitionABatch: boolean
}

function checkPromises({fake, read, acked, failure, isOnePartitionABatch}: Outcome, context: string) {
  const {ledger, letters, rows, stored, events, runtime} = fake
  expect(isBalanced(ledger), context).toBe(true)
  expect(ledger.read, context).toBe(read.length)
  expect(ledger.unacknowledged, context).toBe(read.length - acked.length)
  for (const partition of PARTITIONS) {
    const offsets = (messages: readonly Message<unknown>[]) =>
      messages.filter(({position}) => position.partition === partition).map(({position}) => position.offset)
    expect(offsets(acked), `${context}: acks without gaps, in read order`).toEqual(offsets(read).slice(0, offsets(acked).length))
  }

  const dead = new Set(letters.map(({message, index}) => `${message.position.offset}/${index ?? ''}`))
  for (const {value} of acked as readonly Message<number>[]) {
    if (isFiltered(value) && !isBadInput(value)) continue
    if (isBadInput(value)) expect(dead.has(`${value}/`), `${context}: ${value}`).toBe(true)
    else
      for (const [index, row] of rowsOf(value).entries())
        expect(rows.has(row) || dead.has(`${value}/${index}`), `${context}: row ${row}`).toBe(true)
  }

  for (const {message, index} of letters) {
    if (index === undefined) continue
    const row = rowsOf(message.value as number)[index]!
    expect(isPoison(row) || isDeadly(row), `${context}: ${row} is innocent`).toBe(true)
  }

  if (ledger.unacknowledged === 0) {
    const good = read.filter(({value}) => !isBadInput(value) && !isFiltered(value)).flatMap(({value}) => rowsOf(value))
    const storable = good.filter((row) => !isPoison(row) && !isDeadly(row))
    // Where a batch holds one partition only, the order across partitions is not kept, and nobody promised it.
    if (isOnePartitionABatch) expect(new Set(stored.keys()), context).toEqual(new Set(storable.map(keyOf)))
    else expect(stored, `${context}: the last value wins`).toEqual(new Map(storable.map((row) => [keyOf(row), row])))
  }

  expect(failure && events.includes('complete'), context).toBeFalsy()
  if (!failure && !runtime.stop.aborted && !runtime.abort.aborted) expect(events, context).toContain('complete')
}
