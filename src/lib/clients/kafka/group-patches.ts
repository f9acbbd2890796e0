import {AsyncLocalStorage} from 'node:async_hooks'
import {createRequire} from 'node:module'

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

/** Faults of membership, each of which loses messages or lets them wait. */
export function patchGroups(): void {
  announceJoins()
  rememberMember()
  askWhereToGoOn()
  dropStaleFetches()
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
