import {spawnSync} from 'node:child_process'
import {fileURLToPath} from 'node:url'
import {expect, it} from 'vitest'

it('the space for new objects stays less than half as large when it is bounded, and nothing is printed about it', () => {
  const unbounded = fillHeap()
  const bounded = fillHeap('bounded')
  expect({...bounded, bytes: 0}).toEqual({status: 0, stderr: '', bytes: 0})
  expect(bounded.bytes).toBeGreaterThan(0)
  expect(bounded.bytes).toBeLessThan(unbounded.bytes / 2)
})

function fillHeap(...args: readonly string[]) {
  const script = fileURLToPath(new URL('heap-filler.ts', import.meta.url))
  const {status, stdout, stderr} = spawnSync(process.execPath, [script, ...args], {encoding: 'utf8'})
  return {status, stderr, bytes: Number(stdout)}
}
