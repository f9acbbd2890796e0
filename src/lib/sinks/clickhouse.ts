import {createHash} from 'node:crypto'
import type {Clock, Group, Sink} from '../core/types.ts'
import type {ClickHouse} from '../clients/clickhouse.ts'
import type {MessageRows} from '../transforms/to-row.ts'
import type {OwnedRow, StoredPositions} from './clickhouse-positions.ts'
import {ClickHouseRefusal} from '../clients/clickhouse.ts'
import {DataError, PartialWriteError} from '../errors.ts'

export interface ClickHouseSinkOptions {
  readonly client: ClickHouse
  /** Quoted, with its database. */
  readonly table: string
  readonly maxInFlight: number
  readonly clock: Clock
  /** Tells this run's inserts from those of another that read the same input: an input has no times of its own. */
  readonly runId: string
  /** Present for exactly-once. */
  readonly positions: StoredPositions | undefined
  check(signal: AbortSignal): Promise<void>
}

/** Nothing of the batch was stored; the message whose row the server named, if it named one. */
class MessagesRefused extends PartialWriteError {
  readonly index: number | undefined

  constructor(index: number | undefined, cause: ClickHouseRefusal) {
    super(cause.message, {cause})
    this.index = index
  }
}

/** Messages to one table, one insert a batch. A resent insert carries the same token, so the table keeps it once. */
export function createClickHouseSink(options: ClickHouseSinkOptions): Sink<MessageRows> {
  const {client, table, clock, positions} = options

  return {
    target: client.target,
    maxInFlight: options.maxInFlight,
    onePartitionABatch: positions !== undefined,
    check: (signal) => options.check(signal),
    async send(messages, {token, signal, skipped}) {
      signal.throwIfAborted()
      if (messages.length === 0) return
      const owned = positions ? await positions.rowsNotStored(messages, signal) : rowsOf(messages)
      if (owned.length === 0) return skipped?.()
      const ingest_time = secondsText(clock.now())
      const rows = owned.map(({row}) => ({...row, ingest_time}))
      try {
        await client.insert({table, rows, token: `${token}@${fingerprintOf(messages, owned)}`, signal})
      } catch (error) {
        if (error instanceof ClickHouseRefusal) throw new MessagesRefused(owned[error.row ?? -1]?.owner, error)
        positions?.doubt(messages)
        throw error
      }
    },
    explain(messages, error): readonly Group<MessageRows>[] {
      if (!(error instanceof MessagesRefused) || error.index === undefined) return []
      return [{rows: [error.index], refused: new DataError('refused row', error.message, {cause: error})}]
    },
    close: () => client.close(),
  }

  /**
   * Tells these rows from others of the same range: a topic that is made anew begins again at offset 0, but at another time;
   * and of the same messages some may have been rejected by an earlier run, or be stored already.
   */
  function fingerprintOf(messages: readonly MessageRows[], owned: readonly OwnedRow[]): string {
    const names = owned.map(({owner, index}) => {
      const {position, receivedAt = options.runId} = messages[owner]!
      return `${position.partition.replace(/@\d+$/, '')}/${position.offset}/${index}@${receivedAt}`
    })
    return createHash('sha256').update(names.join()).digest('base64url').slice(0, 16)
  }
}

export const rowsOf = (messages: readonly MessageRows[]): readonly OwnedRow[] =>
  messages.flatMap((message, owner) => message.rows.map((row, index) => ({row, owner, index})))

/** "1594512106.869": the form that every version of the engine reads as UTC. */
const secondsText = (milliseconds: number) => (milliseconds / 1000).toFixed(3)
