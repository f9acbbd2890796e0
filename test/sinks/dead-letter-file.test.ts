import {execFile} from 'node:child_process'
import {existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync} from 'node:fs'
import {type FileHandle, open} from 'node:fs/promises'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {promisify} from 'node:util'
import {describe, expect, it, onTestFinished, vi} from 'vitest'
import type {Letter, RawMessage} from '../../src/lib/core/types.ts'
import {DataError, IoError, PartialError} from '../../src/lib/errors.ts'
import {acquireLock} from '../../src/lib/runtime/lock.ts'
import {createDeadLetterFile, type DeadLetterFileOptions, refuseDeadLetters} from '../../src/lib/sinks/dead-letter-file.ts'
import {temporaryFolder} from '../commands/cli.ts'

const WRITER = fileURLToPath(new URL('dead-letter-writer.ts', import.meta.url))

describe('a file of dead letters', () => {
  it('holds one line a letter, in the order in which they came', async () => {
    const {file, path} = inFolder()
    await file.put([letter(1, 'line\nbreak'), letter(2)])
    await file.put([letter(3)])
    expect(readFileSync(path, 'utf8')).toMatch(/^(\{.*\}\n){3}$/)
    expect(offsetsIn(path)).toEqual(['1', '2', '3'])
    expect(recordsIn(path)[0]).toMatchObject({
      command: 'test',
      topic: 't',
      value: 'line\nbreak',
      reason: {code: 'bad', message: 'bad value'},
    })
  })

  it('is made when the first letter comes, with its folders, and is for its owner only', async () => {
    const {file, path} = inFolder({name: 'dead-letters/deep/test.ndjson'})
    expect(existsSync(path)).toBe(false)
    expect(file.path()).toBeUndefined()
    await file.put([letter(1)])
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(file.path()).toBe(path)
  })

  it('is not made when there was no letter', async () => {
    const {file, folder} = inFolder()
    await file.close()
    expect(readdirSync(folder)).toEqual([])
  })

  it('goes on after the letters of earlier runs', async () => {
    const {file, path, options} = inFolder()
    await file.put([letter(1)])
    await file.close()
    const later = createDeadLetterFile(options)
    await later.put([letter(2)])
    await later.close()
    expect(offsetsIn(path)).toEqual(['1', '2'])
  })

  it('begins a new line after half a line that a killed process left', async () => {
    const {file, path} = inFolder()
    writeFileSync(path, '{"offset":"1"}\n{"offset":"2","val')
    await file.put([letter(3)])
    await file.put([letter(4)])
    const lines = readFileSync(path, 'utf8').split('\n')
    expect(lines.slice(0, 2)).toEqual(['{"offset":"1"}', '{"offset":"2","val'])
    expect(lines.slice(2, -1).map((line) => (JSON.parse(line) as {offset: string}).offset)).toEqual(['3', '4'])
  })

  it('holds letters of any size', async () => {
    const {file, path} = inFolder()
    await file.put([letter(1, 'x'.repeat(5_000_000))])
    expect(statSync(path).size).toBeGreaterThan(5_000_000)
    expect(offsetsIn(path)).toEqual(['1'])
  })

  it('closes twice', async () => {
    const {file} = inFolder()
    await file.put([letter(1)])
    await file.close()
    await expect(file.close()).resolves.toBeUndefined()
  })
})

