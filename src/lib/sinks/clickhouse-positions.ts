import type {ClickHouse} from '../clients/clickhouse.ts'
import type {MessageRows, SensorRow} from '../transforms/to-row.ts'

/** The columns that an exactly-once table has besides the seed's: what a stored row is known by. */
export const POSITION_COLUMNS = {
  _topic: 'LowCardinality(String)',
  _partition: 'Int32',
  _offset: 'Int64',
  _index: 'UInt32',
} as const

/** A row on its way: of which of the batch's messages, and which of that message's rows. */
export interface OwnedRow {
  readonly row: SensorRow
  readonly owner: number
  readonly index: number
}

/**
 * The positions that a table has already. Read for a partition when its first batch after an assignment is about to be
 * inserted, as the set of those at or above that batch: never as a maximum, because of two inserts the later may be
 * durable and the earlier not.
 */
export interface StoredPositions {
  /** All messages are of one partition. The rows carry their positions. */
  rowsNotStored(messages: readonly MessageRows[], signal: AbortSignal): Promise<readonly OwnedRow[]>
  /** An insert of these messages failed, and may be stored all the same: looks for them before their next one. */
  doubt(messages: readonly MessageRows[]): void
}

export function createStoredPositions(client: ClickHouse, table: string): StoredPositions {
  const sets = new Map<string, Set<string>>() // by the partition's name, which tells one assignment from the next
  const doubted = new WeakSet<MessageRows>()

  return {
    async rowsNotStored(messages, signal) {
      const [topic, number] = placeOf(messages[0]!.position.partition)
      const stored = await storedPositions(messages, signal)
      return messages.flatMap(({position: {offset}, rows}, owner) =>
        rows.flatMap((row, index) => {
          if (stored.has(`${offset}/${index}`)) return []
          return [{row: {...row, _topic: topic, _partition: number, _offset: String(offset), _index: index}, owner, index}]
        }),
      )
    },
    doubt(messages) {
      for (const message of messages) doubted.add(message)
    },
  }

  async function storedPositions(messages: readonly MessageRows[], signal: AbortSignal): Promise<ReadonlySet<string>> {
    const {partition, offset} = messages[0]!.position
    const known = sets.get(partition)
    if (known && !messages.some((message) => doubted.has(message))) return known
    const [topic, number] = placeOf(partition)
    const found = await read(topic, number, offset, signal)
    for (const message of messages) doubted.delete(message)
    if (known) {
      // Not the rest of what is found: a part of the batch that was accepted is sent once more to see whether the server works.
      for (const position of positionsOf(messages)) if (found.has(position)) known.add(position)
      return known
    }

    for (const name of sets.keys()) if (name.startsWith(`${topic}/${number}@`)) sets.delete(name)
    sets.set(partition, found)
    return found
  }

  async function read(topic: string, partition: number, from: bigint, signal: AbortSignal): Promise<Set<string>> {
    const rows = await client.query<{position: string}>(
      `SELECT concat(toString(_offset), '/', toString(_index)) AS position FROM ${table}
       WHERE _topic = {topic:String} AND _partition = {partition:Int32} AND _offset >= {from:Int64}`,
      {topic, partition, from: String(from)},
      signal,
    )
    return new Set(rows.map(({position}) => position))
  }
}

const positionsOf = (messages: readonly MessageRows[]) =>
  messages.flatMap(({position: {offset}, rows}) => rows.map((_, index) => `${offset}/${index}`))

/** "topic/0@7" */
function placeOf(partition: string): [topic: string, partition: number] {
  const [, topic = partition, number = '0'] = /^(.*)\/(\d+)@\d+$/.exec(partition) ?? []
  return [topic, Number(number)]
}
