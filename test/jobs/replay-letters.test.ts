import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {describe, expect, it, onTestFinished} from 'vitest'
import type {Message, RawMessage} from '../../src/lib/core/types.ts'
import {DataError, IoError, LockedError, UsageError} from '../../src/lib/errors.ts'
import {openReplay} from '../../src/lib/jobs/replay-letters.ts'
import {acquireLock} from '../../src/lib/runtime/lock.ts'
import {temporaryFolder} from '../commands/cli.ts'
import {collectGarbage} from '../sources/garbage.ts'

const NOW = Date.UTC(2026, 0, 2)
const never = new AbortController().signal

/** A line of a dead letter file. */
const letter = (offset: number, own: object = {}) =>
  JSON.stringify({
    time: '2026-01-01T00:00:00.000Z',
    command: 'kafka-to-influx',
    topic: 't',
    partition: 0,
    offset: String(offset),
    index: null,
    reason: {code: 'bad timestamp', message: 'no such day'},
    key: null,
    headers: {},
    value: `v${offset}`,
    ...own,
  })

function fileOf(...lines: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'ucs-letters-'))
  onTestFinished(() => rmSync(folder, {recursive: true}))
  const path = join(folder, 'letters.ndjson')
  writeFileSync(path, lines.map((line) => `${line}\n`).join(''))
  return path
}

const linesOf = (path: string) => readFileSync(path, 'utf8').split('\n').slice(0, -1)
const open = (path: string, own = {}) =>
  openReplay({path, command: 'kafka-to-influx', keepsAll: false, now: () => NOW, acquireLock, ...own})

async function messagesOf({source}: Awaited<ReturnType<typeof openReplay>>): Promise<readonly Message<RawMessage>[]> {
  const messages: Message<RawMessage>[] = []
  for await (const chunk of source.read(never)) messages.push(...chunk)
  return messages
}

/** Settles every letter, those with these offsets as rejected again. */
async function replay(path: string, {again = [] as readonly number[], own = {}} = {}): Promise<void> {
  const opened = await open(path, own)
  const messages = await messagesOf(opened)
  const rejected = messages.filter(({position}) => again.includes(Number(position.offset)))
  await opened.deadLetter.put(rejected.map((message) => ({message, error: new DataError('no fields', 'it has no number')})))
  await opened.source.ack(messages)
  await opened.deadLetter.close()
}

describe('letters that are replayed', () => {
  it('are messages as they were read, at the positions that they had', async () => {
    const headers = {trace: 'x1', many: ['a', null, {base64: '//4='}], none: null}
    const bytes = {key: undefined, keyBase64: 'AP8=', value: undefined, valueBase64: '//4='}
    const opened = await open(fileOf(letter(7, {key: 'k', headers}), letter(8, bytes), letter(9, {value: null})))
    const messages = await messagesOf(opened)
    expect(messages.map(({position}) => opened.source.describe(position))).toEqual(['t/0/7', 't/0/8', 't/0/9'])
    expect(messages.map(({value}) => value.value)).toEqual([Buffer.from('v7'), Buffer.from([0xff, 0xfe]), null])
    const read = {trace: 'x1', many: ['a', undefined, Buffer.from([0xff, 0xfe])], none: undefined}
    expect(messages[0]!.value).toMatchObject({key: Buffer.from('k'), headers: read})
    expect(messages[1]!.value.key).toEqual(Buffer.from([0x00, 0xff]))
  })

  it('are whole when a value has a line separator, and stay so when they are kept', async () => {
    const odd = letter(1, {value: 'x\u2028y\u2029z\r'})
    const path = fileOf(odd, letter(2))
    const opened = await open(path)
    const messages = await messagesOf(opened)
    expect(messages.map(({value}) => String(value.value))).toEqual(['x\u2028y\u2029z\r', 'v2'])
    await opened.source.ack(messages.slice(1))
    await opened.deadLetter.close()
    expect(readFileSync(path, 'utf8')).toBe(`${odd}\n`)
  })

  it('come once, however often they were written', async () => {
    const opened = await open(fileOf(letter(1), letter(2), letter(1), letter(1, {index: 0}), letter(1, {partition: 1})))
    const places = (await messagesOf(opened)).map(({position}) => opened.source.describe(position))
    expect(places).toEqual(['t/0/1', 't/0/2', 't/0/1', 't/1/1'])
  })

  it('come all where two inputs, or a topic and another of its name, had different messages at one place', async () => {
    const path = fileOf(letter(1), letter(1, {value: 'other'}), letter(1, {key: 'k'}), letter(1, {valueBase64: 'djE='}))
    await replay(path, {again: [1]})
    expect(linesOf(path)).toHaveLength(4)
  })

  it('come in chunks of at most 1000', async () => {
    const {source} = await open(fileOf(...Array.from({length: 1001}, (_, offset) => letter(offset))))
    const sizes: number[] = []
    for await (const chunk of source.read(never)) sizes.push(chunk.length)
    expect(sizes).toEqual([1000, 1])
  })

  it('are not held once they are settled, nor are the errors of those that were rejected', async () => {
    const opened = await open(fileOf(...Array.from({length: 5000}, (_, offset) => letter(offset))))
    const taken: WeakRef<object>[] = []
    for await (const messages of opened.source.read(never)) {
      const letters = messages.map((message) => ({message, error: new DataError('no fields', 'it has no number', {cause: message})}))
      await opened.deadLetter.put(letters.slice(0, 500))
      await opened.source.ack(messages)
      taken.push(...letters.flatMap(({message, error}) => [new WeakRef(message), new WeakRef(error)]))
    }

    await collectGarbage()
    const held = taken.filter((reference) => reference.deref() !== undefined)
    expect(taken).toHaveLength(10_000)
    expect(held.length).toBeLessThanOrEqual(2000) // those of the last chunk
    await opened.deadLetter.close()
  })

  it('make only the row that they are about', async () => {
    const opened = await open(fileOf(letter(1), letter(2, {index: 1})))
    const transform = opened.only(() => ({rows: ['a', 'b', 'c']}))
    const messages = await messagesOf(opened)
    expect(messages.map(({value, position}) => transform(value, position))).toEqual([{rows: ['a', 'b', 'c']}, {rows: ['b']}])
  })

  it.each([
    ['fewer rows', {rows: ['a', 'b']}, 2],
    ['no rows', {rows: []}, 0],
    ['nothing', {filtered: 'no rows'}, 0],
  ])('are rejected again where their message makes %s now', async (_, outcome, count) => {
    const opened = await open(fileOf(letter(1, {index: 2})))
    const transform = opened.only(() => outcome)
    const [message] = await messagesOf(opened)
    expect(() => transform(message!.value, message!.position)).toThrow(
      expect.objectContaining({
        reason: 'no such row',
        message: `row 2 was rejected, and the message has ${count} rows now: replay it with the flags of that run`,
      }),
    )
  })
})

