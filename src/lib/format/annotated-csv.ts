import {isUtf8} from 'node:buffer'
import {parse} from 'csv-parse/sync'
import {scanRecords} from './csv-scan.ts'
import {type FluxType, fluxTypeOf} from './flux-value.ts'

/*
 * InfluxDB's answer to a Flux query: https://docs.influxdata.com/influxdb/v2/reference/syntax/annotated-csv/
 * It is written while the query runs. What fails after the first byte can no longer be told by the status: it is a table of its own at
 * the end, or the end is missing. An empty line follows each result; a text that does not end with one is not the whole answer.
 */

/** Rows of one table: all of them, or as many as were at hand. */
export interface FluxRows {
  /** The same object for all rows of a table. */
  readonly table: FluxTable
  readonly rows: readonly FluxRow[]
}

export interface FluxTable {
  /** The name that the query gave to `yield`, or "_result". */
  readonly result: string
  /** "0", "1" and so on within the result. */
  readonly number: string
  readonly columns: readonly FluxColumn[]
}

export interface FluxColumn {
  readonly name: string
  readonly type: FluxType
  /** Whether it has the same value in all rows of the table. */
  readonly isGroupKey: boolean
}

/** A text for each column, for `fluxValueOf`. It is empty where there is no value and for the empty string: the server writes both alike. */
export type FluxRow = readonly string[]

/**
 * `failed`: the server broke off, and the message is its own. `truncated`: the end is missing. `malformed`: it is something else.
 * `not UTF-8`: the message is a row that cannot be told as it is; the server takes any bytes for a text, and gives them back.
 */
export type AnnotatedCsvProblem = 'failed' | 'truncated' | 'malformed' | 'not UTF-8'

export class AnnotatedCsvError extends Error {
  readonly problem: AnnotatedCsvProblem

  constructor(problem: AnnotatedCsvProblem, message: string, options?: {cause: unknown}) {
    super(message, options)
    this.name = new.target.name
    this.problem = problem
  }
}

/** Leaves out tables without rows. Throws AnnotatedCsvError: what it has yielded before is then not all. */
export async function* readAnnotatedCsv(pieces: AsyncIterable<Buffer>): AsyncGenerator<FluxRows> {
  const tables = createTableReader()
  for await (const bytes of wholeRecords(pieces)) yield* tables.read(splitRecords(bytes))
  tables.end()
}

const [QUOTE, HASH, COMMA, NEWLINE, CARRIAGE_RETURN] = [0x22, 0x23, 0x2c, 0x0a, 0x0d]
/** A record that has grown beyond this is looked through again each time that it has doubled, not at each piece. */
const LONG_RECORD_BYTES = 262_144
/** A record longer than this is a quote that nobody closed. */
const MAX_RECORD_BYTES = 64_000_000

async function* wholeRecords(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let pending: Buffer[] = []
  let [pendingBytes, awaitedBytes] = [0, 0]
  let isFirst = true
  for await (const piece of pieces) {
    pending.push(piece)
    pendingBytes += piece.length
    if (pendingBytes < awaitedBytes) continue
    const block = Buffer.concat(pending)
    if (isFirst && block.length > 0) {
      refuseStranger(block)
      isFirst = false
    }

    const end = endOfRecords(block)
    if (end > 0) yield block.subarray(0, end)
    pending = [block.subarray(end)]
    pendingBytes = block.length - end
    if (pendingBytes > MAX_RECORD_BYTES) throw malformed(`a row is longer than ${MAX_RECORD_BYTES} bytes`)
    awaitedBytes = pendingBytes > LONG_RECORD_BYTES ? Math.min(pendingBytes * 2, MAX_RECORD_BYTES + 1) : 0
  }

  const block = Buffer.concat(pending)
  const end = endOfRecords(block)
  if (end > 0) yield block.subarray(0, end)
  if (end < block.length) throw new AnnotatedCsvError('truncated', 'it ends within a row')
}

/** An answer begins with an annotation, or with the line break of an empty result. A page that some proxy sent is not one that was cut off. */
function refuseStranger(block: Buffer): void {
  if (block[0] !== HASH && block[0] !== CARRIAGE_RETURN) throw malformed(`an annotation was expected, not "${shorten(block.toString())}"`)
}

const endOfRecords = (block: Buffer) => (block.includes(QUOTE) ? scanRecords(block, COMMA, () => {}) : block.lastIndexOf(NEWLINE) + 1)

type CsvRecord = readonly string[]

/** Where nothing is quoted, splitting takes a sixth of the parser's time. */
function splitRecords(bytes: Buffer): readonly CsvRecord[] {
  // The server writes a line feed within a text as CRLF, and drops a CR: https://github.com/golang/go/blob/go1.25.0/src/encoding/csv/writer.go#L92
  const text = bytes.toString().replaceAll('\r\n', '\n')
  if (text.includes('\uFFFD') && !isUtf8(bytes)) throw new AnnotatedCsvError('not UTF-8', shorten(flawedLine(text)))
  if (!text.includes('"')) return linesOf(text).map((line) => line.split(','))
  try {
    return parse(text, {record_delimiter: '\n', relax_column_count: true})
  } catch (cause) {
    throw malformed((cause as Error).message, {cause})
  }
}

