import {isUtf8} from 'node:buffer'
import type {FileHandle} from 'node:fs/promises'
import type {Readable} from 'node:stream'
import {addAbortSignal} from 'node:stream'
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
/** A record that has grown beyond this is looked through again each time that it has doubled, not at each piece. */
const LONG_RECORD_BYTES = 1_048_576
/** A header has to be complete within these. */
const HEAD_BYTES = 65_536
/** A record longer than this is a quote that nobody closed. */
const MAX_RECORD_BYTES = 64_000_000
const NEWLINE = 0x0a
const BOM = Buffer.from([0xef, 0xbb, 0xbf])

/** However often it is read: one and the same file, also when another takes its path. */
export interface CsvFile {
  readonly handle: FileHandle
  readonly path: string
}

/** Rejects with UsageError when there is no such file. */
export async function openCsv(path: string): Promise<CsvFile> {
  const suggestion = 'Name the CSV with --file or CSV_FILE_PATH'
  const handle = await open(path, 'r').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') throw new UsageError(`there is no file ${path}`, {cause, suggestion})
    throw new IoError(`cannot read ${path}: ${cause.message}`, {
      cause,
      suggestion: `Make it readable for this user, or name another with --file`,
    })
  })
  const stats = await handle.stat()
  if (stats.isFile()) return {handle, path}
  await handle.close()
  if (stats.isDirectory()) throw new UsageError(`${path} is a folder`, {suggestion})
  throw new UsageError(`${path} is no regular file`, {suggestion: `Give it to standard input: --file - < ${path}`})
}

export const readHead = (file: CsvFile) => readAt(file, 0, HEAD_BYTES)

/** So many bytes from a place on, or as many as there are. */
export async function readAt({handle, path}: CsvFile, start: number, length: number): Promise<Buffer> {
  try {
    const {buffer, bytesRead} = await handle.read(Buffer.allocUnsafe(length), 0, length, start)
    return buffer.subarray(0, bytesRead)
  } catch (cause) {
    throw readFailure(path, cause)
  }
}

/** Finds delimiter and header in the first bytes of an input. `name` is for errors. Throws UsageError when there is no header, or one that names a column twice. */
export function detectDialect(head: Buffer, name: string, rule: HeaderRule): Dialect {
  const {delimiter, rows} = firstRows(head)
  const header = rows.find(({columns}) => rule.isHeader(columns))
  if (!header) {
    const encoding = wideEncoding(head)
    if (encoding !== undefined) {
      throw new UsageError(`${name} looks like ${encoding} and not like UTF-8`, {suggestion: `Convert it: iconv -f ${encoding} -t UTF-8`})
    }

    const found = rows[0]
      ? `its first line is "${rows[0].columns.slice(0, 8).join(delimiter)}${rows[0].columns.length > 8 ? '…' : ''}"`
      : 'it is empty'
    throw new UsageError(`${name} has no header with ${rule.expects}: ${found}`, {suggestion: separatorHint(rows, rule)})
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

  return {delimiter, columns: header.columns, dataStart: header.end}
}

/** By its byte order mark, or because of text in Latin letters every second byte is 0. */
function wideEncoding(head: Buffer): string | undefined {
  const mark = head.subarray(0, 2).toString('hex')
  const bytes = head.subarray(0, 64)
  const zeros = (parity: number) => bytes.filter((byte, index) => index % 2 === parity && byte === 0).length
  if (mark === 'fffe' || zeros(1) > bytes.length / 3) return 'UTF-16LE'
  return mark === 'feff' || zeros(0) > bytes.length / 3 ? 'UTF-16BE' : undefined
}

/** Separators that some exports have and that are not understood. */
const OTHER_SEPARATORS = {'\t': 'tabs', '|': '|'} as const

function separatorHint(rows: readonly FirstRow[], rule: HeaderRule): string | undefined {
  const isHeader = (separator: string) => rows.some(({line}) => rule.isHeader(line.split(separator).map(unquoted)))
  const found = Object.entries(OTHER_SEPARATORS).find(([separator]) => isHeader(separator))
  return found && `Its fields are separated by ${found[1]}: convert it, commas and semicolons are understood`
}

const unquoted = (column: string) => column.trim().replace(/^"(.*)"$/, '$1')

interface FirstRow {
  readonly line: string
  readonly columns: readonly string[]
  /** Where the next one begins. */
  readonly end: number
  /** Whether its line break is there. */
  readonly isComplete: boolean
}

/** Two rows that are not blank: the real header may stand below a row of stage names, "P1,P1,P2". */
function firstRows(head: Buffer): {delimiter: ',' | ';'; rows: readonly FirstRow[]} {
  const start = head.subarray(0, BOM.length).equals(BOM) ? BOM.length : 0
  const text = Buffer.concat([head.subarray(start), Buffer.from('\n')])
  const firstLine = text.subarray(0, text.indexOf('\n')).toString()
  const delimiter = count(firstLine, ';') > count(firstLine, ',') ? ';' : ','
  const rows: FirstRow[] = []
  scanRecords(text, delimiter.charCodeAt(0), (from, to) => {
    if (rows.length === 2 || from === to) return
    const columns = parseRecord(text.subarray(from, to), delimiter).fields.map((field) => field.trim())
    const end = start + text.indexOf('\n', to) + 1
    rows.push({line: text.toString('utf8', from, to), columns, end: Math.min(end, head.length), isComplete: end <= head.length})
  })
  return {delimiter, rows}
}

/** Whether more bytes could not tell more about the header. */
function hasHeader(head: Buffer, rule: HeaderRule): boolean {
  const rows = firstRows(head).rows.filter(({isComplete}) => isComplete)
  return head.length >= HEAD_BYTES || rows.length === 2 || rows.some(({columns}) => rule.isHeader(columns))
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
  let pending: Buffer[] = []
  let [pendingBytes, awaitedBytes] = [0, 0]
  let offset = dialect.dataStart
  for await (const piece of pieces) {
    pending.push(piece)
    pendingBytes += piece.length
    if (pendingBytes < awaitedBytes) continue
    const bytes = pending.length === 1 ? piece : Buffer.concat(pending)
    const block = cut(bytes, offset, dialect)
    const rest = bytes.subarray(block.end)
    if (rest.length > MAX_RECORD_BYTES) throw new UsageError(`the record at byte ${offset + block.end} does not end: is a quote left open?`)
    if (block.bounds.length > 0) yield block
    offset += block.end
    pending = rest.length > 0 ? [rest] : []
    pendingBytes = rest.length
    awaitedBytes = rest.length > LONG_RECORD_BYTES ? Math.min(rest.length * 2, MAX_RECORD_BYTES + 1) : 0
  }

  if (pendingBytes > 0) yield cut(Buffer.concat([...pending, Buffer.from('\n')]), offset, dialect, pendingBytes)
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
    const decoded = text.toString()
    if (decoded.includes('\uFFFD') && !isUtf8(text)) return {text, fields: [], problem: 'it is not UTF-8'}
    return {text, fields: splitPlain(decoded, delimiter) ?? parseOdd(text, delimiter), problem: undefined}
  } catch (error) {
    const lines = linesIn(text)
    const taken = lines > 1 ? `; the quote takes in ${lines} lines, which count as one row` : ''
    return {text, fields: [], problem: (error as Error).message + taken}
  }
}

