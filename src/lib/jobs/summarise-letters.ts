import type {DeadLetterRecord} from '../sinks/dead-letter-record.ts'
import {identityOf, letterLines, messageIdentityOf} from './letter-file.ts'

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

/** Reads the file once; `eachMessage` is told of every message, with the first of its letters. */
export async function summariseLetters(
  path: string,
  last: number,
  eachMessage?: (record: DeadLetterRecord) => void,
): Promise<LetterSummary> {
  const seen = new Set<string>()
  const told = new Set<string>()
  const reasons = new Map<string, LetterReason>()
  const latest: DeadLetterRecord[] = []
  let [repeated, unreadable] = [0, 0]
  for await (const {record} of letterLines(path)) {
    if (!record) unreadable++
    else if (isKnown(seen, identityOf(record))) repeated++
    else {
      addReason(reasons, record)
      latest.push(record)
      if (latest.length > last) latest.shift()
      if (eachMessage && !isKnown(told, messageIdentityOf(record))) eachMessage(record)
    }
  }

  const frequent = [...reasons.values()].sort((one, other) => other.count - one.count)
  return {count: seen.size, repeated, unreadable, reasons: frequent, last: latest}
}

function isKnown(known: Set<string>, identity: string): boolean {
  const {size} = known
  return known.add(identity).size === size
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
