import {createReadStream} from 'node:fs'
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
  for await (const text of linesOf(path)) {
    if (text.trim() !== '') yield {text, record: parseDeadLetterRecord(text)}
  }
}

/** Ended by a line feed and nothing else: what Node has for it also ends them at U+2028, which JSON leaves as it is. */
async function* linesOf(path: string): AsyncGenerator<string> {
  const pieces = createReadStream(path, 'utf8')[Symbol.asyncIterator]() as AsyncIterator<string>
  const nextPiece = () =>
    pieces.next().catch((cause: Error) => {
      throw new IoError(`cannot read ${path}: ${cause.message}`, {cause, suggestion: 'Name a file of dead letters'})
    })
  let unfinished = ''
  try {
    for (let piece = await nextPiece(); !piece.done; piece = await nextPiece()) {
      const lines = (unfinished + piece.value).split('\n')
      unfinished = lines.pop()!
      yield* lines
    }
  } finally {
    await pieces.return?.()
  }

  yield unfinished
}

/** The same for a letter that was written twice: of a message, or of one of its rows. */
export const identityOf = ({topic, partition, offset, index}: DeadLetterRecord) =>
  `${topic}/${partition}/${offset}${index === null ? '' : `#${index}`}`
