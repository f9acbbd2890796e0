import {existsSync, readFileSync, writeFileSync} from 'node:fs'
import {expect, it} from 'vitest'
import {FLAGS_PAGE, flagsPage} from './flags-table.ts'

it('docs/flags.md has every flag, variable and default as the commands have them (UPDATE_DOCS=1 writes it anew)', async () => {
  const page = await flagsPage()
  if (process.env['UPDATE_DOCS']) writeFileSync(FLAGS_PAGE, page)
  const written = existsSync(FLAGS_PAGE) ? readFileSync(FLAGS_PAGE, 'utf8') : ''
  expect(written.split('\n')).toEqual(page.split('\n'))
})
