import {describe, expect, it} from 'vitest'
import {AnnotatedCsvError, type FluxColumn, type FluxRow, type FluxTable, readAnnotatedCsv} from '../../src/lib/format/annotated-csv.ts'
import {crlf, encodeResults, failure, oneColumn, type Result} from '../fakes/annotated-csv.ts'
import {seededRandom} from '../fakes/random.ts'

const ANSWERS = 300

describe('readAnnotatedCsv', () => {
  it('yields the rows of a table with its columns, their types, and which of them are the same in all rows', async () => {
    const text = crlf(
      '#datatype,string,long,dateTime:RFC3339,double,string',
      '#group,false,false,false,false,true',
      '#default,_result,,,,',
      ',result,table,_time,_value,host',
      ',,0,2020-01-01T00:00:00.000000001Z,1.5,a',
      ',,0,2020-01-01T00:00:01Z,-2,a',
      '',
    )
    expect(await read(text)).toEqual([
      {
        result: '_result',
        number: '0',
        columns: [
          {name: '_time', type: 'dateTime', isGroupKey: false},
          {name: '_value', type: 'double', isGroupKey: false},
          {name: 'host', type: 'string', isGroupKey: true},
        ],
        rows: [
          ['2020-01-01T00:00:00.000000001Z', '1.5', 'a'],
          ['2020-01-01T00:00:01Z', '-2', 'a'],
        ],
      },
    ])
  })

  it.each([
    ['string', 'string'],
    ['long', 'long'],
    ['unsignedLong', 'unsignedLong'],
    ['double', 'double'],
    ['boolean', 'boolean'],
    ['dateTime:RFC3339', 'dateTime'],
    ['dateTime:RFC3339Nano', 'dateTime'],
    ['duration', 'duration'],
    ['base64Binary', 'base64Binary'],
  ])('knows the datatype %s', async (datatype, type) => {
    expect((await read(oneColumn(['x'], datatype)))[0]!.columns).toEqual([{name: 'n', type, isGroupKey: false}])
  })

  it.each<[what: string, cell: string, text: string]>([
    ['a plain text', 'a b', 'a b'],
    ['nothing', '', ''],
    ['nothing in quotes', '""', ''],
    ['a comma', '"a,b"', 'a,b'],
    ['quotes', '"""a"" and ""b"""', '"a" and "b"'],
    ['a space before it', '" a"', ' a'],
    ['a line feed, which the server writes as CRLF', '"a\r\nb\r\n"', 'a\nb\n'],
    ['an empty line in it', '"a\r\n\r\n,,0,b"', 'a\n\n,,0,b'],
    ['what looks like an annotation', '"\r\n#datatype,string"', '\n#datatype,string'],
    ['#default', '#default', '#default'],
    ['letters of more than one byte', 'é漢😀', 'é漢😀'],
    ['a BOM', '\uFEFFa', '\uFEFFa'],
    ['a replacement character of its own', '\uFFFD', '\uFFFD'],
    ['a NUL', 'a\0b', 'a\0b'],
    ['a line separator', 'a\u2028b', 'a\u2028b'],
    ['64 bits', '-9223372036854775808', '-9223372036854775808'],
  ])('reads %s, wherever it is cut', async (_, cell, text) => {
    const bytes = Buffer.from(oneColumn([]).slice(0, -2) + crlf(`,,0,${cell}`, ',,0,next', ''))
    for (let at = 0; at <= bytes.length; at++) {
      const [table] = await read([bytes.subarray(0, at), bytes.subarray(at)])
      expect(table!.rows, `cut at ${at}`).toEqual([[text], ['next']])
    }
  })

  it('fills empty cells with the default of their column', async () => {
    const text = crlf(
      '#datatype,string,long,string,long',
      '#group,false,false,true,false',
      '#default,all,7,none,',
      ',result,table,a,b',
      ',,,,',
      ',own,8,x,1',
      ',other,8,y,',
      ',,,"",2',
      '',
    )
    expect(await read(text)).toMatchObject([
      {result: 'all', number: '7', rows: [['none', '']]},
      {result: 'own', number: '8', rows: [['x', '1']]},
      {result: 'other', number: '8', rows: [['y', '']]},
      {result: 'all', number: '7', rows: [['none', '2']]},
    ])
  })

  it('tells a table from the next by its number, its result or its annotations, and hands out one object for each', async () => {
    const text =
      crlf('#datatype,string,long,long', '#group,false,false,false', '#default,a,,', ',result,table,n') +
      crlf(',,0,1', ',,0,2', ',,1,3', '') +
      crlf('#datatype,string,long,string', '#group,false,false,false', '#default,a,,', ',result,table,s') +
      crlf(',,2,x', '', '#datatype,string,long,long', '#group,false,false,false', '#default,b,,', ',result,table,n', ',,2,4', '')
    const seen = new Map<FluxTable, unknown[]>()
    for await (const {table, rows} of readAnnotatedCsv(cutInto(text, () => 1))) {
      seen.set(table, [...(seen.get(table) ?? []), ...rows.flat()])
    }

    expect([...seen].map(([{result, number}, rows]) => [result, number, rows])).toEqual([
      ['a', '0', ['1', '2']],
      ['a', '1', ['3']],
      ['a', '2', ['x']],
      ['b', '2', ['4']],
    ])
  })

  it('keeps the columns of a table apart from the two before them, whatever their names', async () => {
    const text = crlf(
      '#datatype,string,long,string,string,string',
      '#group,false,false,true,true,false',
      '#default,_result,,,,',
      ',result,table,table,result,error',
      ',,0,t,r,e',
      '',
    )
    const [{columns, rows}] = (await read(text)) as [ReadTable]
    expect(columns.map(({name}) => name)).toEqual(['table', 'result', 'error'])
    expect(rows).toEqual([['t', 'r', 'e']])
  })

  it.each([
    ['no table', crlf('')],
    ['a table without rows', oneColumn([])],
    ['a table without rows or columns', crlf('#datatype,string,long', '#group,false,false', '#default,_result,0', ',result,table', '')],
    ['two results without tables', crlf('', '')],
  ])('yields nothing for %s', async (_, text) => {
    expect(await read(text)).toEqual([])
  })

  it('yields rows before their table has ended', async () => {
    async function* pieces(): AsyncGenerator<Buffer> {
      yield Buffer.from(oneColumn(['1']).slice(0, -2))
      throw new Error('asked for more')
    }

    const answer = readAnnotatedCsv(pieces())
    expect((await answer.next()).value).toMatchObject({rows: [['1']]})
    await expect(answer.next()).rejects.toThrow('asked for more')
  })

  it('reads a text of megabytes that comes in small pieces', async () => {
    const long = '"a,\n'.repeat(200_000)
    expect(await read(cutInto(encodeResults([texts(long, 'next')]), () => 4096))).toMatchObject([{rows: [[long], ['next']]}])
  })

  it(`reads ${ANSWERS} random answers as they were written, however they are cut`, async () => {
    for (let seed = 1; seed <= ANSWERS; seed++) {
      const {results, tables, cut} = randomAnswer(seed)
      expect(await read(cutInto(encodeResults(results), cut)), `seed ${seed}`).toEqual(tables)
    }
  })
})