describe('putting a letter', () => {
  it('while others are being put opens the file once, and waits for its turn', async () => {
    const {file, folder, path} = inFolder()
    await Promise.all([file.put([letter(1)]), file.put([letter(2)]), file.put([letter(3)])])
    expect(offsetsIn(path)).toEqual(['1', '2', '3'])
    await file.close()
    expect(readdirSync(folder)).toEqual(['test.ndjson'])
  })

  it('that fails spoils none that is put at the same time', async () => {
    const {file, path} = inFolder()
    await file.put([letter(1)])
    const {sync} = await spyOnFiles()
    sync.mockRejectedValueOnce(new Error('ENOSPC'))
    const puts = await Promise.allSettled([file.put([letter(2)]), file.put([letter(3)])])
    expect(puts.map(({status}) => status)).toEqual(['rejected', 'fulfilled'])
    expect(offsetsIn(path)).toEqual(['1', '3'])
  })

  it('resolves when the disk has it, and not before', async () => {
    const {file, path} = inFolder()
    await file.put([letter(1)])
    const synced = Promise.withResolvers<undefined>()
    const sync = (await spyOnFiles()).sync.mockReturnValue(synced.promise)
    let isDone = false
    const putting = file.put([letter(2)]).then(() => (isDone = true))
    await vi.waitFor(() => expect(sync).toHaveBeenCalled(), {timeout: 20_000})
    expect(offsetsIn(path)).toEqual(['1', '2'])
    await new Promise(setImmediate)
    expect(isDone).toBe(false)
    synced.resolve(undefined)
    await putting
  })

  it('syncs once a batch, and once more for the name of a new file', async () => {
    const {file} = inFolder()
    const {sync} = await spyOnFiles()
    await file.put([letter(1), letter(2)])
    expect(sync).toHaveBeenCalledTimes(2)
    await file.put([letter(3), letter(4)])
    expect(sync).toHaveBeenCalledTimes(3)
  })

  it('rejects and leaves no trace when the disk cannot keep it', async () => {
    const {file, path} = inFolder()
    await file.put([letter(1)])
    const {sync} = await spyOnFiles()
    sync.mockRejectedValueOnce(new Error('EIO: i/o error, fsync'))
    await expect(file.put([letter(2)])).rejects.toMatchObject({
      name: 'IoError',
      message: `writing dead letters to ${path} failed: EIO: i/o error, fsync`,
      suggestion: 'Make room or name another file with --dead-letter; the records are read again',
    })
    await file.put([letter(3)])
    expect(offsetsIn(path)).toEqual(['1', '3'])
  })

  it('leaves no half line on a full disk, and goes on when there is room', async () => {
    const {path} = inFolder()
    // A limit of the size of files stands in for a disk: the system takes what fits and refuses the rest.
    const {stdout} = await bash(`trap '' XFSZ; ulimit -f 8; exec "${process.execPath}" "${WRITER}" "${path}" 100 20000 100`)
    expect(JSON.parse(stdout)).toEqual(['stored', 'IoError', 'stored'])
    expect(offsetsIn(path)).toEqual(['0', '2'])
  })

  it('is an IoError where no file can be', async () => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'file'), '')
    const file = createDeadLetterFile(optionsFor(join(folder, 'file/test.ndjson')))
    await expect(file.put([letter(1)])).rejects.toBeInstanceOf(IoError)
  })

  it('is an IoError where the path is that of a folder', async () => {
    const {file, path} = inFolder()
    mkdirSync(path)
    await expect(file.put([letter(1)])).rejects.toMatchObject({name: 'IoError', message: expect.stringContaining('EISDIR') as string})
  })
})

describe('a device in place of a file', () => {
  it('takes letters without a sync, a lock, or an end that is too far', async () => {
    const {file, path, folder} = inFolder({maxBytes: 10})
    symlinkSync('/dev/null', path) // in a folder where anything that is made beside it would be seen
    const {sync} = await spyOnFiles()
    await file.put([letter(1)])
    await file.put([letter(2)])
    expect(sync).not.toHaveBeenCalled()
    expect(readdirSync(folder)).toEqual(['test.ndjson'])
    expect(file.path()).toBe(path)
    await file.close()
  })
})

describe('a second run at the same time', () => {
  it('writes to a file of its own, named by its process', async () => {
    const {file, path, options} = inFolder()
    await file.put([letter(1)])
    const second = createDeadLetterFile(options)
    onTestFinished(() => second.close())
    await second.put([letter(2)])
    expect(second.path()).toBe(path.replace('.ndjson', `.${process.pid}.ndjson`))
    expect([offsetsIn(path), offsetsIn(second.path()!)]).toEqual([['1'], ['2']])
  })

  it('keeps whole lines when it is another process', async () => {
    const {path, folder} = inFolder()
    const sizes = Array.from({length: 40}, () => '3000')
    await Promise.all([1, 2].map(() => promisify(execFile)(process.execPath, [WRITER, path, ...sizes])))
    const files = readdirSync(folder).filter((name) => name.endsWith('.ndjson'))
    expect(files.flatMap((name) => recordsIn(join(folder, name)))).toHaveLength(80)
    expect(readdirSync(folder)).toEqual(files) // and no lock is left
  })

  it('leaves the usual file to whoever comes after', async () => {
    const {file, path, options} = inFolder()
    await file.put([letter(1)])
    await file.close()
    const next = createDeadLetterFile(options)
    onTestFinished(() => next.close())
    await next.put([letter(2)])
    expect(next.path()).toBe(path)
  })

  it('is named after a path that ends otherwise, too', async () => {
    const {file, path, options} = inFolder({name: 'rejects.txt'})
    await file.put([letter(1)])
    const second = createDeadLetterFile(options)
    onTestFinished(() => second.close())
    await second.put([letter(2)])
    expect(second.path()).toBe(`${path}.${process.pid}.ndjson`)
  })
})

