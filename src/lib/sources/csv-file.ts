import type {Readable} from 'node:stream'
import type {Message, Source} from '../core/types.ts'
import type {CsvBlock, CsvRecord, Dialect, HeaderRule} from './csv-records.ts'
import type {RowChoice} from './csv-order.ts'
import type {FileHandle} from 'node:fs/promises'
import {fieldAt} from '../format/csv-scan.ts'
import {isChosen, readRecords, sortRows, surveyRows} from './csv-order.ts'
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
  readonly skip: number
  /** Begins again at the end, for ever. */
  readonly loops: boolean
  /** Told of a row of a stream whose time is before that of its device's row before it. */
  onDescent?(device: string): void
}

export interface CsvSource extends Source<CsvRecord> {
  /** Opens the input and reads its header. Rejects with UsageError when it is missing or has none. */
  open(signal: AbortSignal): Promise<Dialect>
  /** How many rows there are to read, once it is known. */
  total(): number | undefined
}

const CHUNK_MESSAGES = 1000
const CHUNK_BYTES = 1_000_000
const ROW_OVERHEAD_BYTES = 500

/** Where a row begins, and its bytes. */
interface Row {
  readonly start: number
  readonly text: Buffer
}

/** Rows of a CSV. A file whose rows ascend in time is streamed; another is read in order through an index of its times. */
export function createCsvSource(options: CsvSourceOptions): CsvSource {
  const {input, name, skip} = options
  let handle: FileHandle | undefined
  let dialect: Dialect | undefined
  let stream: AsyncIterable<Buffer> | undefined
  let total: number | undefined

  return {
    open,
    read,
    total: () => total,
    async ack() {},
    async complete() {},
    describe: ({offset}) => `${name}/0/${offset}`,
    async close() {
      await handle?.close()
    },
  }

  async function open(signal: AbortSignal): Promise<Dialect> {
    if (typeof input === 'string') {
      handle = await openCsv(input)
      dialect = detectDialect(await readHead(handle), name, options.header)
    } else {
      const {head, after} = await peek(input, signal)
      dialect = detectDialect(head, name, options.header)
      stream = after(dialect.dataStart)
    }

    return dialect
  }

  async function* read(signal: AbortSignal): AsyncGenerator<readonly Message<CsvRecord>[]> {
    const found = dialect ?? (await open(signal))
    try {
      do {
        let position = 0
        for await (const rows of rowsOf(found, signal)) {
          const wanted = rows.slice(Math.max(0, skip - position), options.maxRows - position)
          position += rows.length
          for (const chunk of chunksOf(wanted)) yield toMessages(chunk, found)
          if (position >= Math.min(options.maxRows, skip + (total ?? Infinity))) break
        }
      } while (options.loops && !signal.aborted)
    } catch (error) {
      if (!signal.aborted) throw error // a stream that we stopped says that it was aborted
    }
  }

  /** The rows that are asked for, in their order. */
  async function* rowsOf(found: Dialect, signal: AbortSignal): AsyncGenerator<readonly Row[]> {
    const choice = options.choose(found.columns)
    if (typeof input !== 'string' || !choice) {
      const pieces = typeof input === 'string' ? readPieces(input, found.dataStart, signal) : stream!
      yield* streamed(csvBlocks(pieces, found), found, choice)
      return
    }

    const {rows, isAscending} = await surveyRows(input, found, choice, signal)
    const counted = [...rows].map(([device, count]) => (device === '' ? count : Math.min(count, choice.rowsPerDevice)))
    total = Math.max(0, Math.min(options.maxRows, sum(counted)) - skip)
    if (isAscending) yield* streamed(csvBlocks(readPieces(input, found.dataStart, signal), found), found, choice)
    else yield* readRecords(handle!, await sortRows(input, found, choice, signal))
  }

  async function* streamed(blocks: AsyncIterable<CsvBlock>, found: Dialect, choice: RowChoice | undefined): AsyncGenerator<readonly Row[]> {
    const chooser = choice && rowChooser(choice, found, typeof input === 'string' ? undefined : options.onDescent)
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
    return rows.map(({start, text}) => ({
      value: parseRecord(text, delimiter),
      position: {partition: name, offset: BigInt(start)},
      bytes: text.length + ROW_OVERHEAD_BYTES,
    }))
  }
}

/** Counts rows by device, and says of each whether it is asked for. */
function rowChooser(choice: RowChoice, {delimiter}: Dialect, onDescent: CsvSourceOptions['onDescent']) {
  const code = delimiter.charCodeAt(0)
  const devices = new Map<string, {count: number; latest: number}>()
  return {
    choose(text: Buffer): boolean {
      const device = fieldAt(text, code, choice.deviceColumn) ?? ''
      if (!isChosen(device, choice)) return false
      if (device === '') return true
      const seen = devices.get(device) ?? {count: 0, latest: -Infinity}
      if (seen.count++ === 0) devices.set(device, seen)
      if (onDescent) {
        const time = Number(fieldAt(text, code, choice.timeColumn))
        if (time < seen.latest) onDescent(device)
        seen.latest = Math.max(seen.latest, time)
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
  for (const [index, {text}] of rows.entries()) {
    bytes += text.length
    if (index + 1 - first < CHUNK_MESSAGES && bytes < CHUNK_BYTES) continue
    yield rows.slice(first, index + 1)
    ;[first, bytes] = [index + 1, 0]
  }

  if (first < rows.length) yield rows.slice(first)
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)
