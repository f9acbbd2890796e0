import {createRequire} from 'node:module'

/*
 * kafkajs 2.2.4 is its last release. These are the faults in it that no option reaches; they are mended here, at the
 * exact version that package.json pins, and each is proven by a test against a real broker.
 */

const require = createRequire(import.meta.url)

/** A member of the group that wants to finish its work before it joins again. Recognised on kafkajs's own assigner object. */
export interface JoinGuard {
  beforeJoin(): Promise<void>
}

interface ConsumerGroup {
  readonly assigners: readonly Partial<JoinGuard>[]
  joinAndSync(): Promise<void>
}

interface RequestQueue {
  readonly pending: readonly unknown[]
  readonly throttledUntil: number
  throttleCheckTimeoutId: NodeJS.Timeout | null
  checkPendingRequests(): void
  scheduleCheckPendingRequests(): void
}

interface RecordBatch {
  readonly firstOffset: string
  readonly lastOffsetDelta: number
  readonly records: {readonly offset: string}[]
}

interface Grouping {
  readonly topic: string
  readonly partitionMetadata: readonly object[]
  readonly messages: readonly object[]
  readonly partitioner: (args: {topic: string; partitionMetadata: readonly object[]; message: object}) => number
}

interface Decoder {
  readInt32(): number
  canReadBytes(bytes: number): boolean
  readBytes(bytes: number): Buffer
}

/** Must run before kafkajs is imported for the first time. */
export function patchKafkaJs(): void {
  stopIdleTimers()
  announceJoins()
  decodeEveryBatch()
  groupInOnePass()
}

/**
 * A timer per connection that fires every millisecond while nothing is pending, and a negative timeout that newer Nodes
 * warn of: https://github.com/tulios/kafkajs/issues/1751
 */
function stopIdleTimers(): void {
  const {prototype} = require('kafkajs/src/network/requestQueue') as {prototype: RequestQueue}
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length === 0 || this.throttleCheckTimeoutId) return
    // eslint-disable-next-line no-restricted-properties -- compared with what kafkajs took from the same clock
    const milliseconds = Math.max(10, this.throttledUntil - Date.now())
    this.throttleCheckTimeoutId = setTimeout(() => {
      this.throttleCheckTimeoutId = null
      this.checkPendingRequests()
    }, milliseconds)
  }
}

/**
 * A rebalance is joined at once, while writes are on their way, and what they would commit then is either refused
 * or moves another owner's offset back: https://github.com/tulios/kafkajs/issues/1527
 */
function announceJoins(): void {
  const {prototype} = require('kafkajs/src/consumer/consumerGroup') as {prototype: ConsumerGroup}
  const join = prototype.joinAndSync
  prototype.joinAndSync = async function (this: ConsumerGroup) {
    for (const assigner of this.assigners) await assigner.beforeJoin?.()
    return join.call(this)
  }
}

/**
 * Three faults of one function: more than about 120,000 records in a batch overflow the stack; a batch that compaction
 * has emptied is fetched again for ever; one whose end was compacted away is fetched again once for each missing record.
 * A marker at the batch's last offset, which kafkajs leaves out like any control record, moves the reader past it.
 */
function decodeEveryBatch(): void {
  const path = require.resolve('kafkajs/src/protocol/requests/fetch/v4/decodeMessages')
  require(path)
  require.cache[path]!.exports = decodeMessages
}

const MAGIC_OFFSET = 16
const RECORD_BATCH_MAGIC = 2
const RECORD_BATCH_OVERHEAD = 49

async function decodeMessages(decoder: Decoder): Promise<unknown[]> {
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

/** A batch is grouped by partition with a copy of the group for each of its messages, which takes longer than everything else. */
function groupInOnePass(): void {
  const path = require.resolve('kafkajs/src/producer/groupMessagesPerPartition')
  require(path)
  require.cache[path]!.exports = ({topic, partitionMetadata, messages, partitioner}: Grouping) =>
    partitionMetadata.length === 0 ? {} : Object.groupBy(messages, (message) => partitioner({topic, partitionMetadata, message}))
}
