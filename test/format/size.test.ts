import {describe, expect, it} from 'vitest'
import {parseSize} from '../../src/lib/format/size.ts'

describe('parseSize', () => {
  it.each([
    ['512KB', 512_000],
    ['10MB', 10_000_000],
    ['8mb', 8_000_000],
    ['2GB', 2_000_000_000],
    ['1KiB', 1024],
    ['1.5GiB', 1_610_612_736],
    ['3MiB', 3_145_728],
    ['100B', 100],
    ['100', 100],
    ['10 MB', 10_000_000],
    ['0', 0],
  ])('reads %s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes)
  })

  it('answers in whole bytes', () => {
    expect(parseSize('0.0015KB')).toBe(2)
  })

  it.each(['', 'MB', '-1MB', '1,5MB', '1TBX', '10MBs', '1e3', '0x10', 'constructor', '1 constructor', '1 __proto__', ' 1MB'])(
    'refuses "%s"',
    (text) => {
      expect(parseSize(text)).toBeUndefined()
    },
  )
})
