import {appendFileSync, chmodSync, renameSync, writeFileSync} from 'node:fs'
import {dirname} from 'node:path'
import {PassThrough} from 'node:stream'
import {describe, expect, it, onTestFinished} from 'vitest'
import {InterruptedError, IoError, UsageError} from '../../src/lib/errors.ts'
import {acknowledged, messagesOf} from '../contract/source.ts'
import {csvFile, csvSource, streamInPieces} from './csv.ts'
import {collectGarbage} from './garbage.ts'

const never = new AbortController().signal
const rows = (count: number, first = 0) => Array.from({length: count}, (_, index) => `${first + index},A,x\n`).join('')
const HEADER = 'ts,device,text\n'
const byTime = {choose: () => ({deviceColumn: 1, timeColumn: 0, device: undefined, rowsPerDevice: Infinity})}
const NOBODY = 65_534

describe('a file that cannot be read', () => {
  it.each([
    {what: 'that is not there', path: () => 'absent.csv', error: UsageError, says: 'there is no file absent.csv'},
    {what: 'that is a folder', path: () => dirname(csvFile('')), error: UsageError, says: 'is a folder'},
    {what: 'that is a device', path: () => '/dev/null', error: UsageError, says: '/dev/null is no regular file'},
    {what: 'in a folder that is a file', path: () => `${csvFile('')}/rows.csv`, error: IoError, says: 'cannot read'},
  ])('$what', async ({path, error, says}) => {
    const source = csvSource(path())
    await expect(source.open(never)).rejects.toThrow(error)
    await expect(source.open(never)).rejects.toThrow(says)
  })

  it('for want of permission', async () => {
    const path = csvFile(HEADER)
    chmodSync(path, 0o000)
    if (process.geteuid!() === 0) {
      process.seteuid!(NOBODY) // root may read everything
      onTestFinished(() => process.seteuid!(0))
    }

    await expect(csvSource(path).open(never)).rejects.toThrow(IoError)
  })
})

it('a file that was closed is closed', async () => {
  const source = csvSource(csvFile(HEADER + rows(1)))
  await source.open(never)
  await source.close()
  await expect(messagesOf(source)).rejects.toThrow(IoError)
})

describe('a file that changes while it is read', () => {
  const COUNT = 100_000

  it('is read up to the rows that were there when they were counted', async () => {
    const path = csvFile(HEADER + rows(COUNT))
    const source = csvSource(path, byTime)
    let read = 0
    for await (const chunk of acknowledged(source)) {
      if (read === 0) appendFileSync(path, rows(COUNT, COUNT))
      read += chunk.length
    }

    expect({read, total: source.total()}).toEqual({read: COUNT, total: COUNT})
  })

  it('is read to its end where nobody counted', async () => {
    const path = csvFile(HEADER + rows(COUNT))
    let read = 0
    for await (const chunk of acknowledged(csvSource(path))) {
      if (read === 0) appendFileSync(path, rows(1000, COUNT))
      read += chunk.length
    }

    expect(read).toBe(COUNT + 1000)
  })

  it.each([
    {how: 'as it stands', options: {}, content: HEADER + rows(3)},
    {how: 'streamed by time', options: byTime, content: HEADER + rows(3)},
    {how: 'sorted by time', options: byTime, content: `${HEADER}2,A,x\n1,A,x\n`},
  ])('is the one that was opened, though another has taken its place: $how', async ({options, content}) => {
    const path = csvFile(content)
    const source = csvSource(path, options)
    await source.open(never)
    writeFileSync(`${path}.new`, 'other,header\nnothing,of,this\n'.repeat(100))
    renameSync(`${path}.new`, path)
    const texts = (await messagesOf(source)).map(({value}) => `${String(value.text)}\n`)
    expect(texts.sort()).toEqual(content.slice(HEADER.length).match(/.+\n/g)!.sort())
  })
})

describe('a loop', () => {
  const firstRows = async (count: number, content: string, options: Parameters<typeof csvSource>[1]) => {
    const [source, stop, texts] = [csvSource(csvFile(HEADER + content), {loops: true, ...options}), new AbortController(), [] as string[]]
    for await (const chunk of acknowledged(source, stop.signal)) {
      texts.push(...chunk.map(({value}) => value.fields[0]!))
      if (texts.length >= count) stop.abort()
    }

    return {texts: texts.slice(0, count).join(' '), total: source.total()}
  }

  it.each([
    {what: 'begins again at the end', content: rows(3), options: {}, texts: '0 1 2 0 1 2 0'},
    {what: 'begins again in order', content: '2,A,x\n0,A,x\n1,A,x\n', options: byTime, texts: '0 1 2 0 1 2 0'},
    {what: 'has so many rows in each round', content: rows(3), options: {maxRows: 2}, texts: '0 1 0 1 0 1 0'},
    {what: 'leaves out so many rows once', content: rows(3), options: {skip: 2}, texts: '2 0 1 2 0 1 2'},
    {what: 'leaves out more rows than a round has', content: rows(3), options: {skip: 7}, texts: '1 2 0 1 2 0 1'},
  ])('$what', async ({content, options, texts}) => {
    expect(await firstRows(7, content, options)).toEqual({texts, total: undefined})
  })

  it.each([
    {where: 'the file', options: {}},
    {where: 'the file for a device', options: {choose: () => ({...byTime.choose(), device: 'B'})}},
  ])('ends where $where has no rows', async ({options}) => {
    expect((await firstRows(1, '', options)).texts).toBe('')
  })
})

