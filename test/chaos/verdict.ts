import {readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'
import type {JsonResult} from '../../src/lib/cli/report.ts'
import {isBalanced} from '../../src/lib/core/ledger.ts'
import {type DeadLetterRecord, parseDeadLetterRecord} from '../../src/lib/sinks/dead-letter-record.ts'
import type {StoredRecord} from '../integration/records.ts'
import {isBad, isBlamedAtTimes, MESSAGES, numberIn} from './messages.ts'
import type {Target} from './plan.ts'
import type {Stored} from './world.ts'

/** What a round has shown. Each list should be empty. */
export interface Verdict {
  /** Numbers that were sent and are not in the topic; good messages of the topic that are not stored, and bad ones that have no letter. */
  readonly lost: readonly string[]
  /** Stored, or put aside, as more than one. */
  readonly duplicates: readonly string[]
  /** In the dead letters although nothing was wrong with them, or stored although something was. */
  readonly misjudged: readonly string[]
  /** Runs whose ledger does not balance, or that ended as a bug does. */
  readonly unbalanced: readonly string[]
}

export interface Evidence {
  readonly target: Target
  readonly records: readonly StoredRecord[]
  readonly stored: Stored
  readonly letters: readonly DeadLetterRecord[]
  readonly results: readonly JsonResult[]
  readonly exits: readonly (number | null)[]
}

/** What a consumer may end with while servers and disks fail around it; null by SIGKILL. */
const EXPECTED_EXITS: readonly (number | null)[] = [null, 0, 3, 69, 74, 75, 77, 130]

export function judge({target, records, stored, letters, results, exits}: Evidence): Verdict {
  const lettersAt = Map.groupBy(letters, ({partition, offset}) => `${partition}/${offset}`)
  const sent = new Set<number>()
  const [lost, misjudged]: [string[], string[]] = [[], []]
  for (const {partition, offset, value} of records) {
    const number = numberIn(value!)
    const place = `${partition}/${offset}`
    sent.add(number)
    const isStored = target === 'influx' ? stored.numbers.has(number) : stored.places.has(place)
    const isRejected = lettersAt.has(place)
    if (isBad(number) ? !isRejected : !isStored && !isRejected) lost.push(`${place} (${number})`)
    if (isBad(number) ? isStored : isRejected && !isBlamedAtTimes(number, target)) misjudged.push(`${place} (${number})`)
  }

  const missing = Array.from({length: MESSAGES}, (_, number) => number).filter((number) => !sent.has(number))
  const unbalanced = results.filter(({ledger}) => ledger && !isBalanced(ledger)).map(({ledger}) => JSON.stringify(ledger))
  return {
    lost: [...missing.map((number) => `${number}, which is not in the topic`), ...lost],
    duplicates: [...stored.duplicates, ...[...lettersAt].filter(([, them]) => identities(them) > 1).map(([place]) => `letters ${place}`)],
    misjudged,
    unbalanced: [...unbalanced, ...exits.filter((code) => !EXPECTED_EXITS.includes(code)).map((code) => `exit ${code}`)],
  }
}

/** A letter may be there twice after a kill, as itself. */
const identities = (letters: readonly DeadLetterRecord[]) => new Set(letters.map(({index}) => index)).size

/** Of all files that the consumers of a round have left. A run that was killed as it wrote leaves half a line. */
export async function lettersIn(folder: string): Promise<readonly DeadLetterRecord[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.ndjson'))
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')))
  return texts.flatMap((text) => text.split('\n')).flatMap((line) => parseDeadLetterRecord(line) ?? [])
}
