import type {Admin, Consumer, EachBatchPayload, KafkaMessage, PartitionAssigner} from 'kafkajs'
import type {Logger, RawMessage} from '../../core/types.ts'
import type {KafkaSettings} from './connection.ts'
import type {MemberGuard} from './group-patches.ts'
import type {UcsError} from '../../errors.ts'
import {UnavailableError} from '../../errors.ts'
import {createKafka, loadKafkaJs} from './connection.ts'
import {translateKafkaError} from './errors.ts'

export interface KafkaRecord extends RawMessage {
  readonly offset: bigint
}

/** What one fetch brought of one partition. */
export interface KafkaBatch {
  readonly partition: number
  readonly records: readonly KafkaRecord[]
  /** The offset after the last record, control and aborted records included. */
  readonly next: bigint
  /** The offset that the next record written to the partition will get. */
  readonly end: bigint
}

export interface PartitionRange {
  readonly partition: number
  /** The first offset that is still there. */
  readonly low: bigint
  /** The offset after the last committed record. */
  readonly high: bigint
}

export interface PartitionOffset {
  readonly partition: number
  /** The first offset that is not settled. */
  readonly offset: bigint
}

export interface ConsumerHandlers {
  /** The member has joined: these partitions are its own, and are read from their committed offsets on. */
  assigned(partitions: readonly number[]): void
  /** The member is about to join again, or to leave. What it has in hand has to be committed before this resolves. */
  leaving(): Promise<void>
  /**
   * Resolves when the next batch may come. `heartbeat` keeps the membership while that takes long; it rejects when
   * the group rebalances, and then so must this. `taken` tells how far the batch was taken, for the case that it rejects.
   */
  batch(batch: KafkaBatch, heartbeat: () => Promise<void>, taken: (offset: bigint) => void): Promise<void>
  /** Everything before `next` was nothing to us: control records, aborted ones, or compacted away. */
  passed(partition: number, next: bigint): void
  /** The offset that was to be read next is not there. Resolves with the one to go on from; is asked again when it rejects. */
  outOfRange(partition: number, from: bigint): Promise<bigint>
  /** A broker has answered anything. */
  answered(): void
  /**
   * The connection broke. A fault that can pass is reconnected after, once this resolves; one that cannot is not, and no
   * more calls follow.
   */
  broken(error: UcsError, isReconnecting: boolean): Promise<void>
}

/** A member of a consumer group on one topic. All that the rest of the project knows of kafkajs's consumer. */
export interface KafkaConsumer {
  /** One attempt to reach a broker and find the topic. */
  connect(): Promise<void>
  /** Joins, and calls the handlers until `close`. */
  run(handlers: ConsumerHandlers): Promise<void>
  /** Rejects unless the broker has stored them under the present membership. */
  commit(offsets: readonly PartitionOffset[]): Promise<void>
  /** First and last offsets of all partitions. */
  ranges(): Promise<readonly PartitionRange[]>
  /** What the group has committed, of all partitions that have anything committed. */
  committed(): Promise<readonly PartitionOffset[]>
  close(): Promise<void>
}

export interface ConsumerOptions {
  readonly topic: string
  readonly group: string
  readonly log: Logger
}

/** A third of it is how long a rebalance waits for writes under way. */
export const REBALANCE_TIMEOUT_MILLISECONDS = 60_000
/** Our own writes are waited for, then the group's slowest member, and 5 s more by kafkajs. Until then nothing else is asked. */
export const LONGEST_JOIN_MILLISECONDS = REBALANCE_TIMEOUT_MILLISECONDS / 3 + REBALANCE_TIMEOUT_MILLISECONDS + 5000
const SESSION_TIMEOUT_MILLISECONDS = 30_000
export const HEARTBEAT_INTERVAL_MILLISECONDS = 3000
/** They take about nine seconds. Then it reports that the broker is gone, and begins anew. */
const RETRIES_BEFORE_RESTART = 5
/** A fetch is held in memory whole, next to what the pipeline holds. */
const FETCH_BYTES = {maxBytes: 6_000_000, maxBytesPerPartition: 3_000_000}
const FETCH_WAIT_MILLISECONDS = 500

