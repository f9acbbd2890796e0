import type {FileHandle} from 'node:fs/promises'
import {open, rename, stat} from 'node:fs/promises'
import {basename, dirname, join} from 'node:path'
import type {DeadLetter, Letter, Position, RawMessage} from '../core/types.ts'
import type {Lock} from '../runtime/lock.ts'
import {IoError, LockedError, PartialError} from '../errors.ts'
import {makeFolder} from '../runtime/folder.ts'
import {toDeadLetterRecord} from './dead-letter-record.ts'

export interface DeadLetterOptions {
  readonly command: string
  describe(position: Position): string
  /** The bytes of a message's value, as it was read. */
  raw(value: unknown): RawMessage
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

export interface DeadLetterFileOptions extends DeadLetterOptions {
  readonly path: string
  /** A file that would grow past this is set aside, with the time in its name. */
  readonly maxBytes: number
  acquireLock(path: string): Promise<Lock>
}

/** A dead letter sink that knows where its letters went. */
export interface DeadLetterFile extends DeadLetter {
  /** The file in use, once there was a letter. */
  path(): string | undefined
}

/**
 * NDJSON, mode 0600, one append and one sync a batch. It is made when the first letter comes, and held under a lock:
 * a second run at the same time writes to `<name>.<pid>.ndjson` beside it.
 */
export function createDeadLetterFile(options: DeadLetterFileOptions): DeadLetterFile {
  let held: (Opened & {readonly lock: Lock | undefined; readonly path: string}) | undefined
  let written: Promise<void> = Promise.resolve()

  return {
    path: () => held?.path,
    put(letters) {
      const writing = written.then(() => write(letters)) // batches in flight put at the same time: one opens the file, none cuts off another's
      written = writing.catch(() => {})
      return writing
    },
    async close() {
      await written
      await held?.file.close()
      await held?.lock?.release()
    },
  }

  async function write(letters: readonly Letter[]): Promise<void> {
    const text = letters.map((letter) => `${JSON.stringify(recordOf(letter, options))}\n`).join('')
    try {
      held ??= await openFile()
      const bytes = Buffer.from(text)
      if (held.bytes > 0 && held.bytes + bytes.length > options.maxBytes) held = await rotate(held)
      await append(held, bytes)
    } catch (cause) {
      if (cause instanceof IoError) throw cause
      throw new IoError(`writing dead letters to ${held?.path ?? options.path} failed: ${(cause as Error).message}`, {
        cause,
        suggestion: 'Make room or name another file with --dead-letter; the records are read again',
      })
    }
  }

  async function openFile() {
    makeFolder(dirname(options.path))
    if (await isDevice(options.path)) return {...(await openAppending(options.path)), lock: undefined, path: options.path}
    const own = options.path.replace(/(\.ndjson)?$/, `.${process.pid}.ndjson`)
    for (const path of [options.path, own]) {
      try {
        const lock = await options.acquireLock(`${path}.lock`)
        return {...(await openAppending(path)), lock, path}
      } catch (error) {
        if (!(error instanceof LockedError) || path === own) throw error
      }
    }

    throw new Error('unreachable')
  }

  async function rotate({file, lock, path}: NonNullable<typeof held>) {
    await file.close()
    const stamp = new Date(options.now()).toISOString().replaceAll(':', '-')
    await rename(path, join(dirname(path), `${basename(path, '.ndjson')}.${stamp}.ndjson`))
    return {...(await openAppending(path)), lock, path}
  }
}

interface Opened {
  readonly file: FileHandle
  /** Without it there is nothing to sync and to set aside. */
  readonly isFile: boolean
  bytes: number
}

/** Or a pipe: what is no file needs no lock, and what is beside it is not ours. */
async function isDevice(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined)
  return found !== undefined && !found.isFile() && !found.isDirectory()
}

async function openAppending(path: string): Promise<Opened> {
  const file = await open(path, 'a+', 0o600)
  const found = await file.stat()
  const isFile = found.isFile()
  const bytes = isFile ? found.size : 0
  if (isFile && bytes === 0) await syncFolder(dirname(path))
  return {file, isFile, bytes: (await endsInHalfALine(file, bytes)) ? bytes + (await file.write('\n')).bytesWritten : bytes}
}

/** A power cut that spares a new file's content may take its name. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  await folder.sync().finally(() => folder.close())
}

/** Of a process that was killed as it wrote. */
async function endsInHalfALine(file: FileHandle, size: number): Promise<boolean> {
  if (size === 0) return false
  const {buffer} = await file.read({buffer: Buffer.alloc(1), position: size - 1})
  return buffer.toString() !== '\n'
}

/** A disk that is full takes a part: it is cut off again, so that no later letter is glued to half a line. */
async function append(held: Opened, bytes: Buffer): Promise<void> {
  try {
    await held.file.appendFile(bytes)
    if (!held.isFile) return
    await held.file.sync()
    held.bytes += bytes.length
  } catch (error) {
    await held.file.truncate(held.bytes).catch(() => {})
    throw error
  }
}

export function recordOf(letter: Letter, {command, describe, raw, now}: DeadLetterOptions) {
  const {position, value} = letter.message
  return toDeadLetterRecord(letter, {command, time: new Date(now()), description: describe(position), raw: raw(value)})
}

/** `--dead-letter none`: the first rejected record ends the run, unacknowledged. */
export function refuseDeadLetters(describe: (position: Position) => string): DeadLetter {
  return {
    async put([letter]) {
      const {message, error} = letter!
      throw new PartialError(`${describe(message.position)} was rejected (${error.reason}: ${error.message}) and --dead-letter is none`, {
        cause: error,
        suggestion: 'Name a file or kafka:TOPIC with --dead-letter to go on past such records',
      })
    },
    async close() {},
  }
}
