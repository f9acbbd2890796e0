import type {FluxColumn} from '../../src/lib/format/annotated-csv.ts'

/** What a query yields under a name. */
export interface Result {
  readonly name: string
  readonly tables: readonly {
    readonly columns: readonly FluxColumn[]
    /** What an empty cell stands for, column by column. */
    readonly defaults: readonly string[]
    readonly rows: readonly (readonly string[])[]
  }[]
}

/** As the server writes it: neighbours of the same columns have one header, an empty line is before the next, and one after each result. */
export function encodeResults(results: readonly Result[]): string {
  return results
    .map(({name, tables}) => {
      const heads = tables.map(({columns, defaults}) =>
        crlf(
          cells('#datatype', 'string', 'long', ...columns.map(({type}) => (type === 'dateTime' ? 'dateTime:RFC3339' : type))),
          cells('#group', 'false', 'false', ...columns.map(({isGroupKey}) => String(isGroupKey))),
          cells('#default', name, '', ...defaults),
          cells('', 'result', 'table', ...columns.map((column) => column.name)),
        ),
      )
      const texts = tables.map(({rows}, number) => {
        const head = heads[number] === heads[number - 1] ? '' : heads[number]!
        return (number > 0 && head !== '' ? crlf('') : '') + head + crlf(...rows.map((row) => cells('', '', String(number), ...row)))
      })
      return texts.join('') + crlf('')
    })
    .join('')
}

/** A result with one table of one column. */
export const oneColumn = (values: readonly string[], datatype = 'long') =>
  crlf(`#datatype,string,long,${datatype}`, '#group,false,false,false', '#default,_result,,', ',result,table,n') +
  crlf(...values.map((value) => cells('', '', '0', value)), '')

/** What the server adds when a query fails under way. */
export const failure = (message: string) =>
  crlf('', '#datatype,string,string', '#group,true,true', '#default,,', ',error,reference', cells('', message, ''))

/** Lines as the server ends them. */
export const crlf = (...lines: readonly string[]) => lines.map((line) => `${line}\r\n`).join('')

const cells = (...texts: readonly string[]) => texts.map((text) => (/^ |[",\r\n]/.test(text) ? quote(text) : text)).join(',')

const quote = (text: string) => `"${text.replaceAll('"', '""').replaceAll('\r', '').replaceAll('\n', '\r\n')}"`
