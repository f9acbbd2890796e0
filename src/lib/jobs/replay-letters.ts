import {open, rename, rm} from 'node:fs/promises'
import {dirname} from 'node:path'
import type {DeadLetter, Message, RawMessage, Source, Transform} from '../core/types.ts'
import type {Lock} from '../runtime/lock.ts'
import type {DeadLetterRecord} from '../sinks/dead-letter-record.ts'
import type {DataError} from '../errors.ts'
import {IoError, LockedError} from '../errors.ts'
import {toRawMessage} from '../sinks/dead-letter-record.ts'
import {identityOf, letterLines} from './letter-file.ts'

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

/** A message and which of its rows was rejected; null for the message as a whole. */
type Letter = RawMessage & {readonly index: number | null}

/** No assignment has this number. */
const EPOCH = '@0'
const placeOf = (partition: string) => partition.slice(0, -EPOCH.length)

const CHUNK_MESSAGES = 1000
const CHUNK_BYTES = 1_000_000
const MESSAGE_OVERHEAD_BYTES = 200

/**
 * The file is held under its lock and left as it is until the end; then it is replaced at once by what is still to be done. A run that is
 * killed has changed nothing: its letters are replayed again, which is why they are sent at the positions that they had.
 */
export async function openReplay(options: ReplayOptions): Promise<Replay> {
  const {path, command, keepsAll, now} = options
  const lock = await options.acquireLock(`${path}.lock`).catch((error: unknown) => {
    if (!(error instanceof LockedError)) throw error
    throw new LockedError(error.message, {cause: error, suggestion: 'Wait for the run that writes to it, or stop it'})
  })
  const settled = new Set<string>()
  const rejected = new Map<string, DataError>()

  return {
    source: {
      read,
      async ack(messages) {
        for (const message of messages) settled.add(identityOfMessage(message))
      },
      async complete() {},
      describe: ({partition, offset}) => `${placeOf(partition)}/${offset}`,
      async close() {},
    },
    deadLetter: {
      async put(letters) {
        for (const {message, error} of letters) rejected.set(identityOfMessage(message), error)
      },
      async close() {
        try {
          if (!keepsAll && settled.size > 0) await keepRest()
        } finally {
          await lock.release()
        }
      },
    },
    only: (transform) => (message, position) => {
      const {index} = message as Letter
      const outcome = transform(message, position)
      return index === null || 'filtered' in outcome ? outcome : {rows: outcome.rows.slice(index, index + 1)}
    },
  }

  async function* read(signal: AbortSignal): AsyncGenerator<readonly Message<Letter>[]> {
    const seen = new Set<string>()
    let chunk: Message<Letter>[] = []
    let bytes = 0
    for await (const {record} of letterLines(path)) {
      if (signal.aborted) return
      if (!isOurs(record) || seen.has(identityOf(record))) continue
      seen.add(identityOf(record))
      const message = messageOf(record)
      if (chunk.length >= CHUNK_MESSAGES || (chunk.length > 0 && bytes + message.bytes > CHUNK_BYTES)) {
        yield chunk
        chunk = []
        bytes = 0
      }

      chunk.push(message)
      bytes += message.bytes
    }

    if (chunk.length > 0) yield chunk
  }

  function isOurs(record: DeadLetterRecord | undefined): record is DeadLetterRecord {
    return record?.command === command
  }

  /** Replaces the file by the lines that are still to be done; without any it is removed. */
  async function keepRest(): Promise<void> {
    const draft = `${path}.replayed`
    try {
      const file = await open(draft, 'w', 0o600)
      let kept = 0
      try {
        for await (const line of remaining()) {
          await file.appendFile(`${line}\n`)
          kept++
        }

        await file.sync()
      } finally {
        await file.close()
      }

      if (kept > 0) await rename(draft, path)
      else await Promise.all([rm(draft), rm(path)])
      const folder = await open(dirname(path), 'r')
      await folder.sync().finally(() => folder.close())
    } catch (cause) {
      await rm(draft, {force: true}).catch(() => {})
      throw new IoError(`writing what is left of ${path} failed: ${(cause as Error).message}`, {
        cause,
        suggestion: 'Make room; the file is as it was, and its letters may be replayed again',
      })
    }
  }

  async function* remaining(): AsyncGenerator<string> {
    const seen = new Set<string>()
    for await (const {text, record} of letterLines(path)) {
      if (!isOurs(record)) yield text
      else if (!seen.has(identityOf(record))) {
        const identity = identityOf(record)
        seen.add(identity)
        const error = rejected.get(identity)
        if (error)
          yield JSON.stringify({...record, time: new Date(now()).toISOString(), reason: {code: error.reason, message: error.message}})
        else if (!settled.has(identity)) yield text
      }
    }
  }
}

function messageOf(record: DeadLetterRecord): Message<Letter> {
  const value = {...toRawMessage(record), index: record.index}
  return {
    value,
    position: {partition: `${record.topic}/${record.partition}${EPOCH}`, offset: BigInt(record.offset)},
    bytes: (value.value?.length ?? 0) + MESSAGE_OVERHEAD_BYTES,
  }
}

function identityOfMessage({value, position: {partition, offset}}: Message<unknown>): string {
  const {index} = value as Letter
  return `${placeOf(partition)}/${offset}${index === null ? '' : `#${index}`}`
}
