import {promisify} from 'node:util'
import zlib from 'node:zlib'

interface Codec {
  compress(encoder: {readonly buffer: Buffer}): Promise<Buffer>
  decompress(buffer: Buffer): Promise<Buffer>
}

/** What snappy's Java library writes before its blocks: https://github.com/xerial/snappy-java */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])
const XERIAL_HEADER_BYTES = 16

/** kafkajs brings gzip only. The rest are loaded when a message needs them. */
export function registerCodecs(codecs: Record<number, () => unknown>, NotImplemented: new (message: string) => Error): void {
  const wasm = () => import('@platformatic/wasm-utils')
  codecs[2] = (): Codec => ({
    compress: async ({buffer}) => Buffer.from((await wasm()).snappyCompress(buffer)),
    decompress: async (buffer) => decompressSnappy(buffer, (await wasm()).snappyDecompress),
  })
  codecs[3] = (): Codec => ({
    compress: async ({buffer}) => Buffer.from((await wasm()).lz4Compress(buffer)),
    decompress: async (buffer) => Buffer.from((await wasm()).lz4Decompress(buffer)),
  })
  codecs[4] = (): Codec => ({
    compress: ({buffer}) => promisify(zlib.zstdCompress)(buffer),
    decompress: (buffer) => promisify(zlib.zstdDecompress)(buffer),
  })
  for (const unknown of [5, 6, 7]) {
    codecs[unknown] = () => {
      throw new NotImplemented(`Compression codec ${unknown} is not implemented`)
    }
  }
}

function decompressSnappy(buffer: Buffer, decompress: (block: Buffer) => Uint8Array): Buffer {
  if (!buffer.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return Buffer.from(decompress(buffer))
  const blocks: Uint8Array[] = []
  for (let offset = XERIAL_HEADER_BYTES; offset < buffer.length;) {
    const length = buffer.readInt32BE(offset)
    offset += 4
    blocks.push(decompress(buffer.subarray(offset, offset + length)))
    offset += length
  }

  return Buffer.concat(blocks)
}
