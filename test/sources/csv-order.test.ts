import {truncateSync} from 'node:fs'
import {describe, expect, it, onTestFinished} from 'vitest'
import type {CsvSourceOptions} from '../../src/lib/sources/csv-file.ts'
import type {RowChoice} from '../../src/lib/sources/csv-order.ts'
import {IoError} from '../../src/lib/errors.ts'
import {readRecords} from '../../src/lib/sources/csv-order.ts'
import {openCsv} from '../../src/lib/sources/csv-records.ts'
import {acknowledged, chunksOf, messagesOf} from '../contract/source.ts'
import {csvFile, csvSource, fieldsOf, streamInPieces} from './csv.ts'

const HEADER = 'ts,device,text'

/** Rows of these devices, by time. */
const choosing =
  (choice: Partial<RowChoice> = {}) =>
  (columns: readonly string[]): RowChoice => ({
    deviceColumn: columns.indexOf('device'),
    timeColumn: columns.indexOf('ts'),
    device: undefined,
    rowsPerDevice: Infinity,
    ...choice,
  })

/** Texts of the rows, in the order in which they are read. */
async function textsOf(rows: readonly string[], choice: Partial<RowChoice> = {}, options: Partial<CsvSourceOptions> = {}): Promise<string> {
  const fields = await fieldsOf([HEADER, ...rows].join('\n'), {choose: choosing(choice), ...options})
  return fields.map((row) => row[2] ?? `(${row.join(',')})`).join(' ')
}

describe('a row that does not tell its device', () => {
  it.each([
    {what: 'because its quote takes in the rows below', row: '2,"A,b\n3,A,c'},
    {what: 'because its quote is closed by one of another row', row: '2,"A,b\n3,"A",c'},
    {what: 'because text follows the closing quote', row: '2,"A"x,b'},
    {what: 'because a quote is left open behind the device of another', row: '2,B,"b\n3,A,c'},
    {what: 'because it is too short', row: '2'},
    {what: 'because its device is not UTF-8', row: Buffer.from([0x32, 0x2c, 0xe9, 0x2c, 0x62])},
  ])('$what: is read whichever device is asked for, and from whichever input', async ({row}) => {
    const content = Buffer.concat([Buffer.from(`${HEADER}\n1,A,a\n`), Buffer.from(row)])
    for (const device of ['A', 'B', 'C', undefined])
      for (const input of [csvFile(content), streamInPieces([content])]) {
        const messages = await messagesOf(csvSource(input, {choose: choosing({device})}))
        expect(String(messages.at(-1)?.value.text)).toBe(String(row))
      }
  })

  it('is none whose device has the replacement character for a letter', async () => {
    expect(await textsOf(['1,A,a', '2,\uFFFD,b'], {device: 'A'})).toBe('a')
  })
})

