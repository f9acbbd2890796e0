import {spawnSync} from 'node:child_process'
import {chmodSync, mkdirSync, readdirSync, symlinkSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {describe, expect, it} from 'vitest'
import {checkWritable} from '../../src/lib/runtime/writable-file.ts'
import {temporaryFolder} from '../commands/cli.ts'

describe('a file that is to be written', () => {
  it.each(['file', 'new', 'new/deep/file', 'dangling', 'link'])('may be %s, and nothing is made', async (name) => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'file'), '')
    symlinkSync(join(folder, 'none'), join(folder, 'dangling'))
    symlinkSync(join(folder, 'file'), join(folder, 'link'))
    const before = readdirSync(folder)
    await checkWritable(join(folder, name), '--dead-letter')
    expect(readdirSync(folder)).toEqual(before)
  })

  it('may be a device', async () => {
    await checkWritable('/dev/null', '--dead-letter')
  })

  it.each(['.', 'folder', 'folder/', 'none/'])('is no folder, as %s is', async (name) => {
    const folder = temporaryFolder()
    mkdirSync(join(folder, 'folder'))
    await expect(checkWritable(`${folder}/${name}`, '--dead-letter')).rejects.toMatchObject({
      exitCode: 2,
      message: `${folder}/${name} is a folder and not a file`,
      suggestion: 'Name a file with --dead-letter',
    })
  })

  it.each(['file/letters', 'file/deep/letters', 'loop', 'loop/letters'])('cannot be %s', async (name) => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'file'), '')
    symlinkSync(join(folder, 'loop'), join(folder, 'loop'))
    await expect(checkWritable(join(folder, name), '--dead-letter')).rejects.toMatchObject({
      exitCode: 74,
      message: expect.stringContaining(`cannot write ${join(folder, name)}: E`) as string,
      suggestion: 'Make its folder writable for this user, or name another file with --dead-letter',
    })
  })

  it.each([
    {name: 'open/new', said: 'writable'},
    {name: 'closed/new', said: '74'},
    {name: 'closed/new/deep', said: '74'},
  ])('is $said at $name to who may write in the one folder and not in the other', ({name, said}) => {
    const folder = temporaryFolder()
    for (const [child, mode] of [
      ['open', 0o777],
      ['closed', 0o555],
    ] as const) {
      mkdirSync(join(folder, child))
      chmodSync(join(folder, child), mode)
    }

    chmodSync(folder, 0o755)
    const checker = fileURLToPath(new URL('writable-checker.ts', import.meta.url))
    expect(spawnSync(process.execPath, [checker, join(folder, name)], {encoding: 'utf8'}).stdout).toBe(`${said}\n`)
  })
})
