import {createWriteStream} from 'node:fs'
import {rm, stat} from 'node:fs/promises'
import {pipeline} from 'node:stream/promises'
import {outputError} from '../runtime/output-error.ts'

/** Writes groups of lines to a file, or to standard output where the path is "-". A file that cannot be written to its end is removed. */
export async function writeLines(path: string, groups: Iterable<readonly string[]>): Promise<void> {
  const toStdout = path === '-'
  const file = toStdout ? undefined : createWriteStream(path)
  let isOurs = false // one that could not be opened is somebody's, and as it was
  file?.once('open', () => (isOurs = true))
  try {
    await pipeline(texts(groups), file ?? process.stdout, {end: !toStdout})
  } catch (cause) {
    if (isOurs) await removeCut(path).catch(() => {}) // what failed first is to be told
    throw outputError(toStdout ? 'standard output' : path, cause as NodeJS.ErrnoException)
  }
}

function* texts(groups: Iterable<readonly string[]>): Generator<string> {
  for (const lines of groups) yield `${lines.join('\n')}\n`
}

/** No device, such as /dev/full. */
async function removeCut(path: string): Promise<void> {
  if ((await stat(path)).isFile()) await rm(path)
}
