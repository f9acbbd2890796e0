import {symlinkSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {describe, expect, it} from 'vitest'
import {readNamedFile} from '../../src/lib/runtime/named-file.ts'
import {temporaryFolder} from '../commands/cli.ts'

describe('a file that the user has named', () => {
  it('is read', async () => {
    const path = join(temporaryFolder(), 'token')
    writeFileSync(path, 'grün\n')
    expect(await readNamedFile(path, '--token-file')).toBe('grün\n')
  })

  it.each([
    {what: 'is not there', name: 'none', message: 'there is no file', suggestion: 'Check --token-file'},
    {what: 'lies in a file', name: 'file/none', message: 'there is no file', suggestion: 'Check --token-file'},
    {what: 'is a folder', name: '.', message: 'is a folder and not a file', suggestion: 'Name a file with --token-file'},
  ])('is a usage error when it $what', async ({name, message, suggestion}) => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'file'), '')
    const error = readNamedFile(join(folder, name), '--token-file')
    await expect(error).rejects.toMatchObject({exitCode: 2, message: expect.stringContaining(message) as string, suggestion})
  })

  it('is an error of input and output when it is there and cannot be read', async () => {
    const path = join(temporaryFolder(), 'loop')
    symlinkSync(path, path) // permissions do not stop root
    await expect(readNamedFile(path, '--token-file')).rejects.toMatchObject({
      exitCode: 74,
      message: expect.stringContaining(`cannot read ${path}: ELOOP`) as string,
      suggestion: 'Make it readable for this user, or name another with --token-file',
    })
  })
})
