import {CompressionTypes} from 'kafkajs'
import {afterAll, beforeAll, expect, onTestFinished, test} from 'vitest'
import {UnavailableError} from '../../src/lib/errors.ts'
import {loadKafkaJs} from '../../src/lib/clients/kafka/connection.ts'
import {messagesOf} from '../contract/source.ts'
import {describeWith, useKafka} from '../services/use.ts'
import {type Cluster, connectCluster} from './kafka-cluster.ts'
import {openMember, plainSettings, readToEnd} from './kafka-member.ts'

const CODECS = [
  {name: 'gzip', type: CompressionTypes.GZIP},
  {name: 'snappy', type: CompressionTypes.Snappy},
  {name: 'lz4', type: CompressionTypes.LZ4},
  {name: 'zstd', type: CompressionTypes.ZSTD},
]
/** What snappy's Java library begins with. */
const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])

/** More than a block of any codec, in part alike and in part not. */
const VALUES = Array.from({length: 3000}, (_, index) => `{"ts":${index},"value":${Math.sin(index)},"device":"00:0f:00:70:91:0a"}`)

describeWith('kafka')('messages that are compressed', () => {
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await connectCluster(useKafka().address)
  })
  afterAll(() => cluster.close())

  const member = (topic: string) => ({settings: plainSettings(useKafka().address), topic})

  test.concurrent.each(CODECS)('by us with $name are read', async ({type}) => {
    const topic = await cluster.newTopic()
    await cluster.producer.send({topic, compression: type, messages: VALUES.map((value) => ({value}))})
    expect((await readToEnd(member(topic))).values).toEqual(VALUES)
  })

  test.concurrent.for(CODECS)('by the broker, in Java, with $name are read', async ({name, type}, {onTestFinished}) => {
    const {bytes, restore} = await watchDecompression(type)
    onTestFinished(restore)
    const topic = await cluster.newTopic({settings: {'compression.type': name}})
    await cluster.send(topic, VALUES)
    expect((await readToEnd(member(topic))).values).toEqual(VALUES)
    expect(bytes.length).toBeGreaterThan(0)
    expect(bytes[0]!.subarray(0, XERIAL.length).equals(XERIAL)).toBe(name === 'snappy')
  })

  test('by a codec that we do not know end the read with its name', async () => {
    const topic = await cluster.newTopic({settings: {'compression.type': 'lz4'}, values: ['x']})
    const NotImplemented: new (message: string) => Error = (await loadKafkaJs()).KafkaJSNotImplemented
    const restore = await replaceCodec(CompressionTypes.LZ4, () => {
      throw new NotImplemented('LZ4 compression not implemented')
    })
    onTestFinished(restore)
    const {source} = openMember(member(topic))
    const error = await messagesOf(source).catch((cause: unknown) => cause)
    await source.close()
    expect(error).toBeInstanceOf(UnavailableError)
    expect(error).toMatchObject({retryable: 'never', message: expect.stringContaining('LZ4 compression not implemented') as string})
  })
})

type Codecs = Record<number, () => {decompress(bytes: Buffer): Promise<Buffer>}>

/** What comes to the codec to be decompressed. */
async function watchDecompression(type: CompressionTypes): Promise<{bytes: readonly Buffer[]; restore(): void}> {
  const codec = ((await loadKafkaJs()).CompressionCodecs as unknown as Codecs)[type]!()
  const bytes: Buffer[] = []
  const restore = await replaceCodec(type, () => ({
    ...codec,
    decompress(each: Buffer) {
      bytes.push(each)
      return codec.decompress(each)
    },
  }))
  return {bytes, restore}
}

async function replaceCodec(type: CompressionTypes, codec: Codecs[number]): Promise<() => void> {
  const codecs = (await loadKafkaJs()).CompressionCodecs as unknown as Codecs
  const before = codecs[type]!
  codecs[type] = codec
  return () => {
    codecs[type] = before
  }
}
