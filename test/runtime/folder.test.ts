import {mkdtempSync, rmSync, statSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {describe, expect, it, onTestFinished} from 'vitest'
import {makeFolder} from '../../src/lib/runtime/folder.ts'

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ucs-folder-'))
  onTestFinished(() => rmSync(folder, {recursive: true}))
  return folder
}

describe('makeFolder', () => {
  it('makes those above it as well, with the mode that is asked for, and leaves alone what is there', () => {
    const [folder, above] = [join(temporaryFolder(), 'a', 'b'), '..']
    makeFolder(folder, 0o700)
    makeFolder(folder)
    expect([folder, join(folder, above)].map((path) => statSync(path).mode & 0o777)).toEqual([0o700, 0o700])
  })

  it('throws where a file stands in the way', () => {
    const file = join(temporaryFolder(), 'file')
    writeFileSync(file, '')
    expect(() => makeFolder(file)).toThrow('EEXIST')
    expect(() => makeFolder(join(file, 'a', 'b'))).toThrow('EEXIST')
  })

  it('throws where the system makes no folders', () => {
    expect(() => makeFolder('/proc/never-made')).toThrow('ENOENT')
  })
})
