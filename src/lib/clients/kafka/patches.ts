import {findBracketedHosts, patchConnections} from './connection-patches.ts'
import {decodeMessages, withoutAborted} from './fetched-records.ts'
import {patchGroups} from './group-patches.ts'
import {replaceModule} from './replace-module.ts'

/*
 * kafkajs 2.2.4 is its last release. These are the faults in it that no option reaches; they are mended here, at the
 * exact version that package.json pins, and each is proven by a test against a real broker.
 */

/** Must run before kafkajs is imported for the first time. */
export function patchKafkaJs(): void {
  // These first: what is patched below would load them as they are.
  replaceModule('protocol/requests/fetch/v4/decodeMessages', decodeMessages)
  replaceModule('consumer/filterAbortedMessages', withoutAborted)
  replaceModule('producer/groupMessagesPerPartition', groupInOnePass)
  findBracketedHosts()
  patchConnections()
  patchGroups()
}

interface Grouping {
  readonly topic: string
  readonly partitionMetadata: readonly object[]
  readonly messages: readonly object[]
  readonly partitioner: (args: {topic: string; partitionMetadata: readonly object[]; message: object}) => number
}

/** A batch is grouped by partition with a copy of the group for each of its messages, which takes longer than everything else. */
function groupInOnePass({topic, partitionMetadata, messages, partitioner}: Grouping): Partial<Record<number, object[]>> {
  return partitionMetadata.length === 0 ? {} : Object.groupBy(messages, (message) => partitioner({topic, partitionMetadata, message}))
}
