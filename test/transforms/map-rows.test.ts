import {describe, expect, it} from 'vitest'
import {DataError} from '../../src/lib/errors.ts'
import {mapRows} from '../../src/lib/transforms/map-rows.ts'

const refusal = new DataError('odd', 'an odd number')
const even = (row: number) => {
  if (row % 2 !== 0) throw refusal
  return row * 10
}

describe('the rows of a message', () => {
  it('stand by themselves: a bad one stays in its place as an error', () => {
    expect(mapRows([2, 3, 4], even)).toEqual([20, refusal, 40])
  })

  it('are none when there are none', () => {
    expect(mapRows([], even)).toEqual([])
  })

  it('are refused as the message when there is only one', () => {
    expect(mapRows([2], even)).toEqual([20])
    expect(() => mapRows([3], even)).toThrow(refusal)
  })

  it('hide no error that is none of the record', () => {
    const bug = () => {
      throw new TypeError('a bug')
    }
    expect(() => mapRows([1, 2], bug)).toThrow(TypeError)
  })
})
