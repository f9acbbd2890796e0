import type {FileHandle} from 'node:fs/promises'
import {open, realpath, rename, rm} from 'node:fs/promises'
import {dirname} from 'node:path'
import {IoError} from '../errors.ts'

/** What is still to be done of a file of letters, in a file beside it which takes its place at the end. A link to the file goes on being one. */
export interface Remainder {
  add(lines: readonly string[]): Promise<void>
  /** By what was added and these. Without any line the file is removed. */
  replaceFile(lines: AsyncIterable<string>): Promise<void>
  /** The file stays as it is. */
  discard(): Promise<void>
}

/** How much is written at once. */
const WRITE_CHARACTERS = 1_000_000

export function createRemainder(path: string): Remainder {
  let draft: {readonly file: FileHandle; readonly path: string} | undefined
  let written: Promise<void> = Promise.resolve() // batches in flight add at the same time; after one that failed nothing is written

  return {
    add(lines) {
      written = written.then(() => write(lines))
      return orIoError(written)
    },
    replaceFile: (lines) => orIoError(written.then(() => replaceFile(lines))),
    async discard() {
      await written.catch(() => {})
      await dropDraft()
    },
  }

  async function write(lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return
    draft ??= await openDraft()
    await draft.file.appendFile(lines.map((line) => `${line}\n`).join(''))
  }

  async function replaceFile(lines: AsyncIterable<string>): Promise<void> {
    for await (const some of inPortions(lines)) await write(some)
    const target = await realpath(path)
    if (draft) {
      await draft.file.sync()
      await draft.file.close()
      await rename(draft.path, target)
    } else await rm(target)
    const folder = await open(dirname(target), 'r')
    await folder.sync().finally(() => folder.close())
  }

  async function openDraft() {
    const own = `${await realpath(path)}.replayed`
    return {file: await open(own, 'w', 0o600), path: own}
  }

  async function dropDraft(): Promise<void> {
    await draft?.file.close().catch(() => {}) // it may be closed
    if (draft) await rm(draft.path, {force: true})
  }

  async function orIoError(work: Promise<void>): Promise<void> {
    try {
      await work
    } catch (cause) {
      await dropDraft().catch(() => {})
      throw new IoError(`writing what is left of ${path} failed: ${(cause as Error).message}`, {
        cause,
        suggestion: 'Make room; the file is as it was, and its letters may be replayed again',
      })
    }
  }
}

async function* inPortions(lines: AsyncIterable<string>): AsyncGenerator<readonly string[]> {
  let portion: string[] = []
  let characters = 0
  for await (const line of lines) {
    portion.push(line)
    characters += line.length
    if (characters < WRITE_CHARACTERS) continue
    yield portion
    portion = []
    characters = 0
  }

  yield portion
}
