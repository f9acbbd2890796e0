import {createWriteStream} from 'node:fs'
import {pipeline} from 'node:stream/promises'
import {outputError} from '../runtime/output-error.ts'

/** Writes groups of lines to a file, or to standard output where the path is "-". */
export async function writeSample(path: string, groups: Iterable<readonly string[]>): Promise<void> {
  const toStdout = path === '-'
  try {
    await pipeline(texts(groups), toStdout ? process.stdout : createWriteStream(path), {end: !toStdout})
  } catch (cause) {
    throw outputError(toStdout ? 'standard output' : path, cause as NodeJS.ErrnoException)
  }
}

function* texts(groups: Iterable<readonly string[]>): Generator<string> {
  for (const lines of groups) yield `${lines.join('\n')}\n`
}
