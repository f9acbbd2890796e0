import {parse} from 'csv-parse/sync'
import {describe, expect, it} from 'vitest'
import {fieldAt, isWellQuoted, scanRecords} from '../../src/lib/format/csv-scan.ts'
import {seededRandom} from '../fakes/random.ts'

const FILES = 400

/** The text of each complete record, and what is left. */
function scan(text: string | Buffer, delimiter = ','): {records: string[]; rest: Buffer} {
  const block = Buffer.from(text)
  const records: string[] = []
  const end = scanRecords(block, delimiter.charCodeAt(0), (from, to) => records.push(block.toString('utf8', from, to)))
  return {records, rest: block.subarray(end)}
}

describe('scanRecords', () => {
  it.each<[what: string, text: string, records: string[], rest: string]>([
    ['lines', 'a,b\nc,d\n', ['a,b', 'c,d'], ''],
    ['lines with CRLF', 'a,b\r\nc,d\r\n', ['a,b', 'c,d'], ''],
    ['lines of both kinds', 'a\r\nb\nc\r\n', ['a', 'b', 'c'], ''],
    ['a last line without a break', 'a\nb', ['a'], 'b'],
    ['nothing', '', [], ''],
    ['blank lines, as empty records', '\n\r\na\n', ['', '', 'a'], ''],
    ['a line break in quotes', 'a,"b\nc"\nd\n', ['a,"b\nc"', 'd'], ''],
    ['CRLF in quotes', '"b\r\nc"\r\nd\r\n', ['"b\r\nc"', 'd'], ''],
    ['doubled quotes before a line break', '"a""\nb"\nc\n', ['"a""\nb"', 'c'], ''],
    ['quotes around a doubled quote', '""""\n"""a"""\n', ['""""', '"""a"""'], ''],
    ['empty quotes', '"",""\na\n', ['"",""', 'a'], ''],
    ['quotes after spaces', 'a,  "b\nc"\nd\n', ['a,  "b\nc"', 'd'], ''],
    ['a quote inside a field, as a letter', 'a"b\nc 12" pipe,"d\n"\n', ['a"b', 'c 12" pipe,"d\n"'], ''],
    ['a quote that nobody closed', 'a\n"b\nc\n', ['a'], '"b\nc\n'],
    ['a CR that ends nothing', 'a\rb\n', ['a\rb'], ''],
    ['a CR before the line break of CRLF', 'a\r\r\n', ['a\r'], ''],
    ['letters of more than one byte', '"ü\nü",é\nß\n', ['"ü\nü",é', 'ß'], ''],
  ])('finds %s', (_, text, records, rest) => {
    const found = scan(text)
    expect(found.records).toEqual(records)
    expect(found.rest.toString()).toBe(rest)
  })

  it('takes a quote for one only after the delimiter that is asked for', () => {
    expect(scan('a;"b\nc";d\n', ';').records).toEqual(['a;"b\nc";d'])
    expect(scan('a,"b\nc",d\n', ';').records).toEqual(['a,"b', 'c",d'])
  })

  it(`finds in ${FILES} random files the records that csv-parse finds`, () => {
    for (let seed = 1; seed <= FILES; seed++) {
      const {text, delimiter} = randomCsv(seed)
      const {records, rest} = scan(text, delimiter)
      const rows = parse(text, {delimiter, record_delimiter: ['\r\n', '\n'], ltrim: true, relax_column_count: true})
      expect(rest.toString(), `seed ${seed}`).toBe('')
      expect(
        records.map((record) => parse(record, {delimiter, record_delimiter: '\n', ltrim: true})[0]),
        `seed ${seed}`,
      ).toEqual(rows)
    }
  })

  it('finds the same records however the input is cut', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const {text, delimiter} = randomCsv(seed)
      const bytes = Buffer.from(text)
      const {records} = scan(text, delimiter)
      for (let cut = 0; cut <= bytes.length; cut++) {
        const before = scan(bytes.subarray(0, cut), delimiter)
        const after = scan(Buffer.concat([before.rest, bytes.subarray(cut)]), delimiter)
        expect([...before.records, ...after.records], `seed ${seed}, cut at ${cut}`).toEqual(records)
      }
    }
  })
})

