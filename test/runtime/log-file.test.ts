import {mkdirSync, readdirSync, readFileSync, statSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {describe, expect, it, onTestFinished} from 'vitest'
import {openLogFile} from '../../src/lib/runtime/log-file.ts'
import {temporaryFolder} from '../commands/cli.ts'

/** A log file in a folder of its own. */
function logFile({
  maxBytes = 1000,
  backups = 5,
  before = {},
}: {maxBytes?: number; backups?: number; before?: Readonly<Record<string, string>>} = {}) {
  const folder = temporaryFolder()
  for (const [name, text] of Object.entries(before)) writeFileSync(join(folder, name), text)
  const path = join(folder, 'ucs.log')
  const file = openLogFile(path, maxBytes, backups)
  onTestFinished(() => file.close())
  const contents = () => Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]))
  return {file, path, folder, contents}
}

describe('a log file', () => {
  it('has every line as soon as it is written', () => {
    const {file, path} = logFile()
    file.write('one\n')
    expect(readFileSync(path, 'utf8')).toBe('one\n')
    file.write('two\n')
    expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n')
  })

  it('is for its owner alone, also after a rotation', () => {
    const {file, path} = logFile({maxBytes: 5})
    for (const line of ['one\n', 'two\n']) file.write(line)
    for (const name of [path, `${path}.1`]) expect(statSync(name).mode & 0o777).toBe(0o600)
  })

  it('goes on with what is there, and counts it', () => {
    const {file, contents} = logFile({maxBytes: 10, before: {'ucs.log': 'before\n'}})
    file.write('one\n')
    expect(contents()).toEqual({'ucs.log': 'one\n', 'ucs.log.1': 'before\n'})
  })

  it('makes its folder', () => {
    const path = join(temporaryFolder(), 'logs/collector.log')
    openLogFile(path, 10, 1).close()
    expect(readFileSync(path, 'utf8')).toBe('')
  })

  it('that cannot be opened is an error with its path', () => {
    const folder = temporaryFolder()
    expect(() => openLogFile(folder, 10, 1)).toThrow(`cannot open the log file ${folder}: EISDIR`)
    writeFileSync(join(folder, 'file'), '')
    expect(() => openLogFile(join(folder, 'file/ucs.log'), 10, 1)).toThrow(expect.objectContaining({code: 'IO', exitCode: 74}) as Error)
  })

  it('on a full disk is an error with its path', () => {
    const file = openLogFile('/dev/full', 10, 1)
    onTestFinished(() => file.close())
    expect(() => file.write('one\n')).toThrow('writing to the log file /dev/full failed: ENOSPC')
  })
})

describe('the rotation', () => {
  it.each([
    [0, {'ucs.log': 'five\n'}],
    [1, {'ucs.log': 'five\n', 'ucs.log.1': 'four\n'}],
    [2, {'ucs.log': 'five\n', 'ucs.log.1': 'four\n', 'ucs.log.2': 'three\n'}],
    [9, {'ucs.log': 'five\n', 'ucs.log.1': 'four\n', 'ucs.log.2': 'three\n', 'ucs.log.3': 'two\n', 'ucs.log.4': 'one\n'}],
  ])('keeps %i backups, the youngest first', (backups, files) => {
    const {file, contents} = logFile({maxBytes: 6, backups})
    for (const line of ['one\n', 'two\n', 'three\n', 'four\n', 'five\n']) file.write(line)
    expect(contents()).toEqual(files)
  })

  it('fills a file up to its size and not beyond', () => {
    const {file, contents} = logFile({maxBytes: 8})
    for (const line of ['one\n', 'two\n', 'x\n']) file.write(line)
    expect(contents()).toEqual({'ucs.log': 'x\n', 'ucs.log.1': 'one\ntwo\n'})
  })

  it('counts bytes, not characters', () => {
    const {file, contents} = logFile({maxBytes: 6})
    for (const line of ['x\n', 'éé\n', 'y\n']) file.write(line)
    expect(contents()).toEqual({'ucs.log': 'y\n', 'ucs.log.1': 'éé\n', 'ucs.log.2': 'x\n'})
  })

  it('never cuts a line, however long', () => {
    const {file, contents} = logFile({maxBytes: 4})
    for (const line of ['a line that is too long\n', 'b\n']) file.write(line)
    expect(contents()).toEqual({'ucs.log': 'b\n', 'ucs.log.1': 'a line that is too long\n'})
  })

  it('steps over a backup that is missing', () => {
    const {file, contents} = logFile({maxBytes: 4, before: {'ucs.log': 'new\n', 'ucs.log.2': 'old\n'}})
    file.write('one\n')
    expect(contents()).toEqual({'ucs.log': 'one\n', 'ucs.log.1': 'new\n', 'ucs.log.3': 'old\n'})
  })

  it('that fails is an error with the path of the log', () => {
    const {file, path} = logFile({maxBytes: 4, backups: 1})
    mkdirSync(`${path}.1`)
    file.write('one\n')
    expect(() => file.write('two\n')).toThrow(
      expect.objectContaining({code: 'IO', message: expect.stringContaining(`writing to the log file ${path} failed`) as string}) as Error,
    )
  })
})