const linesOf = (text: string) => text.slice(0, -1).split('\n')

const flawedLine = (text: string) => linesOf(text).find((line) => line.includes('\uFFFD'))!

/** The first cells of a record: its annotation, its result, its table's number. The others are the table's own. */
const [ANNOTATION, RESULT, NUMBER, OWN] = [0, 1, 2, 3] as const

function createTableReader() {
  const annotations = new Map<string, CsvRecord>()
  let schema: Schema | undefined
  let part: {readonly table: FluxTable; readonly rows: FluxRow[]} | undefined
  let first: CsvRecord = [] // of the part's table
  let isWhole = false

  return {
    *read(records: readonly CsvRecord[]): Generator<FluxRows> {
      for (const record of records) {
        if (part && !isOfTable(record, first)) {
          if (part.rows.length > 0) yield part
          part = undefined
        }

        isWhole = isBlank(record)
        if (schema && !isWhole && record[ANNOTATION] === '') {
          const cells = cellsOf(record, schema)
          if (!part) [part, first] = [{table: tableOf(record, schema), rows: []}, record]
          part.rows.push(cells)
        } else schema = readHead(record)
      }

      if (part && part.rows.length > 0) {
        yield part
        part = {table: part.table, rows: []}
      }
    },
    end() {
      if (!isWhole) throw new AnnotatedCsvError('truncated', 'the empty line after its last result is missing')
    },
  }

  function readHead(record: CsvRecord): Schema | undefined {
    const name = record[ANNOTATION]!
    if (name === '' && !isBlank(record)) {
      const found = schemaOf(record, annotations)
      annotations.clear()
      return found
    }

    if (name !== '') annotations.set(annotationOf(name), record)
    else if (annotations.size > 0) throw malformed('its annotations have no header')
    return undefined
  }
}

const isBlank = (record: CsvRecord) => record.length === 1 && record[ANNOTATION] === ''

const isOfTable = (record: CsvRecord, first: CsvRecord) =>
  record[ANNOTATION] === '' && record[NUMBER] === first[NUMBER] && record[RESULT] === first[RESULT]

/** What annotations and header say of the rows below them, which may be those of several tables. */
interface Schema {
  readonly width: number
  readonly columns: readonly FluxColumn[]
  readonly defaults: CsvRecord
  readonly hasDefaults: boolean
  /** Its row is no row, but the message of a query that has failed. */
  readonly isFailure: boolean
}

const ANNOTATIONS = ['#datatype', '#group', '#default']

function annotationOf(name: string): string {
  if (ANNOTATIONS.includes(name)) return name
  throw malformed(`an annotation was expected, not "${shorten(name)}"`)
}

function schemaOf(header: CsvRecord, annotations: ReadonlyMap<string, CsvRecord>): Schema {
  const [datatypes, groups, defaults] = ANNOTATIONS.map((name) => {
    const cells = annotations.get(name)
    if (!cells) throw malformed(`there is no ${name} before "${shorten(header.join(','))}"`)
    if (cells.length !== header.length) throw malformed(`${name} has ${cells.length} cells, the header ${header.length}`)
    return cells
  }) as [CsvRecord, CsvRecord, CsvRecord]

  const isFailure = header[RESULT] === 'error' && header[NUMBER] === 'reference'
  if (!isFailure && (header[RESULT] !== 'result' || header[NUMBER] !== 'table')) {
    throw malformed(`its header does not begin with result and table: "${shorten(header.join(','))}"`)
  }

  const columns = header.slice(OWN).map((name, index) => {
    const datatype = datatypes[OWN + index]!
    const type = fluxTypeOf(datatype)
    if (!type) throw malformed(`column "${shorten(name)}" has the unknown datatype "${shorten(datatype)}"`)
    return {name, type, isGroupKey: groups[OWN + index] === 'true'}
  })
  return {width: header.length, columns, defaults, hasDefaults: defaults.slice(OWN).some((cell) => cell !== ''), isFailure}
}

function cellsOf(record: CsvRecord, {width, defaults, hasDefaults}: Schema): FluxRow {
  if (record.length !== width) throw malformed(`a row has ${record.length} cells, its header ${width}`)
  const cells = record.slice(OWN)
  return hasDefaults ? cells.map((cell, index) => cell || defaults[OWN + index]!) : cells
}

function tableOf(record: CsvRecord, {columns, defaults, isFailure}: Schema): FluxTable {
  if (isFailure) throw new AnnotatedCsvError('failed', record[RESULT]!)
  return {result: record[RESULT]! || defaults[RESULT]!, number: record[NUMBER]! || defaults[NUMBER]!, columns}
}

const malformed = (message: string, options?: {cause: unknown}) => new AnnotatedCsvError('malformed', message, options)

const shorten = (text: string) => (text.length > 80 ? `${text.slice(0, 80)}…` : text)
