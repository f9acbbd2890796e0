import {mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {describe, expect, it, onTestFinished} from 'vitest'
import type {Given} from '../../src/lib/runtime/given.ts'
import type {Values} from '../../src/lib/cli/flag.ts'
import type {influxFlags} from '../../src/lib/cli/flags.ts'
import {influxToken} from '../../src/lib/cli/connections.ts'

describe('a token in a file', () => {
  it('is read again each time, so that a rotated one takes effect', async () => {
    const file = fileWith('first\n')
    const token = await tokenIn(file)
    expect(await token()).toBe('first')
    writeFileSync(file, 'second')
    expect(await token()).toBe('second')
  })

  it('is the last that was there while the file is empty or missing', async () => {
    const file = fileWith('first')
    const token = await tokenIn(file)
    writeFileSync(file, 'second')
    await token()
    writeFileSync(file, '')
    expect(await token()).toBe('second')
    rmSync(file)
    expect(await token()).toBe('second')
    writeFileSync(file, 'third')
    expect(await token()).toBe('third')
  })

  it.each(['', ' \n'])('has to be there at the start: %j', async (text) => {
    await expect(tokenIn(fileWith(text))).rejects.toMatchObject({code: 'USAGE', exitCode: 2})
  })
})

const tokenIn = (file: string) => {
  const given = new Map<string, Given>([['token-file', {texts: [file], origin: {kind: 'flag', name: '--token-file'}}]])
  return influxToken({'token-file': file} as Values<typeof influxFlags>, given)
}

function fileWith(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'ucs-test-'))
  onTestFinished(() => rmSync(folder, {recursive: true, force: true}))
  const file = join(folder, 'token')
  writeFileSync(file, text)
  return file
}
