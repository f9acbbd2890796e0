import {AsyncLocalStorage} from 'node:async_hooks'
import type {Socket} from 'node:net'
import {createRequire} from 'node:module'
import {decodeMessages, withoutAborted} from './fetched-records.ts'

/*
 * kafkajs 2.2.4 is its last release. These are the faults in it that no option reaches; they are mended here, at the
 * exact version that package.json pins, and each is proven by a test against a real broker.
 */

const require = createRequire(import.meta.url)

/** What a member of the group wants to know in time. Recognised on kafkajs's own assigner object. */
export interface MemberGuard {
  /** So that it can finish its work. */
  beforeJoin(): Promise<void>
  /** What was to be read next is not there: resolves with where to go on, and rejects as long as it is not known, or not to be done. */
  outOfRange(partition: number, from: bigint): Promise<bigint>
  /** Who the group knows us as; remembered over a restart. */
  readonly member: {id: string | null}
}

interface ConsumerGroup {
  readonly assigners: readonly Partial<MemberGuard>[]
  memberId: string | null
  /** Another one after each join. */
  readonly offsetManager: OffsetManager
  readonly preferredReadReplicasPerTopicPartition: Readonly<Record<string, Readonly<Record<number, object | number | undefined>>>>
  fetch(broker: number): Promise<readonly FetchedBatch[]>
  joinAndSync(): Promise<void>
  recoverFromOffsetOutOfRange(error: {readonly topic: string; readonly partition: number}): Promise<void>
}

interface JoinRequests {
  protocol: (version: object) => (fields: {readonly memberId: string}) => object
}

interface OffsetManager {
  nextOffset(topic: string, partition: number): {toString(): string}
  /** Where the next fetches begin. */
  readonly resolvedOffsets: Record<string, Record<number, string>>
}

interface FetchedBatch {
  readonly topic: string
  readonly partition: number
  readonly fetchedOffset: string
}

interface Runner {
  readonly consumerGroup: ConsumerGroup
  handleBatch(batch: FetchedBatch): Promise<void>
}

interface Connection {
  socket: Socket | null
  disconnect(): Promise<boolean>
}

interface Broker {
  readonly brokerAddress: string
  readonly connectionPool: {readonly connectionTimeout: number; readonly pool: readonly Pick<Connection, 'socket'>[]}
  /** The first question to it. */
  apiVersions(): Promise<object>
}

interface BrokerPool {
  withBroker(ask: (broker: unknown) => Promise<unknown>): Promise<unknown>
}

interface RequestQueue {
  readonly pending: readonly unknown[]
  readonly throttledUntil: number
  throttleCheckTimeoutId: NodeJS.Timeout | null
  checkPendingRequests(): void
  scheduleCheckPendingRequests(): void
}

interface Grouping {
  readonly topic: string
  readonly partitionMetadata: readonly object[]
  readonly messages: readonly object[]
  readonly partitioner: (args: {topic: string; partitionMetadata: readonly object[]; message: object}) => number
}

/** Must run before kafkajs is imported for the first time. */
export function patchKafkaJs(): void {
  // These first: what is patched below would load them as they are.
  replaceModule('protocol/requests/fetch/v4/decodeMessages', decodeMessages)
  replaceModule('consumer/filterAbortedMessages', withoutAborted)
  replaceModule('producer/groupMessagesPerPartition', groupInOnePass)
  findBracketedHosts()
  stopIdleTimers()
  announceJoins()
  rememberMember()
  askWhereToGoOn()
  dropStaleFetches()
  rememberFailures()
  forgetClosedSockets()
  passOverSilentBrokers()
}

function replaceModule(name: string, replacement: unknown): void {
  const path = require.resolve(`kafkajs/src/${name}`)
  require(path)
  require.cache[path]!.exports = replacement
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
    // eslint-disable-next-line no-restricted-globals -- as kafkajs itself does
    this.throttleCheckTimeoutId = setTimeout(() => {
      this.throttleCheckTimeoutId = null
      this.checkPendingRequests()
    }, milliseconds)
  }
}

