import {isUtf8} from 'node:buffer'
import type {CsvFile, Dialect} from './csv-records.ts'
import {IoError, UsageError} from '../errors.ts'
import {fieldAt, isWellQuoted} from '../format/csv-scan.ts'
import {csvBlocks, readAt, readPieces} from './csv-records.ts'

/** Which rows of a file are asked for, and by what they are ordered. */
export interface RowChoice {
  /** Indexes of the columns. */
  readonly deviceColumn: number
  readonly timeColumn: number
  /** Undefined: every device. */
  readonly device: string | undefined
  readonly rowsPerDevice: number
}

export interface Survey {
  /** Rows of each device that is asked for; a row that does not tell its device belongs to the device "". */
  readonly rows: ReadonlyMap<string, number>
  /** Whether each device's times ascend as the file stands. */
  readonly isAscending: boolean
}

/** Above this the index would take more memory than a stream should. */
const MAX_INDEXED_ROWS = 10_000_000

/** Reads a file once, keeping a time and a count for each device, to learn whether its rows can be streamed as they stand. */
export async function surveyRows(file: CsvFile, dialect: Dialect, choice: RowChoice, signal: AbortSignal): Promise<Survey> {
  const devices = new Map<string, {rows: number; latest: number}>()
  let isAscending = true
  for await (const rows of chosenRows(file, dialect, choice, signal)) {
    for (const {device, time} of rows) {
      const seen = devices.get(device) ?? {rows: 0, latest: -Infinity}
      if (seen.rows++ === 0) devices.set(device, seen)
      if (time < seen.latest) isAscending = false
      else if (!Number.isNaN(time)) seen.latest = time
    }
  }

  return {rows: new Map([...devices].map(([device, {rows}]) => [device, rows])), isAscending}
}

/** Where the chosen rows lie, in ascending order of time: start and end of each, in turn. Rows whose time is no number come last, to be refused. */
export async function sortRows(file: CsvFile, dialect: Dialect, choice: RowChoice, signal: AbortSignal): Promise<Float64Array> {
  const [times, starts, ends, devices]: [number[], number[], number[], string[]] = [[], [], [], []]
  const names = new Map<string, string>() // one text for each device, not for each row
  for await (const rows of chosenRows(file, dialect, choice, signal)) {
    for (const row of rows) {
      times.push(Number.isNaN(row.time) ? Infinity : row.time)
      starts.push(row.start)
      ends.push(row.end)
      if (!names.has(row.device)) names.set(row.device, row.device)
      devices.push(names.get(row.device)!)
    }

    if (times.length > MAX_INDEXED_ROWS) {
      throw new UsageError(
        `${file.path}: its rows are not in the order of their times, and more than ${MAX_INDEXED_ROWS / 1e6} million are too many to sort here`,
        {
          suggestion: 'Sort the file by its ts column',
        },
      )
    }
  }

  const order = Uint32Array.from(times.keys()).sort((a, b) => times[a]! - times[b]!) // stable, so equal times stay as they stand
  const taken = new Map<string, number>()
  const chosen = order.filter((row) => {
    const count = (taken.get(devices[row]!) ?? 0) + 1
    taken.set(devices[row]!, count)
    return devices[row] === '' || count <= choice.rowsPerDevice
  })
  const bounds = new Float64Array(chosen.length * 2)
  chosen.forEach((row, index) => bounds.set([starts[row]!, ends[row]!], index * 2))
  return bounds
}

interface ChosenRow {
  readonly device: string
  readonly time: number
  readonly start: number
  readonly end: number
}

async function* chosenRows(file: CsvFile, dialect: Dialect, choice: RowChoice, signal: AbortSignal): AsyncGenerator<readonly ChosenRow[]> {
  for await (const {bytes, offset, bounds} of csvBlocks(readPieces(file, dialect.dataStart, signal), dialect)) {
    const rows: ChosenRow[] = []
    for (let index = 0; index < bounds.length; index += 2) {
      const record = bytes.subarray(bounds[index], bounds[index + 1])
      const device = deviceOf(record, dialect, choice)
      if (!isChosen(device, choice)) continue
      rows.push({device, time: timeOf(record, dialect, choice), start: offset + bounds[index]!, end: offset + bounds[index + 1]!})
    }

    yield rows
  }
}

/** "" where a row does not tell: it is too short, or its quotes are wrong, and then it may have swallowed rows of any device. */
export function deviceOf(record: Buffer, {delimiter}: Dialect, {deviceColumn}: RowChoice): string {
  const code = delimiter.charCodeAt(0)
  const device = isWellQuoted(record, code) ? (fieldAt(record, code, deviceColumn) ?? '') : ''
  return device.includes('\uFFFD') && !isUtf8(record) ? '' : device
}

/** NaN when it is no number. */
export function timeOf(record: Buffer, {delimiter}: Dialect, {timeColumn}: RowChoice): number {
  return Number((fieldAt(record, delimiter.charCodeAt(0), timeColumn) || 'NaN').replace(',', '.'))
}

/** A row that does not tell its device is chosen by everyone, to be refused and counted. */
export const isChosen = (device: string, choice: RowChoice) => choice.device === undefined || device === choice.device || device === ''

const RECORDS_AT_ONCE = 500
const BYTES_AT_ONCE = 1_000_000

/** Reads records in the order of their bounds, which may jump about. */
export async function* readRecords(file: CsvFile, bounds: Float64Array): AsyncGenerator<readonly {text: Buffer; start: number}[]> {
  for (let first = 0; first < bounds.length;) {
    const group = bounds.subarray(first, endOfGroup(bounds, first))
    first += group.length
    const reads = Array.from({length: group.length / 2}, async (_, index) => {
      const [start, end] = [group[2 * index]!, group[2 * index + 1]!]
      const text = await readAt(file, start, end - start)
      if (text.length < end - start) throw new IoError(`${file.path} has become shorter while it was read`)
      return {text, start}
    })
    yield await Promise.all(reads)
  }
}

/** At least one record, and as many more as are not too heavy together. */
function endOfGroup(bounds: Float64Array, first: number): number {
  const most = Math.min(bounds.length, first + 2 * RECORDS_AT_ONCE)
  let bytes = 0
  for (let index = first; index < most; index += 2) {
    bytes += bounds[index + 1]! - bounds[index]!
    if (bytes > BYTES_AT_ONCE && index > first) return index
  }

  return most
}