describe('the file of letters', () => {
  it('is gone when all of them succeeded, and nothing of the replay is left', async () => {
    const path = fileOf(letter(1), letter(2))
    await replay(path)
    expect(readdirSync(join(path, '..'))).toEqual([])
  })

  it('keeps those that were rejected again, with the new reason and time, once each, readable by its owner only', async () => {
    const path = fileOf(letter(1), letter(2), letter(2), letter(3))
    await replay(path, {again: [2]})
    const reason = {code: 'no fields', message: 'it has no number'}
    expect(linesOf(path)).toEqual([letter(2, {time: '2026-01-02T00:00:00.000Z', reason})])
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('keeps what was rejected again in a run that stops early, and what that run did not read, repeated lines once', async () => {
    const path = fileOf(...Array.from({length: 1500}, (_, offset) => letter(offset)), letter(3), letter(1400))
    const opened = await open(path)
    for await (const messages of opened.source.read(never)) {
      const rejected = messages.filter(({position}) => position.offset === 7n)
      await opened.deadLetter.put(rejected.map((message) => ({message, error: new DataError('no fields', 'it has no number')})))
      await opened.source.ack(messages)
      break
    }

    await opened.deadLetter.close()
    const offsets = linesOf(path).map((line) => (JSON.parse(line) as {offset: string}).offset)
    expect(offsets).toEqual(['7', ...Array.from({length: 500}, (_, index) => String(1000 + index))])
  })

  it('keeps to the letter what was not settled, what belongs to another command, and what is no letter', async () => {
    const half = letter(9).slice(0, 50)
    const path = fileOf(letter(1), letter(2), letter(3, {command: 'produce'}), half)
    const opened = await open(path)
    const [first] = await messagesOf(opened)
    await opened.source.ack([first!])
    await opened.deadLetter.close()
    expect(linesOf(path)).toEqual([letter(2), letter(3, {command: 'produce'}), half])
  })

  it('is as it was until the end, and after a run that settled nothing, with nothing beside it', async () => {
    const path = fileOf(letter(1), letter(2))
    const opened = await open(path)
    const [first] = await messagesOf(opened)
    await opened.deadLetter.put([{message: first!, error: new DataError('no fields', 'it has no number')}])
    expect(linesOf(path)).toEqual([letter(1), letter(2)])
    await opened.deadLetter.close()
    expect(linesOf(path)).toEqual([letter(1), letter(2)])
    expect(readdirSync(join(path, '..'))).toEqual(['letters.ndjson'])
  })

  it('has nothing beside it in a dry run', async () => {
    const path = fileOf(letter(1))
    const opened = await open(path, {keepsAll: true})
    const [first] = await messagesOf(opened)
    await opened.deadLetter.put([{message: first!, error: new DataError('no fields', 'it has no number')}])
    expect(readdirSync(join(path, '..'))).toEqual(['letters.ndjson', 'letters.ndjson.lock'])
    await opened.deadLetter.close()
  })

  it('keeps a message once of which two rows were rejected, as a whole, also when both come at a time', async () => {
    const path = fileOf(letter(1, {key: 'k', headers: {trace: 'x1'}}), letter(2, {index: 3, value: undefined, valueBase64: '//4='}))
    const opened = await open(path)
    const messages = await messagesOf(opened)
    const error = new DataError('no fields', 'it has no number')
    await Promise.all(messages.map((message) => opened.deadLetter.put([0, 1].map((index) => ({message, index, error})))))
    await opened.source.ack(messages)
    await opened.deadLetter.close()
    const own = {time: '2026-01-02T00:00:00.000Z', reason: {code: 'no fields', message: 'it has no number'}}
    expect(linesOf(path).map((line) => JSON.parse(line) as unknown)).toEqual(
      [letter(1, {...own, key: 'k', headers: {trace: 'x1'}}), letter(2, {...own, index: 3, value: undefined, valueBase64: '//4='})].map(
        (line) => JSON.parse(line) as unknown,
      ),
    )
  })

  it('is replaced where it lies when its name is a link', async () => {
    const path = fileOf(letter(1), letter(2))
    const link = join(temporaryFolder(), 'link.ndjson')
    symlinkSync(path, link)
    await replay(link, {again: [2]})
    expect(readlinkSync(link)).toBe(path)
    expect(linesOf(path)).toHaveLength(1)
    expect(readdirSync(join(path, '..'))).toEqual(['letters.ndjson'])
    await replay(link)
    expect(readdirSync(join(path, '..'))).toEqual([])
    expect(readdirSync(join(link, '..'))).toEqual(['link.ndjson'])
  })

  it('is read in the time that its lines take, also where one has many pieces', {timeout: 20_000}, async () => {
    const path = fileOf(letter(1, {value: 'x'.repeat(80_000_000)})) // a minute and more, if each of its pieces were joined to those before it
    const [message] = await messagesOf(await open(path))
    expect(message!.value.value).toHaveLength(80_000_000)
  })

  it('keeps more than is written at once', async () => {
    const lines = [1, 2, 3, 4, 5].map((offset) => letter(offset, {value: String(offset).repeat(600_000)}))
    const path = fileOf(...lines)
    const opened = await open(path)
    const [first] = await messagesOf(opened)
    await opened.source.ack([first!])
    await opened.deadLetter.close()
    expect(linesOf(path)).toEqual(lines.slice(1))
  })

  it.each([
    ['nothing was settled', {}, async () => {}],
    ['it was a dry run', {keepsAll: true}, replay],
  ])('is left as it is when %s', async (_, own, run) => {
    const path = fileOf(letter(1), letter(1))
    if (run === replay) await replay(path, {own})
    else await (await open(path, own)).deadLetter.close()
    expect(linesOf(path)).toEqual([letter(1), letter(1)])
    expect(readdirSync(join(path, '..'))).toEqual(['letters.ndjson'])
  })

  it('is held under its lock until the end', async () => {
    const path = fileOf(letter(1))
    const opened = await open(path)
    await expect(open(path)).rejects.toThrow(LockedError)
    await opened.deadLetter.close()
    await (await open(path)).deadLetter.close()
  })

  it('that is a folder, or is not there, is a UsageError', async () => {
    const path = fileOf(letter(1))
    for (const wrong of [join(path, '..'), `${path}.none`]) {
      const opened = await open(wrong)
      await expect(messagesOf(opened)).rejects.toThrow(UsageError)
      await opened.deadLetter.close()
    }

    rmSync(`${join(path, '..')}.lock`, {force: true})
  })

  it('is left as it is when a letter that was rejected again could not be written, whatever succeeds after that', async () => {
    const path = fileOf(letter(1), letter(2), letter(3))
    const opened = await open(path)
    const [first, second] = await messagesOf(opened)
    mkdirSync(`${path}.replayed`)
    const error = new DataError('no fields', 'it has no number')
    await expect(opened.deadLetter.put([{message: first!, error}])).rejects.toThrow(IoError)
    rmdirSync(`${path}.replayed`)
    await expect(opened.deadLetter.put([{message: second!, error}])).rejects.toThrow(IoError)
    await opened.source.ack([second!])
    await expect(opened.deadLetter.close()).rejects.toThrow(IoError)
    expect(linesOf(path)).toEqual([letter(1), letter(2), letter(3)])
    expect(readdirSync(join(path, '..'))).toEqual(['letters.ndjson'])
  })

  it('is left as it is when what remains cannot be written', async () => {
    const path = fileOf(letter(1), letter(2))
    const opened = await open(path)
    const [first] = await messagesOf(opened)
    await opened.source.ack([first!])
    rmSync(path) // as if the disk had failed
    await expect(opened.deadLetter.close()).rejects.toThrow(IoError)
    expect(readdirSync(join(path, '..'))).toEqual([])
  })
})