export function createKafkaConsumer(settings: KafkaSettings, {topic, group, log}: ConsumerOptions): KafkaConsumer {
  const doing = `reading topic "${topic}"`
  let consumer: Consumer | undefined
  let joining: Promise<void> | undefined
  let admin: Promise<Admin> | undefined
  let commits = 0
  let isClosed = false

  const translated = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw translateKafkaError(error, doing, settings)
    }
  }

  return {
    connect: () =>
      translated(async () => {
        const kafka = await createKafka(settings, 'one attempt', log)
        const probe = kafka.admin()
        try {
          await probe.connect()
          await probe.fetchTopicMetadata({topics: [topic]})
        } finally {
          await probe.disconnect()
        }
      }),
    run: (given) =>
      translated(async () => {
        const kafka = await createKafka(settings, 'reconnecting', log)
        const {PartitionAssigners} = await loadKafkaJs()
        const guard: MemberGuard = {
          beforeJoin: () => (isClosed ? Promise.reject(new UnavailableError('closed')) : given.leaving()),
          outOfRange: (partition, from) => given.outOfRange(partition, from),
          member: {id: null},
        }
        const guarded: PartitionAssigner = (config) => Object.assign(PartitionAssigners.roundRobin(config), guard)
        consumer = kafka.consumer({
          groupId: group,
          allowAutoTopicCreation: false,
          sessionTimeout: SESSION_TIMEOUT_MILLISECONDS,
          rebalanceTimeout: REBALANCE_TIMEOUT_MILLISECONDS,
          heartbeatInterval: HEARTBEAT_INTERVAL_MILLISECONDS,
          maxWaitTimeInMs: FETCH_WAIT_MILLISECONDS,
          partitionAssigners: [guarded],
          retry: {
            retries: RETRIES_BEFORE_RESTART,
            async restartOnFailure(error) {
              if (!isClosed) await given.broken(translateKafkaError(error, doing, settings), true)
              return !isClosed
            },
          },
          ...FETCH_BYTES,
        })
        listen(consumer, given)
        try {
          await consumer.connect()
          await consumer.subscribe({topics: [topic], fromBeginning: true})
        } catch (error) {
          await consumer.disconnect()
          throw error
        }

        if (isClosed) return consumer.disconnect()
        joining = consumer.run({
          autoCommit: false,
          eachBatchAutoResolve: false,
          eachBatch: (payload) => hand(payload, given),
        })
        await joining
      }),
    commit: (offsets) =>
      translated(async () => {
        const before = commits
        await consumer?.commitOffsets(offsets.map(({partition, offset}) => ({topic, partition, offset: String(offset)})))
        // kafkajs resolves also when it is not a member at the moment and has sent nothing
        if (commits === before)
          throw new UnavailableError(`committing offsets of "${topic}": not a member of group "${group}" at the moment`)
      }),
    ranges: () =>
      translated(async () => {
        const offsets = await (await connectedAdmin()).fetchTopicOffsets(topic)
        return offsets.map(({partition, low, high}) => ({partition, low: BigInt(low), high: BigInt(high)}))
      }),
    committed: () =>
      translated(async () => {
        const [offsets] = await (await connectedAdmin()).fetchOffsets({groupId: group, topics: [topic]})
        return (offsets?.partitions ?? []).flatMap(({partition, offset}) =>
          Number(offset) < 0 ? [] : [{partition, offset: BigInt(offset)}],
        )
      }),
    async close() {
      isClosed = true
      await joining?.catch(() => {}) // kafkajs cannot stop in the middle of its first join, and would go on reading after it
      const connected = await admin?.catch(() => undefined)
      // All that matters is committed by now, and a connection that cannot be closed as it should is closed by our end.
      const endings = await Promise.allSettled([consumer?.disconnect(), connected?.disconnect()])
      for (const ending of endings) if (ending.status === 'rejected') log.debug('kafka.close_failed', {message: String(ending.reason)})
    },
  }

  function listen(consumer: Consumer, {assigned, passed, answered, broken}: ConsumerHandlers): void {
    const {COMMIT_OFFSETS, CRASH, END_BATCH_PROCESS, GROUP_JOIN, REQUEST} = consumer.events
    consumer.on(REQUEST, answered)
    consumer.on(GROUP_JOIN, ({payload}) => assigned(payload.memberAssignment[topic] ?? []))
    consumer.on(COMMIT_OFFSETS, () => {
      commits++
    })
    consumer.on(END_BATCH_PROCESS, ({payload}) => {
      // For a batch of ours `taken` has told it; a batch of control or aborted records ends here only.
      if (payload.batchSize === 0 && payload.lastOffset !== null) passed(payload.partition, BigInt(payload.lastOffset) + 1n)
    })
    consumer.on(CRASH, ({payload: {error, restart}}) => {
      if (!restart) void broken(translateKafkaError(error, doing, settings), false)
    })
  }

  async function hand({batch, heartbeat, resolveOffset}: EachBatchPayload, {batch: deliver}: ConsumerHandlers): Promise<void> {
    const next = BigInt(batch.lastOffset()) + 1n
    const records = batch.messages.map(toRecord)
    await deliver({partition: batch.partition, records, next, end: BigInt(batch.highWatermark)}, heartbeat, (offset) =>
      resolveOffset(String(offset)),
    )
  }

  function connectedAdmin(): Promise<Admin> {
    admin ??= connectAdmin().catch((error: unknown) => {
      admin = undefined
      throw error
    })
    return admin
  }

  async function connectAdmin(): Promise<Admin> {
    const connecting = (await createKafka(settings, 'reconnecting', log)).admin()
    await connecting.connect()
    return connecting
  }
}

function toRecord({key, value, headers, timestamp, offset}: KafkaMessage): KafkaRecord {
  return {key, value, headers, timestamp: Number(timestamp), offset: BigInt(offset)}
}
