import {closeSync, fstatSync, openSync, renameSync, rmSync, writeSync} from 'node:fs'
import {dirname} from 'node:path'
import {IoError} from '../errors.ts'
import {makeFolder} from './folder.ts'

export interface LogFile {
  write(line: string): void
  close(): void
}

/**
 * Appends lines to a file of mode 0600, at once, so that none is lost however the process ends.
 * A file that would grow past `maxBytes` becomes `.1`, `.1` becomes `.2`, and so on up to `backups`.
 */
export function openLogFile(path: string, maxBytes: number, backups: number): LogFile {
  let file = open()

  return {
    write(line) {
      try {
        if (file.bytes > 0 && file.bytes + Buffer.byteLength(line) > maxBytes) rotate()
        file.bytes += writeSync(file.descriptor, line)
      } catch (cause) {
        throw new IoError(`writing to the log file ${path} failed: ${(cause as Error).message}`, {cause})
      }
    },
    close: () => closeSync(file.descriptor),
  }

  function open() {
    try {
      makeFolder(dirname(path))
      const descriptor = openSync(path, 'a', 0o600)
      return {descriptor, bytes: fstatSync(descriptor).size}
    } catch (cause) {
      throw new IoError(`cannot open the log file ${path}: ${(cause as Error).message}`, {cause})
    }
  }

  function rotate() {
    const full = file.descriptor
    for (let number = backups - 1; number > 0; number--) renameIfThere(`${path}.${number}`, `${path}.${number + 1}`)
    if (backups > 0) renameIfThere(path, `${path}.1`)
    else rmSync(path, {force: true})
    file = open()
    closeSync(full) // not before: where a step fails, the old file is still there to write to
  }
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
