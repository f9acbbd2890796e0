import {existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {expect, it} from 'vitest'
import {COMMAND_PAGES, generatedFiles, ROOT} from './generated.ts'

it('manifest, command pages and the table of flags say what the commands are (npm run docs writes them anew)', async () => {
  const files = await generatedFiles()
  for (const [path, content] of files) {
    const file = join(ROOT, path)
    if (process.env['UPDATE_DOCS']) {
      mkdirSync(dirname(file), {recursive: true})
      writeFileSync(file, content)
    }

    const written = existsSync(file) ? readFileSync(file, 'utf8') : ''
    expect(written.split('\n'), path).toEqual(content.split('\n'))
  }

  for (const name of readdirSync(join(ROOT, COMMAND_PAGES))) expect(files.has(`${COMMAND_PAGES}/${name}`), name).toBe(true)
})
