import type {Readable} from 'node:stream'
import type {Message, Source} from '../core/types.ts'
import type {CsvBlock, CsvFile, CsvRecord, Dialect, HeaderRule} from './csv-records.ts'
import type {RowChoice} from './csv-order.ts'
import {CHUNK_BYTES, CHUNK_MESSAGES} from './chunks.ts'
import {deviceOf, isChosen, readRecords, sortRows, surveyRows, timeOf} from './csv-order.ts'
import {csvBlocks, detectDialect, openCsv, parseRecord, peek, readHead, readPieces} from './csv-records.ts'

export interface CsvSourceOptions {
  /** A path, or a stream that is read as it comes. */
  readonly input: string | Readable
  /** What the input is called in logs and dead letters. */
  readonly name: string
  readonly header: HeaderRule
  /** Given the columns: which rows, of a file in ascending order of time. Undefined: every row as it stands. */
  choose(columns: readonly string[]): RowChoice | undefined
  /** Rows in all, after choosing; also those before `skip`. */
  readonly maxRows: number
  /** So many rows are left out, and of a loop that many in all, not of each round. */
  readonly skip: number
  /** Begins again at the end, for ever, unless there is no row. */
  readonly loops: boolean
  /** Told of a row of a stream whose time is before that of its device's row before it. */
  onDescent?(device: string): void
}

export interface CsvSource extends Source<CsvRecord> {
  /** Opens the input and reads its header. Rejects with UsageError when it is missing or has none. */
  open(signal: AbortSignal): Promise<Dialect>
  /** How many rows there are to read, once it is known; of a loop there is no such number. */
  total(): number | undefined
}

const ROW_OVERHEAD_BYTES = 500

/** Where a row begins, and its bytes. */
interface Row {
  readonly start: number
  readonly text: Buffer
}

/** Rows of a CSV. A file whose rows ascend in time is streamed; another is read in order through an index of its times. */
export function createCsvSource(options: CsvSourceOptions): CsvSource {
  const {input, name} = options
  let file: CsvFile | undefined
  let dialect: Dialect | undefined
  let rest: ((start: number, signal: AbortSignal) => AsyncIterable<Buffer>) | undefined // of a stream that was peeked into
  let rowsInFile: number | undefined // that are asked for, also those before `skip`

  return {
    open,
    read,
    total: () => (options.loops || rowsInFile === undefined ? undefined : Math.max(0, rowsInFile - options.skip)),
    async ack() {},
    async complete() {},
    describe: ({offset}) => `${name}/0/${offset}`,
    async close() {
      await file?.handle.close()
    },
  }

  async function open(signal: AbortSignal): Promise<Dialect> {
    if (typeof input === 'string') {
      file = await openCsv(input)
      dialect = detectDialect(await readHead(file), name, options.header)
    } else {
      const {head, after} = await peek(input, name, options.header, signal)
      dialect = detectDialect(head, name, options.header)
      rest = after
    }

    return dialect
  }

  async function* read(signal: AbortSignal): AsyncGenerator<readonly Message<CsvRecord>[]> {
    try {
      const found = dialect ?? (await open(signal))
      let toSkip = options.skip
      let position: number // in this round
      do {
        position = 0
        for await (const rows of rowsOf(found, signal)) {
          const limit = rowsInFile ?? options.maxRows
          const taken = rows.slice(0, limit - position)
          for (const chunk of chunksOf(taken.slice(toSkip))) {
            if (signal.aborted) return
            yield toMessages(chunk, found)
          }

          toSkip = Math.max(0, toSkip - taken.length)
          position += taken.length
          if (position >= limit) break
        }
      } while (options.loops && position > 0)
    } catch (error) {
      if (!signal.aborted) throw error // an input that we stopped says that it was aborted
    }
  }

  /** The rows that are asked for, in their order. */
  async function* rowsOf(found: Dialect, signal: AbortSignal): AsyncGenerator<readonly Row[]> {
    const choice = options.choose(found.columns)
    const asItStands = () => {
      const pieces = file ? readPieces(file, found.dataStart, signal) : rest!(found.dataStart, signal)
      return streamed(csvBlocks(pieces, found), found, choice)
    }

    if (!file || !choice) {
      yield* asItStands()
      return
    }

    const {rows, isAscending} = await surveyRows(file, found, choice, signal)
    const counted = [...rows].map(([device, count]) => (device === '' ? count : Math.min(count, choice.rowsPerDevice)))
    rowsInFile = Math.min(options.maxRows, sum(counted))
    if (isAscending) yield* asItStands()
    else yield* readRecords(file, await sortRows(file, found, choice, signal))
  }

  async function* streamed(blocks: AsyncIterable<CsvBlock>, found: Dialect, choice: RowChoice | undefined): AsyncGenerator<readonly Row[]> {
    const chooser = choice && rowChooser(choice, found, file ? undefined : options.onDescent)
    for await (const {bytes, offset, bounds} of blocks) {
      const rows: Row[] = []
      for (let index = 0; index < bounds.length; index += 2) {
        const text = bytes.subarray(bounds[index], bounds[index + 1])
        if (!chooser || chooser.choose(text)) rows.push({start: offset + bounds[index]!, text})
      }

      yield rows
      if (chooser?.isDone()) return
    }
  }

  function toMessages(rows: readonly Row[], {delimiter}: Dialect): readonly Message<CsvRecord>[] {
    return rows.map((row) => ({
      value: parseRecord(row.text, delimiter),
      position: {partition: name, offset: BigInt(row.start)},
      bytes: bytesOf(row),
    }))
  }
}

/** Counts rows by device, and says of each whether it is asked for. */
function rowChooser(choice: RowChoice, dialect: Dialect, onDescent: CsvSourceOptions['onDescent']) {
  const devices = new Map<string, {count: number; latest: number}>()
  return {
    choose(text: Buffer): boolean {
      const device = deviceOf(text, dialect, choice)
      if (!isChosen(device, choice)) return false
      if (device === '') return true
      const seen = devices.get(device) ?? {count: 0, latest: -Infinity}
      if (seen.count++ === 0) devices.set(device, seen)
      if (onDescent) {
        const time = timeOf(text, dialect, choice)
        if (time < seen.latest) onDescent(device)
        else if (!Number.isNaN(time)) seen.latest = time
      }

      return seen.count <= choice.rowsPerDevice
    },
    /** Of one device only so many are asked for; of every device there may always be another. */
    isDone: () => choice.device !== undefined && (devices.get(choice.device)?.count ?? 0) >= choice.rowsPerDevice,
  }
}

/** Neither too long nor too heavy. */
function* chunksOf(rows: readonly Row[]): Generator<readonly Row[]> {
  let [first, bytes] = [0, 0]
  for (const [index, row] of rows.entries()) {
    const size = bytesOf(row)
    if (index > first && (index - first === CHUNK_MESSAGES || bytes + size > CHUNK_BYTES)) {
      yield rows.slice(first, index)
      ;[first, bytes] = [index, 0]
    }

    bytes += size
  }

  if (first < rows.length) yield rows.slice(first)
}

const bytesOf = ({text}: Row) => text.length + ROW_OVERHEAD_BYTES

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)
