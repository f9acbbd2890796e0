import {writeFileSync} from 'node:fs'
import {onTestFinished} from 'vitest'
import {temporaryFolder} from '../commands/cli.ts'

/** Goes to a new folder with these files, by name, and back when the test is done. */
export function inFolderWith(files: Readonly<Record<string, string>>): void {
  const before = process.cwd()
  process.chdir(temporaryFolder())
  onTestFinished(() => process.chdir(before))
  for (const [name, text] of Object.entries(files)) writeFileSync(name, text)
}
