import {mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {Readable} from 'node:stream'
import {onTestFinished} from 'vitest'
import type {CsvSource, CsvSourceOptions} from '../../src/lib/sources/csv-file.ts'
import type {HeaderRule} from '../../src/lib/sources/csv-records.ts'
import {createCsvSource} from '../../src/lib/sources/csv-file.ts'
import {messagesOf} from '../contract/source.ts'

/** A header is one with a column `ts`. */
export const WITH_TS: HeaderRule = {isHeader: (columns) => columns.includes('ts'), expects: 'a column ts'}

/** A file that goes when the test does. */
export function csvFile(content: string | Buffer): string {
  const folder = mkdtempSync(join(tmpdir(), 'ucs-test-'))
  onTestFinished(() => rmSync(folder, {recursive: true, force: true}))
  const path = join(folder, 'rows.csv')
  writeFileSync(path, content)
  return path
}

/** Of every row as it stands, unless the options say something else. */
export function csvSource(input: CsvSourceOptions['input'], options: Partial<CsvSourceOptions> = {}): CsvSource {
  const source = createCsvSource({
    input,
    name: 'rows.csv',
    header: WITH_TS,
    choose: () => undefined,
    maxRows: Infinity,
    skip: 0,
    loops: false,
    ...options,
  })
  onTestFinished(() => source.close())
  return source
}

/** All rows of a file with this content. */
export async function fieldsOf(content: string | Buffer, options: Partial<CsvSourceOptions> = {}): Promise<readonly (readonly string[])[]> {
  const messages = await messagesOf(csvSource(csvFile(content), options))
  return messages.map(({value}) => value.fields)
}

/** A stream that delivers these pieces as they are. */
export const streamInPieces = (pieces: Iterable<Buffer> | AsyncIterable<Buffer>) => Readable.from(pieces, {highWaterMark: 1})
