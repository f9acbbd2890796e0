import {createWriteStream} from 'node:fs'
import {pipeline} from 'node:stream/promises'
import {IoError, ReaderGoneError} from '../errors.ts'

/** Writes groups of lines to a file, or to standard output where the path is "-". */
export async function writeSample(path: string, groups: Iterable<readonly string[]>): Promise<void> {
  const toStdout = path === '-'
  try {
    await pipeline(texts(groups), toStdout ? process.stdout : createWriteStream(path), {end: !toStdout})
  } catch (cause) {
    const {code, message} = cause as NodeJS.ErrnoException
    if (toStdout && code === 'EPIPE') throw new ReaderGoneError('whoever reads standard output went away', {cause})
    throw new IoError(`writing to ${toStdout ? 'standard output' : path} failed: ${message}`, {cause})
  }
}

function* texts(groups: Iterable<readonly string[]>): Generator<string> {
  for (const lines of groups) yield `${lines.join('\n')}\n`
}
