import {chmodSync, mkdirSync, readdirSync, symlinkSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
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

  it.skipIf(process.getuid?.() === 0).each(['closed/new', 'closed/new/deep'])(
    'cannot be %s where its folder may not be written',
    async (name) => {
      const folder = temporaryFolder()
      mkdirSync(join(folder, 'closed'))
      chmodSync(join(folder, 'closed'), 0o500) // permissions do not stop root
      await expect(checkWritable(join(folder, name), '--dead-letter')).rejects.toMatchObject({exitCode: 74})
    },
  )
})