export const linesIn = (text: Buffer) => text.reduce((lines, byte, index) => lines + Number(byte === NEWLINE && index < text.length - 1), 1)

/** Fields that are all in quotes or none, without a quote inside: what nearly every file has, in a fifth of the parser's time. */
function splitPlain(text: string, delimiter: string): string[] | undefined {
  if (!text.includes('"')) return text.split(delimiter)
  if (text.length < 2 || !text.startsWith('"') || !text.endsWith('"')) return undefined
  const fields = text.slice(1, -1).split(`"${delimiter}"`)
  return fields.some((field) => field.includes('"')) ? undefined : fields
}

function parseOdd(text: Buffer, delimiter: string): readonly string[] {
  // Its own guess at what ends a record would take a stray CR for it, and the rest of the record would be lost.
  const [fields = []] = parse(text, {delimiter, record_delimiter: '\n', relax_column_count: true, ltrim: text.includes(' "')})
  return fields
}

/** A file from a byte on, in pieces, until the signal fires. */
export async function* readPieces(file: CsvFile, start: number, signal: AbortSignal): AsyncGenerator<Buffer> {
  for (let position = start; ;) {
    signal.throwIfAborted() // to end here would close a record that has only begun
    const piece = await readAt(file, position, BLOCK_BYTES)
    if (piece.length === 0) return
    yield piece
    position += piece.length
  }
}

/** As much of a stream's beginning as it takes to know its header, and then all of it from a byte on. */
export async function peek(input: Readable, name: string, rule: HeaderRule, signal: AbortSignal) {
  const pieces = readable(input, name, signal)
  let head: Buffer = Buffer.alloc(0)
  while (!hasHeader(head, rule)) {
    const next = await pieces.next()
    if (next.done) break
    head = Buffer.concat([head, next.value])
  }

  return {
    head,
    async *after(start: number, signal: AbortSignal): AsyncGenerator<Buffer> {
      addAbortSignal(signal, input)
      try {
        yield head.subarray(start)
        yield* pieces
      } finally {
        await pieces.return(undefined)
      }
    },
  }
}

/** Its failures in our terms; after the signal has fired, with the signal's reason. */
async function* readable(stream: Readable, name: string, signal: AbortSignal): AsyncGenerator<Buffer> {
  try {
    yield* addAbortSignal(signal, stream) as AsyncIterable<Buffer>
  } catch (cause) {
    signal.throwIfAborted()
    throw readFailure(name, cause)
  }
}

const readFailure = (name: string, cause: unknown) => new IoError(`reading ${name} failed: ${(cause as Error).message}`, {cause})

const count = (text: string, character: string) => text.split(character).length - 1
