import type {ClickHouse} from '../clients/clickhouse.ts'
import type {MessageRows} from '../transforms/to-row.ts'
import type {OwnedRow} from './clickhouse.ts'

/** The columns that an exactly-once table has besides the seed's: what a stored row is known by. */
export const POSITION_COLUMNS = {
  _topic: 'LowCardinality(String)',
  _partition: 'Int32',
  _offset: 'Int64',
  _index: 'UInt32',
} as const

/**
 * The positions that a table has already. Read for a partition when its first batch after an assignment is about to be
 * inserted, as the set of those at or above that batch: never as a maximum, because of two inserts the later may be
 * durable and the earlier not.
 */
export interface StoredPositions {
  /** All messages are of one partition. The rows carry their positions. */
  rowsNotStored(messages: readonly MessageRows[], signal: AbortSignal): Promise<readonly OwnedRow[]>
  /** Reads the positions of these messages' partition again before its next insert. */
  forget(messages: readonly MessageRows[]): void
}

export function createStoredPositions(client: ClickHouse, table: string): StoredPositions {
  const sets = new Map<string, ReadonlySet<string>>() // by the partition's name, which tells one assignment from the next

  return {
    async rowsNotStored(messages, signal) {
      const {partition, offset: first} = messages[0]!.position
      const [topic, number] = placeOf(partition)
      const stored = sets.get(partition) ?? (await read(topic, number, first, signal))
      sets.set(partition, stored)
      return messages.flatMap(({position: {offset}, rows}, owner) =>
        rows.flatMap((row, index) => {
          if (stored.has(`${offset}/${index}`)) return []
          return [{row: {...row, _topic: topic, _partition: number, _offset: String(offset), _index: index}, owner}]
        }),
      )
    },
    forget(messages) {
      sets.delete(messages[0]!.position.partition)
    },
  }

  async function read(topic: string, partition: number, from: bigint, signal: AbortSignal): Promise<ReadonlySet<string>> {
    for (const name of sets.keys()) if (name.startsWith(`${topic}/${partition}@`)) sets.delete(name)
    const rows = await client.query<{position: string}>(
      `SELECT concat(toString(_offset), '/', toString(_index)) AS position FROM ${table}
       WHERE _topic = {topic:String} AND _partition = {partition:Int32} AND _offset >= {from:Int64}`,
      {topic, partition, from: String(from)},
      signal,
    )
    return new Set(rows.map(({position}) => position))
  }
}

/** "topic/0@7" */
function placeOf(partition: string): [topic: string, partition: number] {
  const [, topic = partition, number = '0'] = /^(.*)\/(\d+)@\d+$/.exec(partition) ?? []
  return [topic, Number(number)]
}
