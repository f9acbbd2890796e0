import {open} from 'node:fs/promises'
import type {DeadLetterRecord} from '../sinks/dead-letter-record.ts'
import {IoError} from '../errors.ts'
import {parseDeadLetterRecord} from '../sinks/dead-letter-record.ts'

/** One line of a dead letter file. */
export interface LetterLine {
  readonly text: string
  /** Undefined: no letter. A run was killed as it wrote one; its record was not acknowledged, and was read again. */
  readonly record: DeadLetterRecord | undefined
}

/** The lines in the order in which they were written, without blank ones. */
export async function* letterLines(path: string): AsyncGenerator<LetterLine> {
  const file = await open(path).catch((cause: Error) => {
    throw new IoError(`cannot open ${path}: ${cause.message}`, {cause, suggestion: 'Name a file of dead letters'})
  })
  for await (const text of file.readLines()) {
    if (text.trim() !== '') yield {text, record: parseDeadLetterRecord(text)}
  }
}

/** The same for a letter that was written twice: of a message, or of one of its rows. */
export const identityOf = ({topic, partition, offset, index}: DeadLetterRecord) =>
  `${topic}/${partition}/${offset}${index === null ? '' : `#${index}`}`
