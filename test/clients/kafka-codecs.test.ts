import {expect, it} from 'vitest'
import {registerCodecs} from '../../src/lib/clients/kafka/codecs.ts'

class NotImplemented extends Error {}

interface Codec {
  compress(encoder: {readonly buffer: Buffer}): Promise<Buffer>
  decompress(bytes: Buffer): Promise<Buffer>
}

const codecs: Record<number, () => Codec> = {}
registerCodecs(codecs, NotImplemented)

const [SNAPPY, LZ4, ZSTD] = [2, 3, 4]
const text = Buffer.from(Array.from({length: 20_000}, (_, index) => `{"ts":${index},"value":${Math.sin(index)}}`).join('\n'))

it.each([
  {name: 'snappy', type: SNAPPY},
  {name: 'lz4', type: LZ4},
  {name: 'zstd', type: ZSTD},
])('$name gives back what it was given, whatever its length', async ({type}) => {
  for (const length of [0, 1, 65_535, 65_536, 65_537, text.length]) {
    const given = text.subarray(0, length)
    const compressed = await codecs[type]!().compress({buffer: given})
    expect((await codecs[type]!().decompress(compressed)).equals(given), `${length} bytes`).toBe(true)
  }
})

it.each([
  {what: 'one block', cuts: [0, text.length]},
  {what: 'several blocks', cuts: [0, 32_768, 65_536, 100_000, text.length]},
  {what: 'no block', cuts: [0]},
])('snappy takes the blocks of its Java library: $what', async ({cuts}) => {
  const magic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])
  const parts: Buffer[] = [magic]
  for (const [index, start] of cuts.slice(0, -1).entries()) {
    const block = await codecs[SNAPPY]!().compress({buffer: text.subarray(start, cuts[index + 1])})
    const length = Buffer.alloc(4)
    length.writeInt32BE(block.length)
    parts.push(length, block)
  }

  const expected = text.subarray(0, cuts.at(-1))
  expect((await codecs[SNAPPY]!().decompress(Buffer.concat(parts))).equals(expected)).toBe(true)
})

it.each([5, 6, 7])('codec %i, which no release has, is refused by its number', (type) => {
  expect(() => codecs[type]!()).toThrow(new NotImplemented(`Compression codec ${type} is not implemented`))
})
