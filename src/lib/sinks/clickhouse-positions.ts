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
 * The positions that a table has already. A message is looked for before its first insert, in the set of what is stored:
 * never below a maximum, because of two inserts the later may be durable and the earlier not.
 */
export interface StoredPositions {
  /** All messages are of one partition. The rows carry their positions. */
  rowsNotStored(messages: readonly MessageRows[], signal: AbortSignal): Promise<readonly OwnedRow[]>
  /** An insert of these messages failed, and may be stored all the same: looks for them before their next one. */
  doubt(messages: readonly MessageRows[]): void
  /** Rows that the table had when their message was looked for the first time. */
  alreadyStored(): number
}

/** How much is read ahead of a partition, and kept of it: about 4 MB. */
const PAGE_POSITIONS = 50_000
/** Of all partitions together. The page that was longest not looked at is given up, and read again when it is needed. */
const KEPT_POSITIONS = 1_000_000

interface Place {
  readonly offset: bigint
  readonly index: number
}

/** All that is stored of a partition from one place up to another, or to the end. */
interface Page {
  readonly from: Place
  readonly to: Place | undefined
  readonly positions: ReadonlySet<string>
  /** The highest of them. */
  readonly last: Place | undefined
}

export function createStoredPositions(
  client: ClickHouse,
  table: string,
  {pagePositions = PAGE_POSITIONS, keptPositions = KEPT_POSITIONS} = {},
): StoredPositions {
  // By the partition's name, which tells one assignment from the next; the page that was looked at last comes last.
  const pages = new Map<string, Page>()
  // What was found stays as it was: a part of a batch that was accepted is sent once more to see whether the server works.
  const storedRows = new WeakMap<MessageRows, ReadonlySet<number>>()
  const doubted = new WeakSet<MessageRows>()
  let alreadyStored = 0

  return {
    async rowsNotStored(messages, signal) {
      const unknown = messages.filter((message) => !storedRows.has(message) || doubted.has(message))
      if (unknown.length > 0) await lookFor(unknown, signal)
      const [topic, number] = placeOf(messages[0]!.position.partition)
      return messages.flatMap((message, owner) =>
        message.rows.flatMap((row, index) => {
          if (storedRows.get(message)!.has(index)) return []
          const {offset} = message.position
          return [{row: {...row, _topic: topic, _partition: number, _offset: String(offset), _index: index}, owner, index}]
        }),
      )
    },
    doubt(messages) {
      for (const message of messages) doubted.add(message)
      pages.delete(messages[0]!.position.partition)
    },
    alreadyStored: () => alreadyStored,
  }

  async function lookFor(messages: readonly MessageRows[], signal: AbortSignal): Promise<void> {
    const {partition} = messages[0]!.position
    let page = pages.get(partition)
    for (const message of inOrder(messages)) {
      const {offset} = message.position
      let found: Set<number> | undefined
      for (const index of message.rows.keys()) {
        const place = {offset, index}
        if (!page || !covers(page, place)) page = await turnTo(partition, place, signal)
        if (isPassed(page, place)) page = {from: place, to: undefined, positions: NOTHING, last: undefined}
        if (page.positions.has(`${offset}/${index}`)) (found ??= new Set()).add(index)
      }

      if (found && !storedRows.has(message)) alreadyStored += found.size // else it is we who stored them
      storedRows.set(message, found ?? NONE)
      doubted.delete(message)
    }

    if (page) keep(partition, page)
  }

  function keep(partition: string, page: Page): void {
    pages.delete(partition)
    pages.set(partition, page)
    let kept = 0
    for (const {positions} of pages.values()) kept += positions.size
    for (const [name, {positions}] of pages) {
      if (kept <= keptPositions || name === partition) return
      pages.delete(name)
      kept -= positions.size
    }
  }

  async function turnTo(partition: string, place: Place, signal: AbortSignal): Promise<Page> {
    const page = await read(partition, place, signal)
    const former = partition.replace(/\d+$/, '')
    for (const name of pages.keys()) if (name.startsWith(former)) pages.delete(name)
    pages.set(partition, page)
    return page
  }

  /** In portions: a new group may find all of a table that has everything. */
  async function read(partition: string, from: Place, signal: AbortSignal): Promise<Page> {
    const [topic, number] = placeOf(partition)
    const rows = await client.query<{position: string}>(
      `SELECT concat(toString(_offset), '/', toString(_index)) AS position FROM ${table}
       WHERE _topic = {topic:String} AND _partition = {partition:Int32} AND (_offset, _index) >= ({offset:Int64}, {index:UInt32})
       ORDER BY _offset, _index LIMIT {limit:UInt32}`,
      {topic, partition: number, offset: String(from.offset), index: from.index, limit: pagePositions},
      signal,
    )
    const isLast = rows.length < pagePositions
    const last = rows.length === 0 ? undefined : positionOf(rows.at(-1)!.position)
    return {from, to: isLast ? undefined : last, positions: new Set(rows.map(({position}) => position)), last}
  }
}

const NONE: ReadonlySet<number> = new Set()
const NOTHING: ReadonlySet<string> = new Set()

/** Letters that are replayed come in any order. */
const inOrder = (messages: readonly MessageRows[]) =>
  messages.toSorted(({position: {offset: one}}, {position: {offset: other}}) => (one < other ? -1 : one > other ? 1 : 0))

const covers = ({from, to}: Page, place: Place) => !isBefore(place, from) && (to === undefined || !isBefore(to, place))

/** Whether nothing of the table lies before a reader who has come to this place. */
const isPassed = ({to, last}: Page, place: Place) => to === undefined && last !== undefined && isBefore(last, place)

const isBefore = (one: Place, other: Place) => one.offset < other.offset || (one.offset === other.offset && one.index < other.index)

function positionOf(text: string): Place {
  const [offset = '', index] = text.split('/')
  return {offset: BigInt(offset), index: Number(index)}
}

/** "topic/0@7" */
function placeOf(partition: string): [topic: string, partition: number] {
  const [, topic = partition, number = '0'] = /^(.*)\/(\d+)@\d+$/.exec(partition) ?? []
  return [topic, Number(number)]
}
