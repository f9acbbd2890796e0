import {describe, expect, it} from 'vitest'
import {byteLines} from '../../src/lib/sources/byte-lines.ts'

async function* each(pieces: readonly string[]) {
  for (const piece of pieces) yield Buffer.from(piece, 'latin1')
}

async function linesOf(pieces: readonly string[], unfinished?: (bytes: number) => void) {
  const lines: (string | undefined)[] = []
  for await (const line of byteLines(each(pieces), unfinished)) lines.push(line?.toString('latin1'))
  return lines
}

describe('the lines of bytes', () => {
  it.each<[string, string[], (string | undefined)[]]>([
    ['in one piece', ['a\nb\n'], ['a', 'b', undefined]],
    ['over several', ['a', 'b\nc', 'd\n'], [undefined, 'ab', undefined, 'cd', undefined]],
    ['cut at the line feed', ['a', '\n', '\nb\n'], [undefined, 'a', undefined, '', 'b', undefined]],
    ['without a line feed at the end', ['a\nb', 'c'], ['a', undefined, undefined, 'bc']],
    ['with blank ones', ['\n\r\n'], ['', '\r', undefined]],
    ['of nothing', [], []],
    ['with bytes that are line ends elsewhere', ['a\r\x85\xe2\x80\xa8\n'], ['a\r\x85\xe2\x80\xa8', undefined]],
  ])('%s', async (_, pieces, lines) => {
    expect(await linesOf(pieces)).toEqual(lines)
  })

  it('may be refused while they grow', async () => {
    const asked: number[] = []
    await linesOf(['abc', 'de\nf', '\n'], (bytes) => asked.push(bytes))
    expect(asked).toEqual([3, 1, 0])
    const refuse = (bytes: number) => {
      if (bytes > 4) throw new Error('too long')
    }
    await expect(linesOf(['abc', 'de', 'f\n'], refuse)).rejects.toThrow('too long')
  })
})
