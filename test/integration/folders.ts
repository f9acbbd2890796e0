import {mkdtempSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterAll} from 'vitest'

/** Makes folders that go with the suite: for tests that run side by side, which cannot clean up one by one. */
export function useFolders(): () => string {
  const root = mkdtempSync(join(tmpdir(), 'ucs-test-'))
  afterAll(() => rmSync(root, {recursive: true, force: true}))
  return () => mkdtempSync(join(root, 'run-'))
}
