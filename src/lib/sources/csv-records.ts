import type {FileHandle} from 'node:fs/promises'
import type {Readable} from 'node:stream'
import {addAbortSignal} from 'node:stream'
import {createReadStream} from 'node:fs'
import {open} from 'node:fs/promises'
import {parse} from 'csv-parse/sync'
import {IoError, UsageError} from '../errors.ts'
import {scanRecords} from '../format/csv-scan.ts'

/** A record of a CSV: its fields, or why it has none. */
export interface CsvRecord {
  /** As it stands in the file, for dead letters. */
  readonly text: Buffer
  readonly fields: readonly string[]
  readonly problem: string | undefined
}

export interface Dialect {
  readonly delimiter: ',' | ';'
  /** Trimmed, as the header names them. */
  readonly columns: readonly string[]
  /** Bytes before the first record. */
  readonly dataStart: number
}

/** What a header has to have, or else it is none: exports may begin with a row of stage names. */
export interface HeaderRule {
  isHeader(columns: readonly string[]): boolean
  /** For the error: "a column Timestamp". */
  readonly expects: string
}

const BLOCK_BYTES = 262_144
/** A header has to be complete within these. */
const HEAD_BYTES = 65_536
/** A record longer than this is a quote that nobody closed. */
const MAX_RECORD_BYTES = 64_000_000
const BOM = Buffer.from([0xef, 0xbb, 0xbf])

/** Rejects with UsageError when there is no such file. */
export async function openCsv(path: string): Promise<FileHandle> {
  const suggestion = 'Name the CSV with --file or CSV_FILE_PATH'
  const handle = await open(path, 'r').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') throw new UsageError(`there is no file ${path}`, {cause, suggestion})
    throw new IoError(`cannot read ${path}: ${cause.message}`, {cause})
  })
  if (!(await handle.stat()).isDirectory()) return handle
  await handle.close()
  throw new UsageError(`${path} is a folder`, {suggestion})
}

export async function readHead(handle: FileHandle): Promise<Buffer> {
  const {buffer, bytesRead} = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0)
  return buffer.subarray(0, bytesRead)
}

/** Finds delimiter and header in the first bytes of an input. `name` is for errors. Throws UsageError when there is no header, or one that names a column twice. */
export function detectDialect(head: Buffer, name: string, rule: HeaderRule): Dialect {
  const start = head.subarray(0, BOM.length).equals(BOM) ? BOM.length : 0
  const text = head.subarray(start)
  const firstLine = text.subarray(0, text.indexOf('\n') === -1 ? text.length : text.indexOf('\n')).toString()
  const delimiter = count(firstLine, ';') > count(firstLine, ',') ? ';' : ','
  const rows: {columns: readonly string[]; end: number}[] = []
  scanRecords(Buffer.concat([text, Buffer.from('\n')]), delimiter.charCodeAt(0), (from, to) => {
    if (rows.length === 2 || from === to) return
    const lineEnd = text.indexOf('\n', to)
    rows.push({
      columns: parseRecord(text.subarray(from, to), delimiter).fields.map((field) => field.trim()),
      end: lineEnd === -1 ? text.length : lineEnd + 1,
    })
  })

  // The real header may stand below a row of stage names: "P1,P1,P2".
  const header = rows.find(({columns}) => rule.isHeader(columns))
  if (!header) {
    const found = rows[0]
      ? `its first line is "${rows[0].columns.slice(0, 8).join(delimiter)}${rows[0].columns.length > 8 ? '…' : ''}"`
      : 'it is empty'
    throw new UsageError(`${name} has no header with ${rule.expects}: ${found}`)
  }

  const twice = header.columns.filter((column, index) => column !== '' && header.columns.indexOf(column) !== index)
  if (twice.length > 0) {
    throw new UsageError(
      `${name} has two columns named ${[...new Set(twice)].map((column) => `"${column}"`).join(', ')} once the spaces are trimmed`,
      {
        suggestion: 'Remove one of each: the file was probably joined from exports whose headers differ',
      },
    )
  }

  return {delimiter, columns: header.columns, dataStart: start + header.end}
}

export interface CsvBlock {
  readonly bytes: Buffer
  /** Where the block begins in the input. */
  readonly offset: number
  /** Start and end of each complete record, in turn; blank lines are none. */
  readonly bounds: readonly number[]
}

/** Cuts an input that begins with the first record into blocks of whole records. */
export async function* csvBlocks(pieces: AsyncIterable<Buffer>, dialect: Dialect): AsyncGenerator<CsvBlock> {
  let pending: Buffer = Buffer.alloc(0)
  let offset = dialect.dataStart
  for await (const piece of pieces) {
    pending = pending.length === 0 ? piece : Buffer.concat([pending, piece])
    const block = cut(pending, offset, dialect)
    if (block.end === 0 && pending.length > MAX_RECORD_BYTES)
      throw new UsageError(`the record at byte ${offset} does not end: is a quote left open?`)
    if (block.bounds.length > 0) yield block
    offset += block.end
    pending = pending.subarray(block.end)
  }

  if (pending.length > 0) yield cut(Buffer.concat([pending, Buffer.from('\n')]), offset, dialect, pending.length)
}

function cut(bytes: Buffer, offset: number, {delimiter}: Dialect, length?: number): CsvBlock & {end: number} {
  const bounds: number[] = []
  const end = scanRecords(bytes, delimiter.charCodeAt(0), (start, stop) => {
    if (stop > start) bounds.push(start, stop)
  })
  // The input's end closes a record that a quote holds open: csv-parse will say what is wrong with it.
  if (length !== undefined && end < length) bounds.push(end, length)
  return {bytes, offset, bounds, end}
}

export function parseRecord(text: Buffer, delimiter: string): CsvRecord {
  try {
    return {text, fields: splitPlain(text.toString(), delimiter) ?? parseOdd(text, delimiter), problem: undefined}
  } catch (error) {
    return {text, fields: [], problem: (error as Error).message}
  }
}

/** Fields that are all in quotes or none, without a quote inside: what nearly every file has, in a fifth of the parser's time. */
function splitPlain(text: string, delimiter: string): string[] | undefined {
  if (!text.includes('"')) return text.split(delimiter)
  if (text.length < 2 || !text.startsWith('"') || !text.endsWith('"')) return undefined
  const fields = text.slice(1, -1).split(`"${delimiter}"`)
  return fields.some((field) => field.includes('"')) ? undefined : fields
}

function parseOdd(text: Buffer, delimiter: string): readonly string[] {
  const [fields = []] = parse(text, {delimiter, relax_column_count: true, ltrim: text.includes(' "'), skip_empty_lines: true})
  return fields
}

/** A file from a byte on, in pieces, until the signal fires. */
export function readPieces(path: string, start: number, signal: AbortSignal): AsyncIterable<Buffer> {
  return addAbortSignal(signal, createReadStream(path, {start, highWaterMark: BLOCK_BYTES})) as AsyncIterable<Buffer>
}

/** An input's first bytes, and then all of it without the dialect's header. */
export async function peek(input: Readable, signal: AbortSignal): Promise<{head: Buffer; after(bytes: number): AsyncIterable<Buffer>}> {
  const iterator = (addAbortSignal(signal, input) as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  const pieces: Buffer[] = []
  for (let bytes = 0; bytes < HEAD_BYTES;) {
    const next = await iterator.next()
    if (next.done) break
    pieces.push(next.value)
    bytes += next.value.length
  }

  const head = Buffer.concat(pieces)
  return {
    head,
    async *after(bytes) {
      yield head.subarray(bytes)
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value
    },
  }
}

const count = (text: string, character: string) => text.split(character).length - 1