describe('a stream', () => {
  it('is opened as soon as its header is there, and each row comes as soon as it is complete', async () => {
    const input = new PassThrough()
    const source = csvSource(input)
    const opening = source.open(never)
    input.write('P1,P2\nts,te')
    input.write('xt\n')
    expect(await opening).toMatchObject({columns: ['ts', 'text']})

    const chunks = source.read(never)[Symbol.asyncIterator]()
    const next = async () => ((await chunks.next()).value as {value: {fields: readonly string[]}}[]).map(({value}) => value.fields)
    for (const index of [1, 2, 3]) {
      input.write(`${index},a\n${index},`)
      expect(await next()).toEqual([[String(index), 'a']])
      input.write('b\n')
      expect(await next()).toEqual([[String(index), 'b']])
    }
  })

  it('without a header is refused when it ends', async () => {
    await expect(csvSource(streamInPieces([Buffer.from('a,b\n')])).open(never)).rejects.toThrow('its first line is "a,b"')
    await expect(csvSource(streamInPieces([])).open(never)).rejects.toThrow('it is empty')
  })

  it('without a header is refused as soon as two rows show it', async () => {
    const input = new PassThrough()
    const opening = csvSource(input).open(never)
    input.write('P1,P2\na,b\n')
    await expect(opening).rejects.toThrow('its first line is "P1,P2"')
  })

  it('of which no more is wanted is let go', async () => {
    const input = new PassThrough()
    input.write(`${HEADER}1,A,x\n2,A,y\n3,A,z\n`)
    expect(await messagesOf(csvSource(input, {maxRows: 2}))).toHaveLength(2)
    expect(input.destroyed).toBe(true)
  })

  it('without a header is refused after 64 KB, if it never ends', async () => {
    async function* pieces() {
      for (;;) yield Buffer.alloc(1000, 'x')
    }

    await expect(csvSource(streamInPieces(pieces())).open(never)).rejects.toThrow(UsageError)
  })

  it('that waits for its header is given up with the reason of the signal', async () => {
    const stop = new AbortController()
    const opening = csvSource(new PassThrough()).open(stop.signal)
    stop.abort(new InterruptedError('stopped by SIGTERM'))
    await expect(opening).rejects.toThrow('stopped by SIGTERM')
  })

  it.each([
    {when: 'before the header', text: ''},
    {when: 'after some rows', text: `${HEADER}1,A,x\n2,A`},
  ])('that breaks $when is an IoError with what was wrong', async ({text}) => {
    const input = new PassThrough()
    const reading = messagesOf(csvSource(input))
    input.write(text === '' ? 'ts' : text)
    setImmediate(() => input.destroy(new Error('EIO: i/o error, read')))
    await expect(reading).rejects.toThrow(new IoError('reading rows.csv failed: EIO: i/o error, read'))
  })

  it('gives the rows before it broke, and never the one that was cut', async () => {
    const input = new PassThrough()
    const texts: string[] = []
    input.write(`${HEADER}1,A,x\n2,A,xyz`)
    const reading = async () => {
      for await (const chunk of acknowledged(csvSource(input))) {
        texts.push(...chunk.map(({value}) => String(value.text)))
        input.destroy(new Error('cut'))
      }
    }

    await expect(reading()).rejects.toThrow('cut')
    expect(texts).toEqual(['1,A,x'])
  })
})

describe('memory', () => {
  const BLOCKS = 100
  const block = Buffer.from(rows(5000))

  it('holds no more than 1 MB of a stream ahead of the reader', async () => {
    let pulled = 0
    async function* pieces() {
      yield Buffer.from(HEADER)
      for (let index = 0; index < BLOCKS; index++) {
        pulled += block.length
        yield block
      }
    }

    let [read, mostAhead] = [0, 0]
    for await (const chunk of acknowledged(csvSource(streamInPieces(pieces())))) {
      mostAhead = Math.max(mostAhead, pulled - read)
      for (const {value} of chunk) read += value.text.length + 1
    }

    expect(read).toBe(BLOCKS * block.length)
    expect(mostAhead).toBeLessThan(1_000_000)
  })

  it.each([
    {how: 'as it stands', options: {}},
    {how: 'by time', options: byTime},
  ])('holds none of the rows of a file that were taken: $how', async ({options}) => {
    const source = csvSource(csvFile(HEADER + rows(200_000)), options)
    const taken: WeakRef<object>[] = []
    let most = 0
    for await (const chunk of acknowledged(source)) {
      taken.push(new WeakRef(chunk))
      if (taken.length % 50 !== 0) continue
      await collectGarbage()
      most = Math.max(most, taken.filter((reference) => reference.deref() !== undefined).length)
    }

    expect(taken.length).toBeGreaterThanOrEqual(200)
    expect(most).toBeLessThan(5)
  })
})