/**
 * A rebalance is joined at once, while writes are on their way, and what they would commit then is either refused
 * or moves another owner's offset back: https://github.com/tulios/kafkajs/issues/1527
 * Each broker's loop joins when it hears of the rebalance: the second of them waits for the join of the first, or it would pass
 * while the first still waits for the writes.
 * After a connection that broke it would come as another member, and the group would wait until the session of the one before is over.
 */
function announceJoins(): void {
  const {prototype} = require('kafkajs/src/consumer/consumerGroup') as {prototype: ConsumerGroup}
  const {joinAndSync} = prototype
  const joining = new WeakMap<ConsumerGroup, Promise<void>>()
  prototype.joinAndSync = function (this: ConsumerGroup) {
    const joined = joining.get(this) ?? joinOnce(this).finally(() => joining.delete(this))
    joining.set(this, joined)
    return joined
  }

  async function joinOnce(group: ConsumerGroup): Promise<void> {
    for (const assigner of group.assigners) await assigner.beforeJoin?.()
    shareMember(group)
    await joiningGroup.run(group, () => joinAndSync.call(group))
  }
}

const sharing = new WeakSet<ConsumerGroup>()

/** Lets who the group knows us as outlive this object, one of which is made at each start; that we have left, or are forgotten, as well. */
function shareMember(group: ConsumerGroup): void {
  const member = group.assigners.find((assigner) => assigner.member)?.member
  if (!member || sharing.has(group)) return
  sharing.add(group)
  Object.defineProperty(group, 'memberId', {get: () => member.id, set: (id: string | null) => (member.id = id)})
}

const joiningGroup = new AsyncLocalStorage<ConsumerGroup>()

/**
 * The first answer to a join is an id to join with. Who forgets it when the second answer does not come leaves a member behind that nobody is,
 * and that is given partitions of which nobody reads, until its session is over.
 */
function rememberMember(): void {
  const requests = require('kafkajs/src/protocol/requests/joinGroup') as JoinRequests
  const {protocol} = requests
  requests.protocol = (version) => {
    const create = protocol(version)
    return (fields) => {
      const group = joiningGroup.getStore()
      if (group && fields.memberId !== '') group.memberId = fields.memberId
      return create(fields)
    }
  }
}

/**
 * Where retention has overtaken the reader, it commits that the group has no offset, and says so to nobody but its log:
 * a run that ends then leaves no trace of how much is lost.
 */
function askWhereToGoOn(): void {
  const {prototype} = require('kafkajs/src/consumer/consumerGroup') as {prototype: ConsumerGroup}
  const recover = prototype.recoverFromOffsetOutOfRange
  prototype.recoverFromOffsetOutOfRange = async function (this: ConsumerGroup, error) {
    const {topic, partition} = error
    const guard = this.assigners.find(({outOfRange}) => outOfRange)
    const isAskingReplica = this.preferredReadReplicasPerTopicPartition[topic]?.[partition] !== undefined // the leader is asked next
    if (!guard?.outOfRange || isAskingReplica) return recover.call(this, error)
    const {offsetManager} = this
    const from = BigInt(offsetManager.nextOffset(topic, partition).toString())
    const next = await guard.outOfRange(partition, from)
    offsetManager.resolvedOffsets[topic]![partition] = String(next)
  }
}

/**
 * Each broker is asked by a loop of its own. What one of them still has on its way, or in the queue, when another has found a new leader and
 * joined again, was asked for from an offset of before the join, and is delivered as if it were what comes next: what lies between
 * is lost.
 */