describe('an answer that is not whole', () => {
  it('is an error wherever it ends, but for an empty line: a result, or the tables of one header, may end with it', async () => {
    const first = encodeResults([texts('1', '"a"\n\n,,0,b')])
    const second = encodeResults([texts('é')])
    const third = oneColumn(['2'])
    const bytes = Buffer.from(first + second + third)
    for (let end = 0; end <= bytes.length; end++) {
      const isWhole = [first, first + second, first + second + third].some((text) => Buffer.byteLength(text) === end)
      const problem = await problemOf([bytes.subarray(0, end)])
      expect(problem?.problem, `the first ${end} bytes`).toBe(isWhole ? undefined : 'truncated')
    }
  })

  it.each([
    ['after rows', oneColumn(['1', '2']), [['1'], ['2']]],
    ['after a table without rows', oneColumn([]), []],
    ['after an empty result', crlf(''), []],
  ])('ends with the message of the server %s', async (_, before, rows) => {
    const message = 'runtime error @3:1-3:9: map: no "more", of\nit'
    const seen: FluxRow[] = []
    const reading = (async () => {
      for await (const part of readAnnotatedCsv(cutInto(before + failure(message)))) seen.push(...part.rows)
    })()
    await expect(reading).rejects.toMatchObject({name: 'AnnotatedCsvError', problem: 'failed', message})
    expect(seen).toEqual(rows)
  })

  it('is cut off also where the message of the server is', async () => {
    const before = oneColumn(['1']) + crlf('')
    const text = oneColumn(['1']) + failure('no, "more"')
    for (let end = before.length + 1; end < text.length; end++) {
      expect((await problemOf([Buffer.from(text.slice(0, end))]))?.problem, `the first ${end} bytes`).toBe('truncated')
    }
  })
})