describe('the order of rows', () => {
  it.each([
    {what: 'ascending', rows: ['1,A,a', '2,A,b', '3,A,c'], order: 'a b c'},
    {what: 'descending', rows: ['3,A,a', '2,A,b', '1,A,c'], order: 'c b a'},
    {what: 'shuffled', rows: ['2,A,a', '3,A,b', '1,A,c'], order: 'c a b'},
    {what: 'equal times as they stand', rows: ['2,A,a', '1,A,b', '2,A,c', '1,A,d', '2,A,e'], order: 'b d a c e'},
    {what: 'devices that each ascend, as the file stands', rows: ['5,A,a', '1,B,b', '6,A,c', '2,B,d'], order: 'a b c d'},
    {what: 'one device that descends, all by time', rows: ['5,A,a', '2,B,b', '6,A,c', '1,B,d'], order: 'd b a c'},
    {what: 'in quotes', rows: ['"2","A","a"', '"1","A","b"'], order: 'b a'},
    {what: 'with spaces', rows: [' 2 , A ,a', '1,A,b'], order: 'b a'},
    {what: 'in scientific notation', rows: ['1.59E9,A,a', '1589999999.5,A,b', '"1.5945120943859746E9",A,c'], order: 'b a c'},
    {what: 'by number and not by text', rows: ['10,A,a', '9,A,b', '-1,A,c'], order: 'c b a'},
    {what: 'times that are none last, as they stand', rows: ['x,A,a', '2,A,b', ',A,c', '1,A,d'], order: 'd b a c'},
    {what: 'times that are none in their place, where the others ascend', rows: ['1,A,a', 'x,A,b', '2,A,c'], order: 'a b c'},
    {what: 'rows with line breaks', rows: ['2,A,"a\n1,A,x"', '1,A,"b"'], order: 'b a\n1,A,x'},
  ])('$what', async ({rows, order}) => {
    expect(await textsOf(rows)).toBe(order)
  })

  it('is that of the times also where the decimal sign is a comma', async () => {
    const fields = await fieldsOf('ts;device;text\n1,9;A;a\n1,10;A;b\n', {choose: choosing()})
    expect(fields.map(([, , text]) => text)).toEqual(['b', 'a'])
  })

  it('is that of the file where nobody asked for another', async () => {
    expect(await textsOf(['3,A,a', '1,A,b', '2,A,c'], {}, {choose: () => undefined})).toBe('a b c')
  })

  it('is kept over more rows than are read at once', async () => {
    const rows = Array.from({length: 2500}, (_, index) => `${(index * 7919) % 2500},A,x`)
    const fields = await fieldsOf([HEADER, ...rows].join('\n'), {choose: choosing()})
    expect(fields.map(([time]) => Number(time))).toEqual(Array.from({length: 2500}, (_, index) => index))
  })
})

describe.each([
  {how: 'that is streamed', rows: ['1,A,a1', '2,B,b1', '3,A,a2', '4,B,b2', '5,A,a3', '6,C,c1']},
  {how: 'that is sorted', rows: ['6,C,c1', '4,B,b2', '5,A,a3', '3,A,a2', '2,B,b1', '1,A,a1']},
])('rows of a file $how', ({rows}) => {
  it.each([
    {what: 'all devices', choice: {}, texts: 'a1 b1 a2 b2 a3 c1'},
    {what: 'one device', choice: {device: 'A'}, texts: 'a1 a2 a3'},
    {what: 'a device that has none', choice: {device: 'D'}, texts: ''},
    {what: 'the first ones of one device', choice: {device: 'A', rowsPerDevice: 2}, texts: 'a1 a2'},
    {what: 'the first ones of each device', choice: {rowsPerDevice: 2}, texts: 'a1 b1 a2 b2 c1'},
    {what: 'the first one of each device', choice: {rowsPerDevice: 1}, texts: 'a1 b1 c1'},
    {what: 'all but the first', choice: {}, options: {skip: 2}, texts: 'a2 b2 a3 c1'},
    {what: 'none after leaving out more than there are', choice: {}, options: {skip: 7}, texts: ''},
    {what: 'of the first ones of each device, all but the first', choice: {rowsPerDevice: 2}, options: {skip: 3}, texts: 'b2 c1'},
    {what: 'no more than so many', choice: {}, options: {maxRows: 3}, texts: 'a1 b1 a2'},
    {what: 'no more than so many, with those that are left out', choice: {}, options: {maxRows: 3, skip: 1}, texts: 'b1 a2'},
  ])('are $what, and their number is known', async ({choice, options = {}, texts}) => {
    const source = csvSource(csvFile([HEADER, ...rows].join('\n')), {choose: choosing(choice), ...options})
    expect(source.total()).toBeUndefined()
    const messages = await messagesOf(source)
    expect(messages.map(({value}) => value.fields[2]).join(' ')).toBe(texts)
    expect(source.total()).toBe(messages.length)
  })

  it('are those of a device and those that are too short to tell theirs', async () => {
    const short = ['7', '"8"', '']
    expect(await textsOf([...rows, ...short], {device: 'C'})).toBe('c1 (7) (8)')
    expect(await textsOf([...rows, ...short], {rowsPerDevice: 1})).toBe('a1 b1 c1 (7) (8)')
  })
})