describe('fieldAt', () => {
  const field = (record: string, column: number, delimiter = ',') => fieldAt(Buffer.from(record), delimiter.charCodeAt(0), column)

  it.each<[what: string, record: string, column: number, text: string | undefined]>([
    ['the first field', 'a,b,c', 0, 'a'],
    ['a middle field', 'a,b,c', 1, 'b'],
    ['the last field', 'a,b,c', 2, 'c'],
    ['a field past the last', 'a,b,c', 3, undefined],
    ['an empty record', '', 0, ''],
    ['an empty field', 'a,,c', 1, ''],
    ['an empty last field', 'a,', 1, ''],
    ['quotes', '"a","b"', 1, 'b'],
    ['a delimiter in quotes', '"a,b",c', 1, 'c'],
    ['a line break in quotes', '"a\nb",c', 0, 'a\nb'],
    ['doubled quotes', '"a ""b"", c",d', 0, 'a "b", c'],
    ['a field after doubled quotes', '"a""",b', 1, 'b'],
    ['empty quotes', '"",b', 0, ''],
    ['one doubled quote', '"""",b', 0, '"'],
    ['spaces around a field', 'a,  b ,c', 1, 'b'],
    ['spaces around quotes', 'a,  "b, c" ,d', 1, 'b, c'],
    ['spaces within quotes', 'a," b8:27 ",c', 1, 'b8:27'],
    ['quotes inside a field, as letters', 'a""b,c', 1, 'c'],
    ['a quote at the end of a field, as a letter', '12",b', 0, '12"'],
    ['a quote that nobody closed', 'a,"b,c', 1, '"b,c'],
    ['letters of more than one byte', 'ü,"é,ß"', 1, 'é,ß'],
  ])('reads %s', (_, record, column, text) => {
    expect(field(record, column)).toBe(text)
  })

  it('splits at the delimiter that is asked for', () => {
    expect(field('1,5;2,5', 1, ';')).toBe('2,5')
  })

  it(`reads in ${FILES} random files the fields that csv-parse reads`, () => {
    for (let seed = 1; seed <= FILES; seed++) {
      const {text, delimiter} = randomCsv(seed)
      for (const record of scan(text, delimiter).records) {
        const [fields = []] = parse(record, {delimiter, record_delimiter: '\n', ltrim: true})
        const read = fields.map((_, column) => field(record, column, delimiter))
        expect(read, `seed ${seed}: ${record}`).toEqual(fields.map((text) => text.trim()))
        expect(field(record, fields.length, delimiter)).toBeUndefined()
      }
    }
  })
})

describe('isWellQuoted', () => {
  const isGood = (record: string, delimiter = ',') => isWellQuoted(Buffer.from(record), delimiter.charCodeAt(0))

  it.each<[what: string, record: string, good: boolean]>([
    ['no quotes', 'a,b', true],
    ['quotes around a field', '"a",b', true],
    ['quotes after spaces', 'a,  "b"', true],
    ['doubled quotes', '"say ""hi""","""",""', true],
    ['a delimiter and a line break in quotes', '"a,\nb",c', true],
    ['a quote that nobody closed', 'a,"b,c', false],
    ['a quote that nobody closed at the end', 'a,"', false],
    ['a doubled quote that nobody closed', '"a""', false],
    ['text after a closing quote', '"a"x,b', false],
    ['a quote inside a field', 'a"b,c', false],
  ])('of %s: %s, %j', (_, record, good) => {
    expect(isGood(record)).toBe(good)
  })

  it(`agrees with csv-parse in ${FILES} random records, also where a quote is lost or doubled`, () => {
    const seen = new Set<boolean>()
    for (let seed = 1; seed <= FILES; seed++) {
      const {text, delimiter} = randomCsv(seed)
      const random = seededRandom(seed)
      for (const record of scan(text, delimiter).records) {
        const quotes = [...record.matchAll(/"/g)].map(({index}) => index)
        const at = quotes[Math.floor(random() * quotes.length)]
        const damaged = at === undefined ? record : record.slice(0, at) + record.slice(at + 1)
        for (const candidate of [record, damaged]) {
          const good = isGood(candidate, delimiter)
          expect(good, `seed ${seed}: ${candidate}`).toBe(takes(candidate, delimiter))
          seen.add(good)
        }
      }
    }

    expect(seen.size).toBe(2)
  })

  function takes(record: string, delimiter: string): boolean {
    try {
      parse(record, {delimiter, record_delimiter: '\0', relax_column_count: true, ltrim: record.includes(' "')})
      return true
    } catch {
      return false
    }
  }
})

/** A CSV that csv-parse takes: fields plain, empty, in quotes, after spaces, with everything that quotes allow inside. */
function randomCsv(seed: number): {text: string; delimiter: string} {
  const random = seededRandom(seed)
  const oneOf = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!
  const some = (most: number, make: () => string) => Array.from({length: Math.floor(random() * (most + 1))}, make).join('')
  const delimiter = oneOf([',', ';'])
  const lineBreak = oneOf(['\n', '\r\n'])

  const plain = () =>
    oneOf(['a', '1.5', '-', 'ü', '漢', '.']) + some(4, () => oneOf(['a', '5', ' ', ':', 'é', "'", delimiter === ',' ? ';' : ',']))
  const quoted = () => `"${some(5, () => oneOf(['a', '""', delimiter, '\n', '\r\n', ' ', 'ü', '\t']))}"`
  const field = () => oneOf(['', '', '', ' ', '   ']) + oneOf([() => '', plain, plain, quoted, quoted])()
  const record = () => Array.from({length: 1 + Math.floor(random() * 5)}, field).join(delimiter)

  // csv-parse does not tell an empty record from none.
  const records = Array.from({length: 1 + Math.floor(random() * 8)}, () => record()).filter((text) => text.trim() !== '')
  return {text: records.map((text) => text + lineBreak).join(''), delimiter}
}
