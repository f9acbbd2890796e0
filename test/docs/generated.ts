import {execFile} from 'node:child_process'
import {cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {promisify} from 'node:util'
import {flagsPage} from './flags-table.ts'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))
export const COMMAND_PAGES = 'docs/commands'

/** What is made from the built commands, by its path: oclif's manifest, a page a command, and the table of all flags. */
export async function generatedFiles(): Promise<ReadonlyMap<string, string>> {
  const folder = mkdtempSync(join(tmpdir(), 'ucs-docs-'))
  try {
    for (const name of ['package.json', 'dist']) cpSync(join(ROOT, name), join(folder, name), {recursive: true})
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
    writeFileSync(join(folder, 'README.md'), '<!-- commands -->\n<!-- commandsstop -->\n') // oclif writes its pages only beside one
    await oclif(folder, 'manifest')
    await oclif(folder, 'readme', '--multi', '--output-dir', COMMAND_PAGES)
    const pages = readdirSync(join(folder, COMMAND_PAGES)).map((name) => `${COMMAND_PAGES}/${name}`)
    const files = ['oclif.manifest.json', ...pages].map((path) => [path, readFileSync(join(folder, path), 'utf8')] as const)
    return new Map([...files, ['docs/flags.md', await flagsPage()]])
  } finally {
    rmSync(folder, {recursive: true})
  }
}

const oclif = (cwd: string, ...args: readonly string[]) =>
  promisify(execFile)(process.execPath, [join(ROOT, 'node_modules/oclif/bin/run.js'), ...args], {cwd})