describe('rotation', () => {
  it('sets the file aside before it grows too large, with the time in its name', async () => {
    let now = Date.UTC(2026, 0, 2, 3, 4, 5, 678)
    const {file, path, folder} = inFolder({maxBytes: 1000, now: () => now})
    for (const offset of [1, 2, 3]) {
      await file.put([letter(offset, 'x'.repeat(600))])
      now += 60_000
    }

    const aside = ['test.2026-01-02T03-05-05.678Z.ndjson', 'test.2026-01-02T03-06-05.678Z.ndjson']
    expect(readdirSync(folder).filter((name) => !name.endsWith('.lock'))).toEqual([...aside, 'test.ndjson'])
    expect([...aside.map((name) => join(folder, name)), path].map(offsetsIn)).toEqual([['1'], ['2'], ['3']])
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('counts what earlier runs wrote', async () => {
    const {file, path, folder} = inFolder({maxBytes: 1000})
    writeFileSync(path, `{"offset":"0","value":"${'x'.repeat(900)}"}\n`)
    await file.put([letter(1)])
    expect(offsetsIn(path)).toEqual(['1'])
    expect(readdirSync(folder).filter((name) => name.endsWith('.ndjson'))).toHaveLength(2)
  })

  it('does not tear a batch that is larger than a file may be', async () => {
    const {file, path, folder} = inFolder({maxBytes: 100})
    await file.put([letter(1), letter(2)])
    expect(offsetsIn(path)).toEqual(['1', '2'])
    expect(readdirSync(folder).filter((name) => name.endsWith('.ndjson'))).toHaveLength(1)
  })
})

describe('no dead letters', () => {
  it('ends the run at the first one, and says which and why', async () => {
    const none = refuseDeadLetters(({offset}) => `t/0/${offset}`)
    await expect(none.put([letter(7), letter(8)])).rejects.toMatchObject({
      name: 'PartialError',
      message: 't/0/7 was rejected (bad: bad value) and --dead-letter is none',
      suggestion: expect.stringContaining('--dead-letter') as string,
    })
    await expect(none.put([letter(7)])).rejects.toBeInstanceOf(PartialError)
    await expect(none.close()).resolves.toBeUndefined()
  })
})

function inFolder({name = 'test.ndjson', ...options}: Partial<DeadLetterFileOptions> & {name?: string} = {}) {
  const folder = temporaryFolder()
  const path = join(folder, name)
  const file = createDeadLetterFile({...optionsFor(path), ...options})
  onTestFinished(() => file.close())
  return {file, path, folder, options: {...optionsFor(path), ...options}}
}

const optionsFor = (path: string): DeadLetterFileOptions => ({
  path,
  command: 'test',
  describe: ({offset}) => `t/0/${offset}`,
  raw: (value) => ({value: Buffer.from(value as string), key: null, headers: undefined, timestamp: undefined}) satisfies RawMessage,
  now: () => Date.UTC(2026, 0, 2),
  maxBytes: 1e9,
  acquireLock,
})

function letter(offset: number, value = '{}'): Letter {
  return {message: {value, position: {partition: 't/0@1', offset: BigInt(offset)}, bytes: 1}, error: new DataError('bad', 'bad value')}
}

const recordsIn = (path: string) =>
  readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as {offset: string})

const offsetsIn = (path: string) => recordsIn(path).map(({offset}) => offset)

const bash = (script: string) => promisify(execFile)('bash', ['-c', script])

/** What a disk does that fails cannot be had from a real one: the calls of all open files, until the test is over. */
async function spyOnFiles() {
  const handle = await open(WRITER)
  const prototype = Object.getPrototypeOf(handle) as FileHandle
  await handle.close()
  const sync = vi.spyOn(prototype, 'sync')
  onTestFinished(() => sync.mockRestore())
  return {sync}
}
