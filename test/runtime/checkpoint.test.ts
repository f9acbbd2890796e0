import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdirSync, readdirSync, rmSync, statSync, writeFileSync} from 'node:fs'
import {open} from 'node:fs/promises'
import {basename, dirname, join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {describe, expect, it} from 'vitest'
import {createFileCheckpoint} from '../../src/lib/runtime/checkpoint.ts'
import {temporaryFolder} from '../commands/cli.ts'

const WRITER = fileURLToPath(new URL('checkpoint-writer.ts', import.meta.url))

function checkpointIn(folder = join(temporaryFolder(), 'cursors')) {
  return {folder, ...createFileCheckpoint(folder), files: () => readdirSync(folder)}
}

/** Kills a process that saves one cursor after the other, after so many of them. The number of the last that it knew to be durable. */
async function killedAfter(saves: number, folder: string, padding: number): Promise<number> {
  const writer = spawn(process.execPath, [WRITER, folder, String(padding)], {stdio: ['ignore', 'pipe', 'inherit']})
  let printed = ''
  writer.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text
    if (printed.split('\n').length > saves) writer.kill('SIGKILL')
  })
  await once(writer, 'close')
  return Number(printed.trim().split('\n').at(-1))
}

describe('a cursor', () => {
  it('is none before the first save', async () => {
    expect(await checkpointIn().load('a')).toBeUndefined()
  })

  it('is what was saved last, also for another process', async () => {
    const {folder, load, save} = checkpointIn()
    await save('a', '2020-07-12T00:01:34.386Z')
    await save('a', 'second "line"\n')
    expect(await load('a')).toBe('second "line"\n')
    expect(await createFileCheckpoint(folder).load('a')).toBe('second "line"\n')
  })

  it('may be empty', async () => {
    const {load, save} = checkpointIn()
    await save('a', '')
    expect(await load('a')).toBe('')
  })

  it.each([
    ['differ in what a file name cannot hold', 'collect http://a/b', 'collect http://a:b'],
    ['differ in case', 'Power', 'power'],
    ['differ after many letters', `${'x'.repeat(200)}a`, `${'x'.repeat(200)}b`],
    ['would leave the folder', '../a', '../../a'],
    ['are hardly keys', '', '.'],
  ])('of one key is none of another, where they %s', async (_, one, other) => {
    const {folder, load, save, files} = checkpointIn()
    await save(one, '1')
    expect(await load(other)).toBeUndefined()
    await save(other, '2')
    expect([await load(one), await load(other)]).toEqual(['1', '2'])
    expect(files()).toHaveLength(2)
    expect(readdirSync(join(folder, '..'))).toEqual(['cursors'])
  })

  it('is for its owner alone, and so is its folder', async () => {
    const {folder, save, files} = checkpointIn()
    await save('a', '1')
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    expect(statSync(join(folder, files()[0]!)).mode & 0o777).toBe(0o600)
  })

  it('leaves one file, however often it is saved', async () => {
    const {save, files} = checkpointIn()
    for (const cursor of ['1', '2', '3']) await save('a', cursor)
    expect(files()).toHaveLength(1)
  })

  it('is never written over: who has the old file open sees the old value', async () => {
    const {folder, save, files} = checkpointIn()
    await save('a', 'old')
    await using old = await open(join(folder, files()[0]!))
    await save('a', 'new')
    expect(await old.readFile('utf8')).toContain('"cursor":"old"')
  })
})

