import {describe, expect, it} from 'vitest'
import {DataError} from '../../src/lib/errors.ts'
import {mapRows} from '../../src/lib/transforms/map-rows.ts'

const refusal = new DataError('odd', 'an odd number')
const even = ({of: row}: {of: number}) => {
  if (row % 2 !== 0) throw refusal
  return row * 10
}
const rows = (...numbers: number[]) => numbers.map((of) => ({of}))

describe('the rows of a message', () => {
  it('stand by themselves: a bad one stays in its place as an error', () => {
    expect(mapRows(rows(2, 3, 4), even)).toEqual([20, refusal, 40])
  })

  it('stand by themselves also where one could not be read', () => {
    const unread = new DataError('not an object', 'a number')
    expect(mapRows([{of: 2}, unread, {of: 4}], even)).toEqual([20, unread, 40])
    expect(() => mapRows([unread], even)).toThrow(unread)
  })

  it('are none when there are none', () => {
    expect(mapRows(rows(), even)).toEqual([])
  })

  it('are refused as the message when there is only one', () => {
    expect(mapRows(rows(2), even)).toEqual([20])
    expect(() => mapRows(rows(3), even)).toThrow(refusal)
  })

  it('hide no error that is none of the record', () => {
    const bug = () => {
      throw new TypeError('a bug')
    }
    expect(() => mapRows(rows(1, 2), bug)).toThrow(TypeError)
  })
})
