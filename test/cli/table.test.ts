import {expect, it} from 'vitest'
import {formatTable} from '../../src/lib/cli/table.ts'

it('aligns columns to the left, numbers to the right, and draws no lines', async () => {
  const table = await formatTable(
    ['device', 'rows', 'last'],
    [
      ['A', '7', 'x'],
      ['B plus', '12000', ''],
    ],
    [1],
  )
  expect(table.split('\n')).toEqual(['device   rows  last', 'A           7  x', 'B plus  12000'])
})

it('is its header where there are no rows', async () => {
  expect(await formatTable(['flag', 'value'], [])).toBe('flag  value')
})

it('keeps a cell with a line break in its column', async () => {
  expect((await formatTable(['a', 'b'], [['one\ntwo', 'x']])).split('\n')).toEqual(['a    b', 'one  x', 'two'])
})

it('leaves no style in what may be piped into another program', async () => {
  expect(await formatTable(['a'], [['b']])).not.toContain('\u001b')
})
