import {hash} from 'node:crypto'
import {createReadStream} from 'node:fs'
import type {DeadLetterRecord} from '../sinks/dead-letter-record.ts'
import {unreadable} from '../runtime/named-file.ts'
import {parseDeadLetterRecord} from '../sinks/dead-letter-record.ts'
import {byteLines} from '../sources/byte-lines.ts'

/** One line of a dead letter file. */
export interface LetterLine {
  readonly text: string
  /** Undefined: no letter. A run was killed as it wrote one; its record was not acknowledged, and was read again. */
  readonly record: DeadLetterRecord | undefined
}

/**
 * The lines in the order in which they were written, without blank ones. Rejects with UsageError where there is no such file,
 * with IoError where it cannot be read.
 */
export async function* letterLines(path: string): AsyncGenerator<LetterLine> {
  try {
    for await (const line of byteLines(createReadStream(path))) {
      const text = line?.toString() ?? ''
      if (text.trim() !== '') yield {text, record: parseDeadLetterRecord(text)}
    }
  } catch (cause) {
    throw unreadable(path, 'FILE', cause as NodeJS.ErrnoException)
  }
}

/** For people: of a message, or of one of its rows. */
export const placeOf = ({topic, partition, offset, index}: DeadLetterRecord) =>
  `${topic}/${partition}/${offset}${index === null ? '' : `#${index}`}`

/**
 * The same for a letter that was written twice. The place alone does not tell letters from each other: each input begins at line 0,
 * and so does a topic that was made anew.
 */
export const identityOf = (record: DeadLetterRecord) => digest([...contentOf(record), record.index])

/** The same for letters of one message. */
export const messageIdentityOf = (record: DeadLetterRecord) => digest(contentOf(record))

function contentOf({command, topic, partition, offset, key, keyBase64, value, valueBase64}: DeadLetterRecord) {
  return [command, topic, partition, offset, [key, keyBase64], [value, valueBase64]]
}

const DIGEST_BYTES = 16

/** Short, a character a byte, because many are kept; and a text of its own: one that is cut out of another holds on to it. */
const digest = (content: readonly unknown[]) => hash('sha256', JSON.stringify(content), 'buffer').toString('latin1', 0, DIGEST_BYTES)
