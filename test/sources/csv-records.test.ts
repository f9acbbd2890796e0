import {describe, expect, it, vi} from 'vitest'
import {UsageError} from '../../src/lib/errors.ts'
import {detectDialect} from '../../src/lib/sources/csv-records.ts'
import {chunksOf, messagesOf} from '../contract/source.ts'
import {csvFile, csvSource, fieldsOf, streamInPieces, WITH_TS} from './csv.ts'

const BOM = '\ufeff'
const dialectOf = (text: string) => detectDialect(Buffer.from(text), 'rows.csv', WITH_TS)

describe('a header', () => {
  it.each([
    {what: 'plain', text: 'ts,device,temp\n1,a,2\n', columns: ['ts', 'device', 'temp']},
    {what: 'after a byte order mark', text: `${BOM}ts,temp\n1,2\n`, columns: ['ts', 'temp']},
    {what: 'in quotes', text: '"ts","device"\n"1","a"\n', columns: ['ts', 'device']},
    {what: 'in quotes, after a byte order mark', text: `${BOM}"ts","device"\n"1","a"\n`, columns: ['ts', 'device']},
    {what: 'with a delimiter in a quoted name', text: '"ts","power, W"\n1,2\n', columns: ['ts', 'power, W']},
    {what: 'with spaces around the names', text: ' ts, MV101 ,Normal/Attack\n1,2,Normal\n', columns: ['ts', 'MV101', 'Normal/Attack']},
    {what: 'below a row of stage names', text: 'P1,P1,P2\nts,FIT101,AIT201\n1,2,3\n', columns: ['ts', 'FIT101', 'AIT201']},
    {what: 'below blank lines', text: '\n\r\nts,temp\n1,2\n', columns: ['ts', 'temp']},
    {what: 'with CRLF', text: 'ts,temp\r\n1,2\r\n', columns: ['ts', 'temp']},
    {what: 'with semicolons', text: 'ts;temp\n1;2,5\n', columns: ['ts', 'temp'], delimiter: ';'},
    {what: 'with semicolons, below stage names', text: 'P1;P1\nts;temp\n1;2,5\n', columns: ['ts', 'temp'], delimiter: ';'},
    {what: 'with commas in a name, and more semicolons', text: 'ts;"a, b";c;d\n', columns: ['ts', 'a, b', 'c', 'd'], delimiter: ';'},
    {what: 'with columns that have no name', text: 'ts,temp,,\n1,2,,\n', columns: ['ts', 'temp', '', '']},
    {what: 'alone, without a line break', text: 'ts,temp', columns: ['ts', 'temp']},
  ])('$what', ({text, columns, delimiter = ','}) => {
    expect(dialectOf(text)).toMatchObject({columns, delimiter})
  })

  it.each([
    {what: 'an empty file', text: '', says: 'rows.csv has no header with a column ts: it is empty'},
    {what: 'only a byte order mark', text: BOM, says: 'it is empty'},
    {what: 'only blank lines', text: '\n\r\n\n', says: 'it is empty'},
    {what: 'rows without a header', text: '1,2,3\n4,5,6\n', says: 'its first line is "1,2,3"'},
    {what: 'many columns, none of them', text: 'a,b,c,d,e,f,g,h,i\n', says: 'its first line is "a,b,c,d,e,f,g,h…"'},
    {what: 'a header on the third line', text: 'x\ny\nts,temp\n', says: 'its first line is "x"'},
    {what: 'a header whose quote is left open', text: '"ts,temp\n1,2\n', says: 'it is empty'},
  ])('is missed in $what', ({text, says}) => {
    expect(() => dialectOf(text)).toThrow(UsageError)
    expect(() => dialectOf(text)).toThrow(says)
  })

  const wide = Buffer.from('\uFEFFts,temp\r\n1,2\r\n', 'utf16le')
  it.each([
    {what: 'UTF-16', bytes: wide, encoding: 'UTF-16LE'},
    {what: 'UTF-16 without a byte order mark', bytes: wide.subarray(2), encoding: 'UTF-16LE'},
    {what: 'UTF-16 with its bytes the other way round', bytes: Buffer.from(wide).swap16(), encoding: 'UTF-16BE'},
    {what: 'that without a byte order mark', bytes: Buffer.from(wide).swap16().subarray(2), encoding: 'UTF-16BE'},
    {what: 'UTF-16 in another script', bytes: Buffer.from('\uFEFF時刻,温度\n', 'utf16le'), encoding: 'UTF-16LE'},
  ])('is not looked for in $what, which is to be converted', ({bytes, encoding}) => {
    expect(refusalOf(bytes)).toMatchObject({
      name: 'UsageError',
      message: `rows.csv looks like ${encoding} and not like UTF-8`,
      suggestion: `Convert it: iconv -f ${encoding} -t UTF-8`,
    })
  })

  it.each([
    {what: 'tabs', text: 'ts\tdevice\n1\ta\n', named: 'tabs'},
    {what: 'tabs, in quotes and below stage names', text: 'P1\tP1\n"ts"\t"device"\n', named: 'tabs'},
    {what: 'bars', text: 'ts | device\n', named: '|'},
  ])('between $what is seen, and which separators are understood is said', ({text, named}) => {
    expect(refusalOf(Buffer.from(text))).toMatchObject({
      name: 'UsageError',
      suggestion: `Its fields are separated by ${named}: convert it, commas and semicolons are understood`,
    })
  })

  it('that is missing for another reason says nothing of separators', () => {
    expect(refusalOf(Buffer.from('a\tb\n'))).toMatchObject({name: 'UsageError', suggestion: undefined})
    expect(refusalOf(Buffer.from('1,2\n'))).toMatchObject({name: 'UsageError', suggestion: undefined})
  })

  function refusalOf(head: Buffer): unknown {
    try {
      return detectDialect(head, 'rows.csv', WITH_TS)
    } catch (error) {
      return error
    }
  }

  it('is refused when it names columns twice once the spaces are trimmed, with their names', () => {
    const text = 'ts, MV101,P1,MV101,P1 ,P1\n'
    expect(() => dialectOf(text)).toThrow(UsageError)
    expect(() => dialectOf(text)).toThrow('rows.csv has two columns named "MV101", "P1" once the spaces are trimmed')
  })
})

