import type {ICustomPartitioner, PartitionerArgs} from 'kafkajs'

const MAX_KEYS = 10_000

/**
 * kafkajs's partitioner, which agrees with the one of Java's client, and each key worked out once: its hash, in arithmetic on
 * objects, costs as much as the rest of sending a small record, and sensors have few keys.
 */
export function rememberingKeys(createPartitioner: ICustomPartitioner): ICustomPartitioner {
  return () => {
    const partitionOf = createPartitioner()
    const known = new Map<string, number>()
    return (args: PartitionerArgs) => {
      const {key} = args.message
      if (typeof key !== 'string') return partitionOf(args)
      const id = `${args.topic}/${args.partitionMetadata.length}/${key}`
      let partition = known.get(id)
      if (partition === undefined) {
        if (known.size >= MAX_KEYS) known.clear()
        partition = partitionOf(args)
        known.set(id, partition)
      }

      return partition
    }
  }
}

/**
 * Notes in each message where it goes. kafkajs asks again at each of its attempts, and would be given another partition for a message
 * without a key: one that may have answered already, and is not sent to any more.
 */
export function decidingOnce(createPartitioner: ICustomPartitioner): ICustomPartitioner {
  return () => {
    const partitionOf = createPartitioner()
    return (args: PartitionerArgs) => (args.message.partition ??= partitionOf(args))
  }
}
