import type {InfluxQueryClient} from '../clients/influx-query.ts'
import type {Limit} from '../core/limit.ts'
import type {Bounded} from '../core/retry.ts'
import type {Message, Position, Source} from '../core/types.ts'
import type {FluxRow, FluxRows, FluxTable} from '../format/annotated-csv.ts'
import type {FluxPoint} from '../format/flux-point.ts'
import type {FluxRequest} from '../format/flux-query.ts'
import {takePlace} from '../core/limit.ts'
import {createChunks, MESSAGE_OVERHEAD_BYTES} from './chunks.ts'

export interface InfluxQuerySourceOptions {
  readonly client: InfluxQueryClient
  readonly request: FluxRequest
  readonly partition: string
  /** Offset of the first row. */
  readonly firstOffset: number
  /** How many queries the server is asked at a time. */
  readonly queries: Limit
  /** How many answers are read at a time, of all servers: each holds some memory. One takes a place when it has begun to come. */
  readonly answers: Limit
  /** Waits for the beginning of the answer. */
  readonly bounded: Bounded
  /** All of the answer is durable. */
  complete(): Promise<void>
}

export interface InfluxQuerySource extends Source<FluxPoint> {
  /** Read so far. */
  rows(): number
  /** Handed on and not acknowledged. */
  unsettled(): number
  /** Why the server did not answer, or not to the end. */
  failure(): unknown
}

/** The answer to one query, a message a row. It comes to an end only with the whole answer. */
export function createInfluxQuerySource(options: InfluxQuerySourceOptions): InfluxQuerySource {
  const {client, partition} = options
  let [rows, handedOn, settledRows] = [0, 0, 0]
  let failure: unknown

  return {
    async *read(signal) {
      try {
        yield* chunksOf(signal)
      } catch (error) {
        if (signal.aborted) return // by a signal a read ends, and does not fail
        failure = error
        throw error
      }
    },
    async ack(settled) {
      settledRows += settled.length
    },
    complete: () => options.complete(),
    describe: ({offset}) => `${partition}/${offset}`,
    async close() {},
    unsettled: () => handedOn - settledRows,
    rows: () => rows,
    failure: () => failure,
  }

  async function* chunksOf(signal: AbortSignal): AsyncGenerator<readonly Message<FluxPoint>[]> {
    const chunks = createChunks<FluxPoint>()
    let shared: SharedCells | undefined
    for await (const {table, rows: own} of answer(signal)) {
      const isShared = isOneSeries(table)
      for (const row of own) {
        if (!isShared || shared?.table !== table) shared = sharedCells(table, row)
        const full = chunks.add(new RowMessage(options, rows, shared, row))
        rows++
        if (full) yield* handOn(full)
        if (signal.aborted) return
      }
    }

    yield* handOn(chunks.rest() ?? [])
  }

  function* handOn(chunk: readonly Message<FluxPoint>[]): Generator<readonly Message<FluxPoint>[]> {
    handedOn += chunk.length
    if (chunk.length > 0) yield chunk
  }

  async function* answer(signal: AbortSignal): AsyncGenerator<FluxRows> {
    const leaves = [await takePlace(options.queries, signal)]
    const parts = client.query({...options.request, signal})[Symbol.asyncIterator]()
    try {
      let part = await options.bounded(client.target, () => parts.next())
      if (!part.done) leaves.push(await takePlace(options.answers, signal))
      for (; !part.done; part = await parts.next()) yield part.value
    } finally {
      for (const leave of leaves) leave()
      await parts.return?.()
    }
  }
}

/** What the rows of a table share: where all other columns are the same in each, a row is its time and its value. */
interface SharedCells {
  readonly table: FluxTable
  readonly row: FluxRow
  readonly time: number
  readonly value: number
  readonly bytes: number
}

function sharedCells(table: FluxTable, row: FluxRow): SharedCells {
  const [time, value] = ['_time', '_value'].map((name) => table.columns.findIndex((column) => column.name === name)) as [number, number]
  return {table, row, time, value, bytes: MESSAGE_OVERHEAD_BYTES + row.reduce((sum, cell) => sum + cell.length, 0)}
}

const isOneSeries = ({columns}: FluxTable) => columns.every(({name, isGroupKey}) => isGroupKey || name === '_time' || name === '_value')

/** The cells of its row are let go where the table has them: of a million rows in flight they would be most of the garbage. */
class RowMessage implements Message<FluxPoint>, FluxPoint {
  readonly #place: Place
  readonly #index: number
  readonly #shared: SharedCells
  readonly #time: string
  readonly #value: string

  constructor(place: Place, index: number, shared: SharedCells, row: FluxRow) {
    this.#place = place
    this.#index = index
    this.#shared = shared
    this.#time = row[shared.time] ?? ''
    this.#value = row[shared.value] ?? ''
  }

  get table(): FluxTable {
    return this.#shared.table
  }

  cell(column: number): string {
    if (column === this.#shared.time) return this.#time
    if (column === this.#shared.value) return this.#value
    return this.#shared.row[column]!
  }

  get value(): FluxPoint {
    return this
  }

  get position(): Position {
    const {partition, firstOffset} = this.#place
    return {partition, offset: BigInt(firstOffset + this.#index)}
  }

  get bytes(): number {
    return this.#shared.bytes + this.#value.length
  }
}

/** What all messages of a source share; a number as large as an offset would cost each an object of its own. */
type Place = Pick<InfluxQuerySourceOptions, 'partition' | 'firstOffset'>