describe('what is no annotated CSV', () => {
  const HEAD = ['#datatype,string,long,long', '#group,false,false,false', '#default,_result,,', ',result,table,n']

  it.each<[what: string, text: string, message: string]>([
    ['rows before annotations', crlf(',result,table,n', ',,0,1', ''), 'an annotation was expected, not ",result,table,n\r\n'],
    ['rows after an empty result', crlf('', ',result,table,n', ',,0,1', ''), 'there is no #datatype before ",result,table,n"'],
    ['rows after the end of a table', crlf(...HEAD, ',,0,1', '', ',,0,2', ''), 'there is no #datatype before ",,0,2"'],
    ['the page of a proxy', crlf('<html>', '<p>Hello, "you"</p>'), 'an annotation was expected, not "<html>\r\n<p>Hello, '],
    ['JSON', '{"code":"internal error"}', 'an annotation was expected, not "{"code":"internal error"}"'],
    ['an unknown annotation', crlf('#datatype,string', '#null,x'), 'an annotation was expected, not "#null"'],
    ['no #group', crlf(HEAD[0]!, HEAD[2]!, HEAD[3]!, ''), 'there is no #group before'],
    ['no #default', crlf(HEAD[0]!, HEAD[1]!, HEAD[3]!, ''), 'there is no #default before'],
    ['annotations of another width', crlf('#datatype,string,long', ...HEAD.slice(1), ''), '#datatype has 3 cells, the header 4'],
    ['annotations without a header', crlf(...HEAD.slice(0, 3), ''), 'its annotations have no header'],
    [
      'a header of something else',
      crlf(...HEAD.slice(0, 3), ',a,table,n', ''),
      'its header does not begin with result and table: ",a,table,n"',
    ],
    ['an unknown datatype', oneColumn(['1'], 'float128'), 'column "n" has the unknown datatype "float128"'],
    ['a datatype that an object has', oneColumn(['1'], 'constructor'), 'column "n" has the unknown datatype "constructor"'],
    ['a row that is too short', crlf(...HEAD, ',,0,1', ',,0', ''), 'a row has 3 cells, its header 4'],
    ['a row that is too long', crlf(...HEAD, ',,0,1', ',,0,1,2', ''), 'a row has 5 cells, its header 4'],
    ['a row between annotations', crlf(...HEAD, HEAD[0]!, ',,0,1', ''), 'there is no #group before ",,0,1"'],
    ['a quote within a cell', oneColumn(['1']).replace('1', 'a"b'), 'Invalid Opening Quote'],
    ['text after a quote', oneColumn(['1']).replace('1', '"a"b'), 'Invalid Closing Quote'],
  ])('is refused: %s', async (_, text, message) => {
    const problem = await problemOf(cutInto(text))
    expect(problem).toMatchObject({problem: 'malformed'})
    expect(problem!.message).toContain(message)
  })

  it('is refused with the row, when a text is not UTF-8', async () => {
    const text = Buffer.from(oneColumn(['good', 'bad ?, \uFFFD', 'good'], 'string'))
    text[text.indexOf('?')] = 0xff
    expect(await problemOf([text])).toMatchObject({problem: 'not UTF-8', message: ',,0,"bad \uFFFD, \uFFFD"'})
  })

  it('is refused before it fills the memory, when a quote is never closed', async () => {
    let taken = 0
    async function* endless(): AsyncGenerator<Buffer> {
      yield Buffer.from(`${crlf(...HEAD)},,0,"`)
      for (const piece = Buffer.alloc(1_000_000, 'x'); ; taken++) yield piece
    }

    expect(await problemOf(endless())).toMatchObject({problem: 'malformed', message: 'a row is longer than 64000000 bytes'})
    expect(taken).toBeLessThan(66)
  })
})