describe('a file that is sorted', () => {
  const heavy = (index: number) => `${-index},A,${'x'.repeat(3000)}`

  it('yields no more than 1 MB at a time', async () => {
    const chunks = await chunksOf(
      csvSource(csvFile([HEADER, ...Array.from({length: 800}, (_, index) => heavy(index))].join('\n')), {choose: choosing()}),
    )
    expect(chunks.flat()).toHaveLength(800)
    for (const chunk of chunks) expect(chunk.reduce((sum, {bytes}) => sum + bytes, 0)).toBeLessThanOrEqual(1_000_000)
  })

  it('holds no more than 1 MB of its rows at a time, but for one that is heavier alone', async () => {
    const file = await openCsv(csvFile(Buffer.alloc(20_000_000, 'x')))
    onTestFinished(() => file.handle.close())
    const starts = [...Array.from({length: 1200}, (_, index) => index * 2000), 3e6, 10e6, 2.5e6]
    const bounds = Float64Array.from(starts.flatMap((start) => [start, start + (start >= 3e6 ? 5e6 : 2000)]))
    const groups: number[] = []
    for await (const records of readRecords(file, bounds)) groups.push(records.reduce((sum, {text}) => sum + text.length, 0))
    expect(groups).toEqual([1_000_000, 1_000_000, 400_000, 5_000_000, 5_000_000, 2000])
  })

  it('tells that it has become shorter, and sends nothing that is not in it', async () => {
    const path = csvFile([HEADER, ...Array.from({length: 800}, (_, index) => heavy(index))].join('\n'))
    const texts: string[] = []
    const reading = async () => {
      for await (const chunk of acknowledged(csvSource(path, {choose: choosing()}))) {
        texts.push(...chunk.map(({value}) => value.fields[2]!))
        truncateSync(path, 10_000)
      }
    }

    await expect(reading()).rejects.toThrow(IoError)
    for (const text of texts) expect(text).toMatch(/^x{3000}$/)
  })
})

describe('rows of a stream', () => {
  const read = async (rows: readonly string[], choice: Partial<RowChoice> = {}, header = HEADER) => {
    const descents: string[] = []
    const source = csvSource(streamInPieces([Buffer.from([header, ...rows].join('\n'))]), {
      choose: choosing(choice),
      onDescent: (device) => descents.push(device),
    })
    const texts = (await messagesOf(source)).map(({value}) => value.fields[2])
    return {texts: texts.join(' '), descents}
  }

  it('come as they stand, and each is told of whose time is before one of its device', async () => {
    expect(await read(['3,A,a', '1,B,b', '2,A,c', '2,A,d', '1,B,e', '3,A,f'])).toEqual({texts: 'a b c d e f', descents: ['A', 'A']})
  })

  it('are told of also after a time that is no number', async () => {
    expect((await read(['3,A,a', 'x,A,b', ',A,c', '2,A,d'])).descents).toEqual(['A'])
  })

  it('are told of also where the decimal sign is a comma', async () => {
    expect((await read(['1;A;1', '1,9;A;a', '1,1;A;b'], {}, 'ts;device;text')).descents).toEqual(['A'])
  })

  it('are told of only where they are asked for', async () => {
    expect((await read(['3,A,a', '5,B,b', '2,A,c', '4,B,d'], {device: 'B'})).descents).toEqual(['B'])
  })

  it('are those of one device, so many, and nothing is read after them', async () => {
    let read = 0
    async function* pieces() {
      yield Buffer.from(`${HEADER}\n`)
      for (;;) yield Buffer.from(`${read++},A,a\n${read},B,b\n`)
    }

    const source = csvSource(streamInPieces(pieces()), {choose: choosing({device: 'B', rowsPerDevice: 3})})
    expect(await messagesOf(source)).toHaveLength(3)
    expect(read).toBeLessThan(10)
  })
})
