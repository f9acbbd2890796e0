import type {KafkaConsumer, PartitionOffset, PartitionRange} from '../clients/kafka/consumer.ts'
import type {Clock, Logger} from '../core/types.ts'
import type {Partitions} from './kafka-partitions.ts'

export interface EndsOptions {
  readonly topic: string
  /** Of all partitions, at the start. */
  readonly ranges: readonly PartitionRange[]
  /** Where the group stood then. */
  readonly stoodAt: readonly PartitionOffset[]
  readonly consumer: Pick<KafkaConsumer, 'committed'>
  readonly partitions: Pick<Partitions, 'isMember' | 'owned' | 'of'>
  readonly clock: Clock
  readonly log: Logger
  /** Ends the watching of others. */
  readonly signal: AbortSignal
  /** Told when others have come to the end of what is theirs. */
  onChange(): void
}

/** How far `--until-end` is. */
export interface Ends {
  /** All that there was at the start is settled: ours by us, the rest by others. */
  isReached(): boolean
  /** All of ours is read, and some of it waits to be settled. */
  isRead(): boolean
  /** Partitions were assigned anew. */
  assigned(): void
}

const WATCHING_MILLISECONDS = 500
/** Whoever keeps a partition for longer than that without a rebalance is alive: 45 s is the longest session that clients have by default. */
const LONGEST_SESSION_MILLISECONDS = 50_000

export function createEnds({topic, ranges, stoodAt, consumer, partitions, clock, log, signal, onChange}: EndsOptions): Ends {
  const places = new Map(stoodAt.map(({partition, offset}) => [partition, offset]))
  // A partition that is empty counts where the group stood elsewhere in it: what it had not read yet is gone, and that is to be told.
  const isOpen = ({partition, low, high}: PartitionRange) => high > low || (places.get(partition) ?? high) !== high
  const ends = new Map(ranges.filter(isOpen).map(({partition, high}) => [partition, high]))
  let assignedAt = 0
  let areOthersDone = false
  void watchOthers()

  return {
    /** Settled, not only read: whatever is taken from us before that has to be waited for as well. */
    isReached: () => isOwnReached() && (areOthersDone || othersEnds().length === 0),
    isRead() {
      const owned = partitions.owned()
      return owned.every(({partition, next}) => reaches(next, partition)) && owned.some(({outstanding}) => outstanding > 0)
    },
    assigned() {
      assignedAt = clock.now()
      areOthersDone = false
    },
  }

  function isOwnReached(): boolean {
    return partitions.isMember() && partitions.owned().every(({partition, settled}) => reaches(settled, partition))
  }

  function reaches(offset: bigint | undefined, partition: number): boolean {
    const end = ends.get(partition)
    return end === undefined || (offset !== undefined && offset >= end)
  }

  function othersEnds(): readonly (readonly [partition: number, end: bigint])[] {
    return [...ends].filter(([partition]) => !partitions.of(partition))
  }

  /**
   * Partitions that somebody else has at the moment: a member that was killed has its own until its session is over, and nobody reads them.
   * They are done when the group's commits cover them, or when their owners have shown that they live.
   */
  async function watchOthers(): Promise<void> {
    for (;;) {
      await clock.sleep(WATCHING_MILLISECONDS, signal).catch(() => {})
      if (signal.aborted) return
      if (othersEnds().length === 0 || !isOwnReached()) continue
      const committed = new Map((await consumer.committed().catch(() => [])).map(({partition, offset}) => [partition, offset]))
      const open = othersEnds().flatMap(([partition, end]) => ((committed.get(partition) ?? -1n) < end ? [partition] : []))
      const areAlive = clock.now() - assignedAt >= LONGEST_SESSION_MILLISECONDS
      if (open.length > 0 && !areAlive) continue
      if (open.length > 0) log.info('kafka.left_to_others', {topic, partitions: open})
      areOthersDone = true
      onChange()
    }
  }
}
