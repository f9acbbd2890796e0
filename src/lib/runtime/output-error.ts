import {IoError} from '../errors.ts'

/** What it means that nothing more can be written to an output. */
export function outputError(name: string, cause: NodeJS.ErrnoException): IoError {
  if (cause.code !== 'EPIPE') return new IoError(`writing to ${name} failed: ${cause.message}`, {cause})
  return new IoError(`${name} was closed before everything was written`, {
    cause,
    suggestion: 'Whoever reads it has to read to the end: head does not',
  })
}