function dropStaleFetches(): void {
  const {prototype: group} = require('kafkajs/src/consumer/consumerGroup') as {prototype: ConsumerGroup}
  const {prototype: runner} = require('kafkajs/src/consumer/runner') as {prototype: Runner}
  const {fetch} = group
  const {handleBatch} = runner
  const askedBy = new WeakMap<FetchedBatch, OffsetManager>()
  group.fetch = async function (this: ConsumerGroup, broker) {
    const {offsetManager} = this
    const batches = await fetch.call(this, broker)
    for (const batch of batches) askedBy.set(batch, offsetManager)
    return batches
  }

  runner.handleBatch = async function (this: Runner, batch) {
    const {offsetManager} = this.consumerGroup
    const {topic, partition, fetchedOffset} = batch
    const isNext = askedBy.get(batch) === offsetManager && fetchedOffset === offsetManager.nextOffset(topic, partition).toString()
    if (isNext) await handleBatch.call(this, batch)
  }
}

/**
 * When no broker answers a question as it should, it forgets why: a missing permission looks like a missing coordinator, and so does a
 * connection that broke, for which it gives up.
 */
function rememberFailures(): void {
  const {prototype} = require('kafkajs/src/cluster/brokerPool') as {prototype: BrokerPool}
  const withBroker = prototype.withBroker
  prototype.withBroker = async function (this: BrokerPool, ask) {
    let failure: unknown
    const answer = await withBroker.call(this, async (broker) => {
      try {
        return await ask(broker)
      } catch (error) {
        failure = error
        throw error
      }
    })
    if (answer === null && failure !== undefined) throw failure
    return answer
  }
}

/** Each time that it disconnects anew, it leaves a listener on a socket that is closed already, and Node warns of the eleventh. */
function forgetClosedSockets(): void {
  const {prototype} = require('kafkajs/src/network/connection') as {prototype: Connection}
  const disconnect = prototype.disconnect
  prototype.disconnect = function (this: Connection) {
    if (this.socket?.destroyed) this.socket = null
    return disconnect.call(this)
  }
}

/**
 * One that takes a connection and does not answer is waited for half a minute, counts as connected from then on, and is asked again for ever:
 * no other is tried in its place.
 */
function passOverSilentBrokers(): void {
  const {prototype} = require('kafkajs/src/broker') as {prototype: Broker}
  const {KafkaJSConnectionError} = require('kafkajs/src/errors') as typeof import('kafkajs')
  const {apiVersions} = prototype
  prototype.apiVersions = async function (this: Broker) {
    const {
      brokerAddress: broker,
      connectionPool: {connectionTimeout, pool},
    } = this
    const silence = Promise.withResolvers<never>()
    // eslint-disable-next-line no-restricted-globals -- as kafkajs itself does
    const timer = setTimeout(() => {
      const error = new KafkaJSConnectionError(`${broker} takes connections and does not answer`, {broker})
      silence.reject(error)
      for (const {socket} of pool) socket?.destroy(error) // to disconnect would be to wait for its answer
    }, connectionTimeout)
    try {
      const asking = apiVersions.call(this)
      asking.catch(() => {}) // it fails when the connection is cut
      return await Promise.race([asking, silence.promise])
    } finally {
      clearTimeout(timer)
    }
  }
}

interface PoolBuilder {
  build(destination?: {readonly host?: string; readonly port?: number; readonly rack?: string}): Promise<object>
}

/** An address is split at its first colon, so that of "[::1]:9092" a host "[" is left. */
function findBracketedHosts(): void {
  const name = 'cluster/connectionPoolBuilder'
  const create = require(`kafkajs/src/${name}`) as (options: {readonly brokers: readonly string[]}) => PoolBuilder
  replaceModule(name, (options: Parameters<typeof create>[0]): PoolBuilder => {
    const builder = create(options)
    let turn = 0
    return {
      build(destination) {
        if (destination?.host !== undefined) return builder.build(destination)
        const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(options.brokers[turn++ % options.brokers.length]!)!
        return builder.build({host: host!, port: Number(port)})
      },
    }
  })
}

/** A batch is grouped by partition with a copy of the group for each of its messages, which takes longer than everything else. */
function groupInOnePass({topic, partitionMetadata, messages, partitioner}: Grouping): Partial<Record<number, object[]>> {
  return partitionMetadata.length === 0 ? {} : Object.groupBy(messages, (message) => partitioner({topic, partitionMetadata, message}))
}