describe('a cursor that is forgotten', () => {
  it('is none any more, and that of another key stays', async () => {
    const {load, save, forget, files} = checkpointIn()
    await save('a', '1')
    await save('b', '2')
    await forget('a')
    expect([await load('a'), await load('b')]).toEqual([undefined, '2'])
    expect(files()).toHaveLength(1)
    await save('a', '3')
    expect(await load('a')).toBe('3')
  })

  it('may have been none, and its folder missing', async () => {
    const {forget} = checkpointIn(join(temporaryFolder(), 'none', 'cursors'))
    await expect(forget('a')).resolves.toBeUndefined()
  })

  it('leaves its lock to whoever holds it', async () => {
    const {save, forget, lockPath, files} = checkpointIn()
    await save('a', '1')
    writeFileSync(lockPath('a'), '')
    await forget('a')
    expect(files()).toHaveLength(1)
  })

  it('is an error with its path where it cannot be removed', async () => {
    const {folder, save, forget, files} = checkpointIn()
    await save('a', '1')
    const path = join(folder, files()[0]!)
    rmSync(path)
    mkdirSync(path)
    await expect(forget('a')).rejects.toMatchObject({
      code: 'IO',
      message: expect.stringContaining(`cannot remove the cursor in ${path}: `) as unknown,
    })
  })
})

describe('the lock of a key', () => {
  it('lies beside its cursor', async () => {
    const {folder, save, lockPath, files} = checkpointIn()
    await save('a', '1')
    expect(lockPath('a')).toBe(join(folder, `${files()[0]!}.lock`))
  })

  it.each([
    ['a', 'b'],
    ['collect http://a/b', 'collect http://a:b'],
    ['x'.repeat(200), 'x'.repeat(201)],
  ])('is its own, and has a name that a folder takes: %s, %s', (one, other) => {
    const {folder, lockPath} = checkpointIn()
    expect(lockPath(one)).not.toBe(lockPath(other))
    for (const path of [lockPath(one), lockPath(other)]) {
      expect(dirname(path)).toBe(folder)
      expect(basename(path).length).toBeLessThan(100)
    }
  })
})

describe('after a crash', () => {
  it('between write and rename the old value is there, and the next save goes through', async () => {
    const {folder, load, save, files} = checkpointIn()
    await save('a', 'old')
    writeFileSync(join(folder, `${files()[0]!}.${process.pid}.draft`), '{"version":1,"key":"a","curs')
    expect(await load('a')).toBe('old')
    await save('a', 'new')
    expect(await load('a')).toBe('new')
    expect(files()).toHaveLength(1)
  })

  it('at any moment the last durable value is there, or the one that was on its way', async () => {
    const {folder, load} = checkpointIn()
    for (const saves of [1, 2, 3, 5, 8]) {
      const durable = await killedAfter(saves, folder, 200_000)
      expect(durable).toBeGreaterThanOrEqual(saves)
      const found = Number((await load('cursor'))!.split(' ')[0])
      expect([durable, durable + 1]).toContain(found)
    }
  })
})

describe('a file that cannot be used', () => {
  it.each([
    ['', 'Unexpected end of JSON input'],
    ['{"version":1,"curs', 'JSON'],
    ['null', 'null'],
    ['{"version":2,"key":"a","cursor":"1"}', 'version 2 is not one that this release knows'],
  ])('is an error with its path, and never a beginning from nothing: %j', async (content, message) => {
    const {folder, load, save, files} = checkpointIn()
    await save('a', '1')
    const path = join(folder, files()[0]!)
    writeFileSync(path, content)
    const error = await load('a').catch((reason: unknown) => reason)
    expect(error).toMatchObject({code: 'IO', exitCode: 74})
    expect((error as Error).message).toMatch(`cannot read the cursor in ${path}: `)
    expect((error as Error).message).toContain(message)
  })

  it('is an error where it cannot be written', async () => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'file'), '')
    await expect(checkpointIn(join(folder, 'file')).save('a', '1')).rejects.toMatchObject({code: 'IO', exitCode: 74})
    const {folder: own, save, files} = checkpointIn(join(folder, 'own'))
    await save('a', '1')
    mkdirSync(join(own, `${files()[0]!}.${process.pid}.draft`))
    await expect(save('a', '2')).rejects.toThrow(`cannot save the cursor in ${join(own, files()[0]!)}: EISDIR`)
  })
})