describe('rows', () => {
  it.each([
    {what: 'plain ones', text: '1,a\n2,b\n', rows: ['1|a', '2|b']},
    {what: 'without a final line break', text: '1,a\n2,b', rows: ['1|a', '2|b']},
    {what: 'that end in CRLF', text: '1,a\r\n2,b\r\n', rows: ['1|a', '2|b']},
    {what: 'that end in CRLF, the last of them in CR', text: '1,a\r\n2,b\r', rows: ['1|a', '2|b']},
    {what: 'with blank lines between', text: '\n1,a\n\n\r\n2,b\n\n', rows: ['1|a', '2|b']},
    {what: 'all in quotes', text: '"1","a"\n"2",""\n', rows: ['1|a', '2|']},
    {what: 'with a delimiter in quotes', text: '1,"a,b"\n"2,3",c\n', rows: ['1|a,b', '2,3|c']},
    {what: 'with quotes in quotes', text: '1,"say ""hi"""\n"2","""","""a"","\n', rows: ['1|say "hi"', '2|"|"a",']},
    {what: 'with line breaks in quotes', text: '1,"a\nb\r\nc"\n2,d\n', rows: ['1|a\nb\r\nc', '2|d']},
    {what: 'with a space before a quote', text: '1, "a, b"\n2, "c"\n', rows: ['1|a, b', '2|c']},
    {what: 'with empty fields', text: ',\n1,\n,b\n', rows: ['|', '1|', '|b']},
    {what: 'that are too short or too long', text: '1\n2,b,c,d\n', rows: ['1', '2|b|c|d']},
    {what: 'beyond ASCII', text: '1,°C µ 温度 🌡\n', rows: ['1|°C µ 温度 🌡']},
    {what: 'with a stray CR', text: '1,a\r2,b\n3,c\n', rows: ['1|a\r2|b', '3|c']},
    {what: 'with a stray CR, and quotes', text: '1,a\r2,"b"\n"3",c\n', rows: ['1|a\r2|b', '3|c']},
  ])('$what', async ({text, rows}) => {
    expect((await fieldsOf(`ts,text\n${text}`)).map((fields) => fields.join('|'))).toEqual(rows)
  })

  it('of the sensor file, as it is published', async () => {
    const header = '"ts","device","co","humidity","light","lpg","motion","smoke","temp"'
    const row = '"1.5945120943859746E9","b8:27:eb:bf:9d:51","0.004955938648391245","51.0","false","0.0076","false","0.0204","22.7"'
    expect(await fieldsOf(`${header}\n${row}\n`)).toEqual([
      ['1.5945120943859746E9', 'b8:27:eb:bf:9d:51', '0.004955938648391245', '51.0', 'false', '0.0076', 'false', '0.0204', '22.7'],
    ])
  })

  it('with decimal commas between semicolons, left as they are', async () => {
    expect(await fieldsOf('ts;temp\n1;22,7\n"2";"-0,5"\n')).toEqual([
      ['1', '22,7'],
      ['2', '-0,5'],
    ])
  })

  it.each([
    {what: 'a quote in the middle of a field', line: '1,a"b'},
    {what: 'text after a closing quote', line: '1,"a"b'},
    {what: 'a stray CR after a closing quote', line: '"1","a"\r2,b'},
  ])('with $what: the row has a problem, its text, and no fields, and the others are read', async ({line}) => {
    const messages = await messagesOf(csvSource(csvFile(`ts,text\n0,x\n${line}\n3,c\n`)))
    expect(messages.map(({value}) => String(value.text))).toEqual(['0,x', line, '3,c'])
    expect(messages.map(({value}) => value.problem !== undefined)).toEqual([false, true, false])
    expect(messages[1]!.value.fields).toEqual([])
  })

  it('with a quote that nobody closes: all from there on is one row with a problem', async () => {
    const messages = await messagesOf(csvSource(csvFile('ts,text\n1,a\n2,"b\n3,c\n')))
    expect(messages.map(({value}) => String(value.text))).toEqual(['1,a', '2,"b\n3,c\n'])
    expect(messages[1]!.value.problem).toContain('Quote')
    expect(messages[1]!.value.problem).toContain('takes in 2 lines, which count as one row')
  })

  it('that are not UTF-8 have no fields, but say so, and keep their bytes', async () => {
    const latin = Buffer.concat([Buffer.from('ts,device\n1,d'), Buffer.from([0xe9]), Buffer.from('\n2,d\u00e9\uFFFD\n')])
    const messages = await messagesOf(csvSource(streamInPieces([latin])))
    expect(messages.map(({value}) => value.problem)).toEqual(['it is not UTF-8', undefined])
    expect(messages[0]!.value.text).toEqual(latin.subarray(10, 14))
    expect(messages[1]!.value.fields).toEqual(['2', 'd\u00e9\uFFFD'])
  })

  it('with a quote left open before 64 MB: an error that says where, without copying all of it at each piece', async () => {
    const copies = vi.spyOn(Buffer, 'concat')
    let bytes = 0
    async function* pieces() {
      yield Buffer.from('ts,text\n1,a\n2,"b\n')
      for (const line = Buffer.from('3,c\n'.repeat(25_000)); ; bytes += line.length) yield line
    }

    const source = csvSource(streamInPieces(pieces()))
    await expect(messagesOf(source)).rejects.toThrow(new UsageError('the record at byte 12 does not end: is a quote left open?'))
    expect(bytes).toBeGreaterThan(60e6)
    expect(bytes).toBeLessThan(70e6)
    expect(copies.mock.calls.length).toBeLessThan(40) // of 640 pieces
    copies.mockRestore()
  })

  it('are found by their position: the byte where they begin', async () => {
    const text = `${BOM}P1,P2\nts,text\r\n\r\n1,"a\nb"\r\n\n2,°C\n3,c`
    const messages = await messagesOf(csvSource(csvFile(text)))
    expect(messages).toHaveLength(3)
    for (const {position, value} of messages) {
      const there = Buffer.from(text).subarray(Number(position.offset))
      expect(String(there.subarray(0, value.text.length))).toBe(String(value.text))
    }
  })

  it('of several megabytes', async () => {
    const [long, short] = ['x'.repeat(5_000_000), 'y'.repeat(10)]
    const chunks = await chunksOf(csvSource(csvFile(`ts,text\n1,${long}\n2,${short}\n3,"${long}\n"\n4,${short}`)))
    expect(Math.min(...chunks.map((chunk) => chunk.length))).toBe(1) // an empty one would be a flush
    expect(chunks.flat().map(({value}) => value.fields)).toEqual([['1', long], ['2', short], ['3', `${long}\n`], ['4', short]]) // prettier-ignore
  })
})

describe('a stream', () => {
  const text = `${BOM}P1,P2\r\nts,text\r\n\r\n1,"a\r\n""b"" , c"\r\n2,°C\n\n3, "d"\r\n4,"x"y\n5,e`
  const bytes = Buffer.from(text)
  const resultOf = async (input: string | ReturnType<typeof streamInPieces>) =>
    (await messagesOf(csvSource(input))).map(({value, position}) => ({...value, text: String(value.text), position}))

  it('cut in two at any byte says what the file says', async () => {
    const expected = await resultOf(csvFile(bytes))
    expect(expected).toHaveLength(5)
    for (let cut = 0; cut <= bytes.length; cut++) {
      expect(await resultOf(streamInPieces([bytes.subarray(0, cut), bytes.subarray(cut)])), `cut at ${cut}`).toEqual(expected)
    }
  })

  it('in pieces of one byte says what the file says', async () => {
    const pieces = Array.from(bytes, (_, index) => bytes.subarray(index, index + 1))
    expect(await resultOf(streamInPieces(pieces))).toEqual(await resultOf(csvFile(bytes)))
  })
})