interface ReadTable extends FluxTable {
  readonly rows: readonly FluxRow[]
}

async function read(pieces: Pieces | string): Promise<readonly ReadTable[]> {
  const found = new Map<FluxTable, FluxRow[]>()
  for await (const {table, rows} of readAnnotatedCsv(streamOf(typeof pieces === 'string' ? cutInto(pieces) : pieces))) {
    expect(rows).not.toEqual([])
    found.set(table, [...(found.get(table) ?? []), ...rows])
  }

  return [...found].map(([table, rows]) => ({...table, rows}))
}

async function problemOf(pieces: Pieces): Promise<AnnotatedCsvError | undefined> {
  try {
    for await (const _ of readAnnotatedCsv(streamOf(pieces)));
    return undefined
  } catch (error) {
    if (error instanceof AnnotatedCsvError) return error
    throw error
  }
}

type Pieces = Iterable<Buffer> | AsyncIterable<Buffer>

async function* streamOf(pieces: Pieces): AsyncGenerator<Buffer> {
  yield* pieces
}

/** In pieces of so many bytes, or in one. */
async function* cutInto(text: string, length = () => Infinity): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text)
  for (let start = 0, end = 0; start < bytes.length; start = end) {
    end = Math.min(start + length(), bytes.length)
    yield bytes.subarray(start, end)
  }
}

const texts = (...values: readonly string[]): Result => ({
  name: '_result',
  tables: [{columns: [{name: 's', type: 'string', isGroupKey: false}], defaults: [''], rows: values.map((value) => [value])}],
})

const TYPES = ['string', 'long', 'double', 'dateTime'] as const

function randomAnswer(seed: number): {results: readonly Result[]; tables: readonly ReadTable[]; cut: () => number} {
  const random = seededRandom(seed)
  const below = (limit: number) => Math.floor(random() * limit)
  const list = <T>(most: number, make: (index: number) => T) => Array.from({length: below(most + 1)}, (_, index) => make(index))
  const letters = ['a', '0', ',', '"', '""', '\n', ' ', '#', 'é', '😀', '\uFFFD', '\0']
  const text = () => list(below(4) === 0 ? 40 : 3, () => letters[below(letters.length)]!).join('')
  const newColumns = () => list(4, (): FluxColumn => ({name: text(), type: TYPES[below(TYPES.length)]!, isGroupKey: below(2) === 1}))
  const newHead = (columns = newColumns()) => ({columns, defaults: columns.map(() => (below(4) === 0 ? text() : ''))})

  const results = [0, ...list(2, (index) => index + 1)].map((index): Result => {
    let head = newHead()
    const tables = list(4, () => {
      if (below(2) === 0) head = newHead()
      return {...head, rows: list(5, () => head.columns.map(text))}
    })
    return {name: `${index}${text()}`, tables}
  })
  const tables = results.flatMap(({name, tables}) =>
    tables.map(({columns, defaults, rows}, number) => ({
      result: name,
      number: String(number),
      columns,
      rows: rows.map((row) => row.map((cell, column) => cell || (defaults[column] ?? ''))),
    })),
  )
  const most = [1, 3, 20, 500][below(4)]!
  return {results, tables: tables.filter(({rows}) => rows.length > 0), cut: () => 1 + below(most)}
}
