import {createRequire} from 'node:module'

/* What stands in for two functions of kafkajs that make records of the bytes of a fetch: see patches.ts. */

const require = createRequire(import.meta.url)

interface RecordBatch {
  readonly firstOffset: string
  readonly lastOffsetDelta: number
  readonly records: {readonly offset: string}[]
}

interface DecodedRecord {
  readonly offset: string
  readonly key: Buffer | null
  readonly isControlRecord: boolean
  readonly batchContext: {readonly producerId: string; readonly inTransaction: boolean}
}

interface Fetched {
  readonly messages: readonly DecodedRecord[]
  readonly abortedTransactions: readonly {readonly producerId: string; readonly firstOffset: string}[] | null
}

interface Decoder {
  readInt32(): number
  canReadBytes(bytes: number): boolean
  readBytes(bytes: number): Buffer
}

const MAGIC_OFFSET = 16
const RECORD_BATCH_MAGIC = 2
const RECORD_BATCH_OVERHEAD = 49
/** The key of the control record that ends an aborted transaction: version 0, type 0. */
const ABORT_KEY = Buffer.alloc(4)

/**
 * Three faults of one function: more than about 120,000 records in a batch overflow the stack; a batch that compaction
 * has emptied is fetched again for ever; one whose end was compacted away is fetched again once for each missing record.
 * A marker at the batch's last offset, which kafkajs leaves out like any control record, moves the reader past it.
 */
export async function decodeMessages(decoder: Decoder): Promise<unknown[]> {
  const DecoderClass = require('kafkajs/src/protocol/decoder') as new (buffer: Buffer) => Decoder
  const decodeRecordBatch = require('kafkajs/src/protocol/recordBatch/v0/decoder') as (decoder: Decoder) => Promise<RecordBatch>
  const decodeMessageSet = require('kafkajs/src/protocol/messageSet/decoder') as (decoder: Decoder, size: number) => Promise<unknown[]>

  const size = decoder.readInt32()
  if (size <= 0 || !decoder.canReadBytes(size)) return []
  const bytes = decoder.readBytes(size)
  const batches = new DecoderClass(bytes)
  if (bytes.readInt8(MAGIC_OFFSET) !== RECORD_BATCH_MAGIC) return decodeMessageSet(batches, size)

  const records: unknown[] = []
  while (batches.canReadBytes(RECORD_BATCH_OVERHEAD)) {
    try {
      const batch = await decodeRecordBatch(batches)
      for (const record of batch.records) records.push(record)
      const last = String(BigInt(batch.firstOffset) + BigInt(batch.lastOffsetDelta))
      if (batch.records.at(-1)?.offset !== last)
        records.push({offset: last, key: null, value: null, isControlRecord: true, batchContext: batch})
    } catch (error) {
      if ((error as Error).name === 'KafkaJSPartialMessageError') break // the answer was cut at its size limit
      throw error
    }
  }

  return records
}

/**
 * Records of aborted transactions are let through where those of two producers overlap: it takes up one transaction a record, and in the
 * order in which they ended. And after a record with a key of four zero bytes, which is taken for the mark of an abort.
 */
export function withoutAborted({messages, abortedTransactions}: Fetched): readonly DecodedRecord[] {
  if (!abortedTransactions?.length) return messages
  const begun = abortedTransactions.map(({producerId, firstOffset}) => ({producerId, firstOffset: BigInt(firstOffset)}))
  begun.sort((one, other) => Number(one.firstOffset - other.firstOffset))
  const aborted = new Set<string>()
  return messages.filter(({offset, key, isControlRecord, batchContext: {producerId, inTransaction}}) => {
    while (begun[0] && begun[0].firstOffset <= BigInt(offset)) aborted.add(begun.shift()!.producerId)
    if (isControlRecord && key?.equals(ABORT_KEY)) aborted.delete(producerId)
    return !inTransaction || !aborted.has(producerId)
  })
}
