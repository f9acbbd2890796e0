import type {Bounded} from './retry.ts'
import type {Sink} from './types.ts'
import {DataError, PartialWriteError, UnavailableError} from '../errors.ts'

/** Indexes of rows, ascending. */
type Part = readonly number[]
type Failure = PartialWriteError | UnavailableError

export interface Load<R> {
  readonly rows: readonly R[]
  readonly token: string
  readonly signal: AbortSignal
  /** Asked before each attempt: has the row been taken away from us? */
  withdrawn(row: number): boolean
}

/**
 * Returns a function that sends the rows and answers which of them the server refuses for good.
 * When it throws, call it again: it goes on with the parts still open and repeats no settled one but the witness.
 *
 * What it costs: a group that the sink explains is one request; bisection of what it does not explain takes
 * at most 2·log2(n) requests for each bad row; a server that fails everything sees at most 2·log2(n) of them
 * before the batch waits and goes whole again.
 */
export function isolate<R>(
  sink: Sink<R>,
  {rows: original, token, signal, withdrawn}: Load<R>,
): (bounded?: Bounded) => Promise<ReadonlyMap<number, DataError>> {
  let rows = original
  let bounded: Bounded = (_, request) => request()
  const refused = new Map<number, DataError>()
  let open: Part[] = [rows.map((_, index) => index)]
  let acceptedParts = 0
  let witness: Part | undefined // the smallest accepted part
  const failuresAlone = new Map<number, number>()
  let searches = 0
  let reordered = false

  return async (given = bounded) => {
    bounded = given
    await settleOpenParts()
    if (acceptedParts > 1 && !reordered) {
      // Parts went out of read order, but of the rows with one key the last has to be written last.
      reordered = true
      open = [repeatedKeys(rows, sink).filter((row) => !refused.has(row))]
      await settleOpenParts()
    }

    return refused
  }

  async function settleOpenParts(): Promise<void> {
    while (open[0]) {
      const part = (open[0] = open[0].filter((row) => !withdrawn(row)))
      const failure = await attempt(part)
      if (!failure) open.shift()
      else if (failure instanceof PartialWriteError) open.splice(0, 1, ...divide(part, failure))
      else await suspect(part, failure)
    }
  }

  async function attempt(part: Part): Promise<Failure | undefined> {
    if (part.length === 0) return undefined
    const isWhole = part.length === rows.length
    let isAsked = true
    const context = {token: isWhole ? token : `${token}#${ranges(part)}`, signal, skipped: () => (isAsked = false)}
    try {
      const content = isWhole ? rows : pick(rows, part)
      const send = () => sink.send(content, context)
      await (sink.target === undefined ? send() : bounded(sink.target, send))
    } catch (error) {
      if (error instanceof PartialWriteError || (error instanceof UnavailableError && error.divisible)) return error
      throw error
    }

    acceptedParts++
    if (isAsked && (!witness || part.length < witness.length)) witness = part
    return undefined
  }

  /** The server has judged, so it works: follow what it says, and halve what it does not explain. */
  function divide(part: Part, failure: PartialWriteError): readonly Part[] {
    const unexplained = new Set(part)
    const groups: Part[] = []
    const rewritten = [...rows]
    let isRewritten = false
    for (const group of sink.explain?.(pick(rows, part), failure) ?? []) {
      const members = pick(part, group.rows).filter((row) => unexplained.delete(row))
      if (group.refused) for (const row of members) refused.set(row, group.refused)
      else if (members.length > 0) groups.push(members)
      for (const [index, replacement] of group.replacements ?? []) {
        isRewritten = true
        rewritten[part[index]!] = replacement
      }
    }

    rows = rewritten
    if (unexplained.size > 0) groups.push([...unexplained])
    const isSamePart = groups[0]?.length === part.length && !isRewritten
    return isSamePart ? halve(part, failure) : groups
  }

  /**
   * A 500 is the server's fault or a row's. It is a row's only if it fails alone three times,
   * and the server accepts another part after each.
   */
  async function suspect(part: Part, failure: UnavailableError): Promise<void> {
    if (witness?.some(withdrawn)) witness = undefined
    if (!witness) {
      const accepted = new Set(await findAccepted(part))
      if (accepted.size === 0) throw failure
      open[0] = part.filter((row) => !accepted.has(row))
      return
    }

    if ((await attempt(witness)) instanceof UnavailableError) throw failure
    open.shift()
    const alone = part.length === 1 ? part[0] : undefined
    const failures = alone === undefined ? 0 : (failuresAlone.get(alone) ?? 0) + 1
    if (alone !== undefined) failuresAlone.set(alone, failures)
    if (alone !== undefined && failures < 3)
      open.push(part) // at the end, so that time passes
    else open.unshift(...halve(part, failure))
  }

  /** Tries both halves before going deeper, elsewhere on each search: a server that fails everything costs 2·log2(n) requests. */
  async function findAccepted(part: Part): Promise<Part | undefined> {
    for (let turns = searches++; part.length > 1; turns >>= 1) {
      const halves = inHalves(part)
      for (const half of halves) if (!(await attempt(half))) return half
      part = halves[turns & 1]!
    }

    return undefined
  }

  function halve(part: Part, failure: Failure): readonly Part[] {
    if (part.length > 1) return inHalves(part)
    refused.set(part[0]!, new DataError('refused', failure.message, {cause: failure}))
    return []
  }
}

const inHalves = (part: Part): [Part, Part] => [part.slice(0, part.length >> 1), part.slice(part.length >> 1)]

const pick = <T>(items: readonly T[], indexes: readonly number[]): T[] => indexes.map((index) => items[index]!)

/** "0-16,18-4999": two parts with one token would be one part to a server that deduplicates by token. */
function ranges(part: Part): string {
  const starts = part.filter((row, index) => part[index - 1] !== row - 1)
  const ends = part.filter((row, index) => part[index + 1] !== row + 1)
  return starts.map((start, index) => `${start}-${ends[index]}`).join(',')
}

function repeatedKeys<R>(rows: readonly R[], sink: Sink<R>): Part {
  if (!sink.key) return []
  const groups = Map.groupBy(rows.keys(), (row) => sink.key!(rows[row]!))
  return [...groups.values()]
    .filter((group) => group.length > 1)
    .flat()
    .sort((a, b) => a - b)
}
