import {readdirSync} from 'node:fs'
import {expect, it} from 'vitest'
import {temporaryFolder, ucs} from './cli.ts'

it.each([
  ['a certificate that is not there', ['--kafka-cert', 'none.pem']],
  ['a folder for the dead letters', ['--input', '-', '--dead-letter', '.']],
])('kafka-to-clickhouse starts no engine and makes no folder for it with %s', async (_, args) => {
  const cwd = temporaryFolder()
  const {code, stderr} = await ucs(['kafka-to-clickhouse', '--embedded', 'engine', ...args], {cwd})
  expect(code, stderr).toBe(2)
  expect(readdirSync(cwd)).toEqual([])
})
