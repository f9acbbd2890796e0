import {readFile} from 'node:fs/promises'
import {IoError, UsageError} from '../errors.ts'

/** No file has this name: what was typed is wrong. Anything else is a fault of the disk or its permissions. */
const WRONG_NAME = ['ENOENT', 'ENOTDIR', 'EISDIR']

/** The text of a file that the user has named. Rejects with UsageError where there is none, with IoError where it cannot be read. */
export async function readNamedFile(path: string, flag: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw unreadable(path, flag, cause as NodeJS.ErrnoException)
  }
}

export function unreadable(path: string, flag: string, cause: NodeJS.ErrnoException): UsageError | IoError {
  const {code = '', message} = cause
  if (code === 'EISDIR') return new UsageError(`${path} is a folder and not a file`, {cause, suggestion: `Name a file with ${flag}`})
  if (WRONG_NAME.includes(code)) return new UsageError(`there is no file ${path}`, {cause, suggestion: `Check ${flag}`})
  return new IoError(`cannot read ${path}: ${message}`, {cause, suggestion: `Make it readable for this user, or name another with ${flag}`})
}
