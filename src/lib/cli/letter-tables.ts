import type {LetterSummary} from '../jobs/summarise-letters.ts'
import type {DeadLetterRecord} from '../sinks/dead-letter-record.ts'
import {placeOf} from '../jobs/letter-file.ts'
import {formatTable} from './table.ts'

const MAX_MESSAGE_CHARACTERS = 100

/** For people: how many of which reason, and what was wrong with the last ones. */
export async function letterTables({count, reasons, last}: LetterSummary): Promise<string> {
  if (count === 0) return 'no letters'
  const counted = await formatTable(
    ['letters', 'reason', 'command', 'first', 'last'],
    reasons.map((reason) => [String(reason.count), reason.code, reason.command, reason.first, reason.latest]),
    [0],
  )
  if (last.length === 0) return counted
  const shown = await formatTable(
    ['time', 'record', 'what is wrong'],
    last.map((record) => [record.time, placeOf(record), shortened(record.reason.message)]),
  )
  return `${counted}\n\n${shown}`
}

/** The message itself, on a line. What cannot stand there as it is stands as in its letter: {"value":null}. */
export function messageLine({value, valueBase64}: DeadLetterRecord): string {
  if (typeof value !== 'string' || value.trim() === '') return JSON.stringify({value, valueBase64})
  if (!value.includes('\n')) return value
  return isJson(value) ? value.trim().replaceAll(/\s*\n\s*/g, '') : JSON.stringify({value}) // no text within JSON has a line break
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function shortened(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ')
  return line.length > MAX_MESSAGE_CHARACTERS ? `${line.slice(0, MAX_MESSAGE_CHARACTERS - 1)}…` : line
}
