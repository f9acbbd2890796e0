import type {DeadLetter, Letter, Message, Outcome, RawMessage, Source, Transform} from '../core/types.ts'
import type {Lock} from '../runtime/lock.ts'
import type {DeadLetterRecord} from '../sinks/dead-letter-record.ts'
import {DataError, LockedError} from '../errors.ts'
import {toDeadLetterRecord, toRawMessage} from '../sinks/dead-letter-record.ts'
import {createChunks, MESSAGE_OVERHEAD_BYTES} from '../sources/chunks.ts'
import {identityOf, letterLines} from './letter-file.ts'
import {createRemainder} from './letter-remainder.ts'

export interface ReplayOptions {
  readonly path: string
  /** Whose letters; those of other commands stay where they are. */
  readonly command: string
  /** A dry run leaves the file as it is. */
  readonly keepsAll: boolean
  /** Milliseconds since the epoch. */
  readonly now: () => number
  acquireLock(path: string): Promise<Lock>
}

/** A dead letter file as a source and as where its letters stay that are rejected again. */
export interface Replay {
  readonly source: Source<RawMessage>
  readonly deadLetter: DeadLetter
  /** Makes only the row that the letter is about: the message's others are stored. */
  only<O>(transform: Transform<RawMessage, O>): Transform<RawMessage, O>
}

interface LetterMessage extends RawMessage {
  /** Which of its rows was rejected; null for the message as a whole. */
  readonly index: number | null
  readonly identity: string
}

/** No assignment has this number. */
const EPOCH = '@0'
const placeOf = (partition: string) => partition.slice(0, -EPOCH.length)

/**
 * The file is held under its lock and left as it is until the end; then it is replaced at once by what is still to be done. A run that is
 * killed has changed nothing: its letters are replayed again, which is why they are sent at the positions that they had.
 * Of a letter no more than its identity is kept in memory.
 */
export async function openReplay(options: ReplayOptions): Promise<Replay> {
  const {path, command, keepsAll, now} = options
  const lock = await options.acquireLock(`${path}.lock`).catch((error: unknown) => {
    if (!(error instanceof LockedError)) throw error
    throw new LockedError(error.message, {cause: error, suggestion: 'Wait for the run that writes to it, or stop it'})
  })
  const remainder = createRemainder(path)
  const isDone = new Map<string, boolean>() // by identity; also when its letter was written anew
  let hasSettled = false
  const describe: Source<RawMessage>['describe'] = ({partition, offset}) => `${placeOf(partition)}/${offset}`

  return {
    source: {
      read,
      async ack(messages) {
        for (const {value} of messages) isDone.set((value as LetterMessage).identity, true)
        hasSettled ||= messages.length > 0
      },
      async complete() {},
      describe,
      async close() {},
    },
    deadLetter: {
      async put(letters) {
        if (!keepsAll) await remainder.add(letters.flatMap(writtenAnew))
      },
      async close() {
        try {
          if (!keepsAll && hasSettled) await remainder.replaceFile(linesLeft())
          else await remainder.discard()
        } finally {
          await lock.release()
        }
      },
    },
    only: (transform) => (message, position) => {
      const {index} = message as LetterMessage
      const outcome = transform(message, position)
      return index === null ? outcome : {rows: [rowOf(outcome, index)]}
    },
  }

  async function* read(signal: AbortSignal): AsyncGenerator<readonly Message<LetterMessage>[]> {
    const chunks = createChunks<LetterMessage>()
    for await (const {record} of letterLines(path)) {
      if (signal.aborted) return
      if (!isOurs(record)) continue
      const identity = identityOf(record)
      if (isDone.has(identity)) continue
      isDone.set(identity, false)
      const full = chunks.add(messageOf(record, identity))
      if (full) yield full
    }

    const rest = chunks.rest()
    if (rest) yield rest
  }

  function isOurs(record: DeadLetterRecord | undefined): record is DeadLetterRecord {
    return record?.command === command
  }

  /** Two rows of a message that was rejected as a whole are one letter. */
  function writtenAnew({message, error}: Letter): readonly string[] {
    const raw = message.value as LetterMessage
    if (isDone.get(raw.identity)) return []
    isDone.set(raw.identity, true)
    const context = {command, time: new Date(now()), description: describe(message.position), raw}
    return [JSON.stringify({...toDeadLetterRecord({message, error}, context), index: raw.index})]
  }

  /** As they stand: of other commands, not read, or not settled. A line that repeats another is left out. */
  async function* linesLeft(): AsyncGenerator<string> {
    for await (const {text, record} of letterLines(path)) {
      const identity = isOurs(record) ? identityOf(record) : undefined
      if (identity !== undefined && isDone.get(identity)) continue
      if (identity !== undefined) isDone.set(identity, true)
      yield text
    }
  }
}

/** A letter is done when its row is stored: that other flags make no such row tells nothing of it. */
function rowOf<O>(outcome: Outcome<O>, index: number): O | DataError {
  const rows = 'filtered' in outcome ? [] : outcome.rows
  const row = rows[index]
  if (row !== undefined) return row
  throw new DataError(
    'no such row',
    `row ${index} was rejected, and the message has ${rows.length} rows now: replay it with the flags of that run`,
  )
}

function messageOf(record: DeadLetterRecord, identity: string): Message<LetterMessage> {
  const value = {...toRawMessage(record), index: record.index, identity}
  return {
    value,
    position: {partition: `${record.topic}/${record.partition}${EPOCH}`, offset: BigInt(record.offset)},
    bytes: (value.value?.length ?? 0) + (value.key?.length ?? 0) + MESSAGE_OVERHEAD_BYTES,
  }
}
