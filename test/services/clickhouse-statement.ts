import {ClickHouseException} from './clickhouse-exception.ts'

/** A statement, and the rows that go with it. */
export interface Statement {
  readonly sql: string
  readonly rows: Buffer | undefined
}

/** The server takes a statement from the address or from the body; with one in the address, the body is the rows of an insert. */
export function readStatement(query: string | null, body: Buffer): Statement {
  const sql = (query?.trim() ? query : body.toString()).trim()
  if (sql === '') throw new ClickHouseException(62, 'SYNTAX_ERROR', 'Syntax error: Empty query')
  const code = blankOut(sql)
  if (/;\s*\S/.test(code)) throw new ClickHouseException(62, 'SYNTAX_ERROR', 'Syntax error (Multi-statements are not allowed)')
  if (!query?.trim()) {
    if (ROWS_AFTER_FORMAT.test(code)) throw notOffered('rows within a statement: send them as the body')
    return {sql, rows: undefined}
  }

  if (INSERT.test(code)) return {sql, rows: body}
  if (body.length > 0) throw notOffered('a body beside a statement that is no insert')
  return {sql, rows: undefined}
}

/**
 * Rows always go through a file. Within the statement the engine takes them as ended by a blank line, and runs what
 * follows as SQL; `INSERT … FORMAT CSV` with "1\n\nDROP TABLE t" drops the table.
 */
export function insertFromFile(sql: string, file: string): string {
  const end = /\sFORMAT\s+\w+\s*;?$/i.exec(blankOut(sql))
  if (!end) throw notOffered('an insert whose rows are the body, without FORMAT at its end')
  return `${sql.slice(0, end.index)} FROM INFILE ${quote(file)} COMPRESSION 'none'${sql.slice(end.index)}`
}

export const quote = (text: string) => `'${text.replace(/[\\']/g, '\\$&')}'`

const INSERT = /^\s*INSERT\s/i
const ROWS_AFTER_FORMAT = /^\s*INSERT\s[\s\S]*\sFORMAT\s+(?!VALUES\b)\w+\s+[^\s;]/i
const TEXT_OR_COMMENT = /'(?:[^'\\]|\\[\s\S])*'|"(?:[^"\\]|\\[\s\S])*"|`(?:[^`\\]|\\[\s\S])*`|--[^\n]*|\/\*[\s\S]*?\*\//g

/** Texts, names and comments as spaces, so that what is left is syntax, at the same index. */
const blankOut = (sql: string) => sql.replace(TEXT_OR_COMMENT, (found) => ' '.repeat(found.length))

const notOffered = (what: string) => new ClickHouseException(48, 'NOT_IMPLEMENTED', `The stand-in of the tests does not take ${what}`)
