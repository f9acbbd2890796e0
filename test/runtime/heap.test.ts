import {spawnSync} from 'node:child_process'
import {fileURLToPath} from 'node:url'
import {expect, it} from 'vitest'

it.each([
  {kind: 'small', share: 0.5},
  {kind: 'large', share: 0.85},
])('what V8 holds for $kind records is less than $share of it when it is bounded, and nothing is printed about it', ({kind, share}) => {
  const bounded = fillHeap(kind, 'bounded')
  expect(bounded).toMatchObject({status: 0, stderr: ''})
  expect(bounded.bytes).toBeGreaterThan(0)
  expect(bounded.bytes).toBeLessThan(fillHeap(kind).bytes * share)
})

function fillHeap(...args: readonly string[]) {
  const script = fileURLToPath(new URL('heap-filler.ts', import.meta.url))
  const {status, stdout, stderr} = spawnSync(process.execPath, [script, ...args], {encoding: 'utf8'})
  return {status, stderr, bytes: Number(stdout)}
}
