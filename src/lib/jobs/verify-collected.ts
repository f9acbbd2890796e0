import type {InfluxQueryClient} from '../clients/influx-query.ts'
import type {Limit} from '../core/limit.ts'
import type {Transform} from '../core/types.ts'
import type {FluxPoint} from '../format/flux-point.ts'
import type {FluxRequest, TimeRange} from '../format/flux-query.ts'
import type {Line} from '../format/line-protocol.ts'
import {DataError} from '../errors.ts'
import {fluxString, fluxTime} from '../format/flux-query.ts'
import {fluxValueOf} from '../format/flux-value.ts'
import {fieldId} from '../transforms/relabel.ts'

/** What is compared: the answer of a source, and what the central server has of it. */
export interface VerifiedPart {
  readonly client: InfluxQueryClient
  readonly queries: Limit
  /** Of the central server. */
  readonly target: string
  readonly range: TimeRange
  /** The longest time that one query asks for. */
  readonly chunkMilliseconds: number
  /** Its points have times from the first moment of the range on, and never that of its end. */
  readonly isLabelledByStart: boolean
  request(range: TimeRange): FluxRequest
  readonly transform: Transform<FluxPoint, Line>
  /** As `fieldId` names it. */
  fieldOf(point: FluxPoint): string
}

/** Points of one field of one series. */
export interface Counted {
  /** In the words of line protocol. */
  readonly field: string
  readonly source: number
  readonly central: number
}

/** Counts the points of each field that the source has, on both sides. What else the central server has is not looked at. */
export async function verifyCollected(
  part: VerifiedPart,
  central: {readonly client: InfluxQueryClient; readonly queries: Limit},
  signal: AbortSignal,
): Promise<readonly Counted[]> {
  const {found, measurements, withFirst} = await part.queries(() => countSource(part, signal), signal)
  if (found.size === 0) return []
  const count = (label: Label) => central.queries(() => countCentral(part, {measurements, label}, central.client, signal), signal)
  const [byStart, byStop] = await Promise.all([count('start'), count('stop')])
  return [...found].map(([field, times]) => {
    // No window that is known by its end ends with the first moment.
    const stored = part.isLabelledByStart || withFirst.has(field) ? byStart : byStop
    return {field, source: times.size, central: stored.get(field) ?? 0}
  })
}

/** Which of its two ends belongs to a range. */
type Label = 'start' | 'stop'

interface SourceCounts {
  /** Distinct times, by field. */
  readonly found: ReadonlyMap<string, ReadonlySet<number>>
  readonly measurements: ReadonlySet<string>
  /** Fields that have a point at the first moment. */
  readonly withFirst: ReadonlySet<string>
}

async function countSource(part: VerifiedPart, signal: AbortSignal): Promise<SourceCounts> {
  const {range, chunkMilliseconds, client} = part
  const found = new Map<string, Set<number>>()
  const measurements = new Set<string>()
  const first = BigInt(range.start) * 1_000_000n
  const withFirst = new Set<string>()
  for (let start = range.start; start < range.stop; start += chunkMilliseconds) {
    const stop = Math.min(start + chunkMilliseconds, range.stop)
    for await (const {table, rows} of client.query({...part.request({start, stop}), signal})) {
      const [measurement, time] = ['_measurement', '_time'].map((name) => table.columns.findIndex((column) => column.name === name))
      for (const row of rows) {
        const point = {table, cell: (column: number) => row[column]!}
        const key = keyOf(point, part)
        if (key === undefined) continue
        const field = part.fieldOf(point)
        if (!found.has(field)) found.set(field, new Set())
        found.get(field)!.add(key)
        measurements.add(row[measurement!]!)
        if (fluxValueOf(row[time!]!, 'dateTime') === first) withFirst.add(field)
      }
    }
  }

  return {found, measurements, withFirst}
}

const NOWHERE = {partition: '', offset: 0n}

/** Of series, field and time; undefined for what is not stored. */
function keyOf(point: FluxPoint, {transform}: VerifiedPart): number | undefined {
  try {
    const outcome = transform(point, NOWHERE)
    const [line] = 'rows' in outcome ? outcome.rows : []
    return line instanceof DataError ? undefined : line?.key
  } catch (error) {
    if (error instanceof DataError) return undefined
    throw error
  }
}

async function countCentral(
  {target, range: {start, stop}}: VerifiedPart,
  {measurements, label}: {measurements: ReadonlySet<string>; label: Label},
  client: InfluxQueryClient,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const after = label === 'stop' ? '.000000001Z' : '.000Z' // windows that are known by their ends: without the first moment, with the last
  const ends = [start, stop].map((moment) => fluxTime(moment).replace(/\.000Z$/, after))
  const conditions = [...measurements].map((name) => `r._measurement == ${fluxString(name)}`)
  const flux = `from(bucket: ${fluxString(target)})
  |> range(start: ${ends[0]!}, stop: ${ends[1]!})
  |> filter(fn: (r) => ${conditions.join(' or ')})
  |> count()
  |> drop(columns: ["_start", "_stop"])`
  const counts = new Map<string, number>()
  for await (const {table, rows} of client.query({flux, signal})) {
    for (const row of rows) {
      const cells = new Map(table.columns.map(({name}, column) => [name, row[column]!]))
      const tags = [...cells].filter(([name]) => !['_measurement', '_field', '_value'].includes(name))
      const field = fieldId(cells.get('_measurement')!, tags, cells.get('_field')!)
      counts.set(field, (counts.get(field) ?? 0) + Number(cells.get('_value'))) // a field that changed its type has a table for each
    }
  }

  return counts
}
