import type {DeadLetterRecord} from '../sinks/dead-letter-record.ts'
import {identityOf, letterLines} from './letter-file.ts'

export interface LetterSummary {
  /** Different ones. */
  readonly count: number
  /** Lines that repeat a letter: a run was killed between its letter and its commit. */
  readonly repeated: number
  /** Lines that are no letters. */
  readonly unreadable: number
  /** The most frequent first. */
  readonly reasons: readonly LetterReason[]
  /** The last ones, in the order of the file. */
  readonly last: readonly DeadLetterRecord[]
}

export interface LetterReason {
  readonly command: string
  readonly code: string
  readonly count: number
  /** RFC 3339. */
  readonly first: string
  readonly latest: string
}

/** Reads the file once; `each` is told of every letter that it has not seen before. */
export async function summariseLetters(path: string, last: number, each?: (record: DeadLetterRecord) => void): Promise<LetterSummary> {
  const seen = new Set<string>()
  const reasons = new Map<string, LetterReason>()
  const latest: DeadLetterRecord[] = []
  let [repeated, unreadable] = [0, 0]
  for await (const {record} of letterLines(path)) {
    if (!record) unreadable++
    else if (seen.has(identityOf(record))) repeated++
    else {
      seen.add(identityOf(record))
      addReason(reasons, record)
      latest.push(record)
      if (latest.length > last) latest.shift()
      each?.(record)
    }
  }

  const frequent = [...reasons.values()].sort((one, other) => other.count - one.count)
  return {count: seen.size, repeated, unreadable, reasons: frequent, last: latest}
}

function addReason(reasons: Map<string, LetterReason>, {command, time, reason: {code}}: DeadLetterRecord): void {
  const known = reasons.get(`${command} ${code}`) ?? {command, code, count: 0, first: time, latest: time}
  reasons.set(`${command} ${code}`, {
    ...known,
    count: known.count + 1,
    first: time < known.first ? time : known.first,
    latest: time > known.latest ? time : known.latest,
  })
}
