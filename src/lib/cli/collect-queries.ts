import type {FluxQuery} from '../format/flux-query.ts'
import type {QuerySettings} from '../runtime/collect-queries.ts'
import type {Named} from '../runtime/collect-source.ts'
import type {Given} from '../runtime/given.ts'
import {UcsError, UsageError} from '../errors.ts'
import {timeOfTemplate} from '../format/flux-query.ts'
import {readQueries} from '../runtime/collect-queries.ts'
import {openYamlFile} from '../runtime/yaml-file.ts'
import type {CollectValues} from './collect-flags.ts'
import {functionName} from './collect-flags.ts'
import {oneOf, someDuration} from './flag.ts'

export interface CollectQuery extends FluxQuery {
  readonly name: string
  readonly minutes: number
  readonly maxChunkMilliseconds: number
  asksFor(bucket: string): boolean
}

type QueryValues = Pick<CollectValues, 'queries-file' | 'mode' | 'every' | 'fn' | 'strings' | 'time-label' | 'keep-tags'>

const MINUTES = 5
const MINUTE_MILLISECONDS = 60_000
const DAY_MILLISECONDS = 86_400_000

const selecting = (name: string, parts: Partial<QuerySettings>): QuerySettings => ({
  name,
  template: undefined,
  minutes: undefined,
  buckets: [],
  measurements: [],
  excludedFields: [],
  mode: undefined,
  every: undefined,
  fn: undefined,
  strings: undefined,
  keptTags: undefined,
  ...parts,
})

/** The queries of the seeds by their names, and one for buckets that none of them is about. */
const SHIPPED: readonly QuerySettings[] = [
  selecting('system_metrics', {buckets: ['telegraf'], measurements: ['cpu', 'mem', 'disk', 'system']}),
  selecting('network_metrics', {buckets: ['telegraf'], measurements: ['net']}),
  selecting('power_monitoring', {buckets: ['power_monitoring'], excludedFields: ['chair_section']}),
  selecting('pod_monitoring', {buckets: ['pod_monitoring']}),
]
const SHIPPED_BUCKETS = new Set(SHIPPED.flatMap(({buckets}) => buckets))
const OTHERS = selecting('all_metrics', {})
const POINTS = selecting('points', {})

/** Those of the config file, of the queries file, or the ones that come with the program. */
export async function openQueries(
  values: QueryValues,
  given: ReadonlyMap<string, Given>,
  inConfig: readonly QuerySettings[] | undefined,
): Promise<readonly CollectQuery[]> {
  const found = inConfig ?? (await queriesOfFile(values['queries-file'], given.get('queries-file')?.origin.kind !== 'default'))
  if (found) return found.map((settings) => queryOf(shippedWhereEmpty(settings), values))
  if (values.mode === 'raw') return [queryOf(POINTS, values)]
  const others = {...queryOf(OTHERS, values), asksFor: (bucket: string) => !SHIPPED_BUCKETS.has(bucket)}
  return [...SHIPPED.map((settings) => queryOf(settings, values)), others]
}

async function queriesOfFile(path: string, isNamed: boolean): Promise<readonly QuerySettings[] | undefined> {
  const asItIs = (name: string) => `\${${name}}` // Flux puts values into its texts in the same way
  try {
    const file = await openYamlFile(path, '--queries-file', asItIs)
    for (const entry of file.entries(file.top, 'a mapping with the key queries')) {
      if (entry.key !== 'queries') throw file.unknownKey(entry, ['queries'], 'key of a queries.yaml')
      return readQueries(file, entry.value)
    }

    throw file.fault(file.top, 'there are no queries in this file')
  } catch (error) {
    if (!isNamed && error instanceof UsageError && isAbsent(error.cause)) return undefined
    throw error
  }
}

const isAbsent = (cause: unknown) => ['ENOENT', 'ENOTDIR'].includes((cause as NodeJS.ErrnoException | undefined)?.code ?? '')

/** A query that only has a name is the one that comes with the program, with what else it says. */
function shippedWhereEmpty(settings: QuerySettings): QuerySettings {
  const {name, template, measurements, excludedFields, buckets} = settings
  const shipped = SHIPPED.find((each) => each.name === name)
  const selects = template !== undefined || measurements.length > 0 || excludedFields.length > 0
  if (!shipped || selects) return settings
  return {
    ...settings,
    measurements: shipped.measurements,
    excludedFields: shipped.excludedFields,
    buckets: buckets.length > 0 ? buckets : shipped.buckets,
  }
}

function queryOf(settings: QuerySettings, values: QueryValues): CollectQuery {
  const {name, template, buckets, measurements, excludedFields} = settings
  const minutes = settings.minutes ?? MINUTES
  const everyMilliseconds = decoded(settings.every, someDuration) ?? values.every
  const time = template === undefined ? 'range' : timeOfTemplate(template)
  if (time !== 'range' && everyMilliseconds % MINUTE_MILLISECONDS !== 0)
    throw new UsageError(`the query ${name} asks for whole minutes, and its window has others`, {
      suggestion: 'Use {{ start }} and {{ stop }} in it',
    })
  const keptTags = settings.keptTags ?? (values['keep-tags'].length > 0 ? values['keep-tags'] : undefined)
  const patterns = buckets.map((bucket) => new RegExp(`^${bucket.split('*').map(literally).join('.*')}$`, 's'))
  return {
    name,
    template,
    measurements,
    excludedFields,
    mode: decoded(settings.mode, oneOf(['aggregated', 'raw'])) ?? values.mode,
    everyMilliseconds,
    fn: decoded(settings.fn, functionName) ?? values.fn,
    strings: decoded(settings.strings, oneOf(['last', 'skip', 'keep'])) ?? values.strings,
    timeLabel: values['time-label'],
    keptTags,
    minutes,
    // One that names no time asks for as much as it does, however much is missing.
    maxChunkMilliseconds: time === 'fixed' ? Math.max(minutes * MINUTE_MILLISECONDS, everyMilliseconds) : DAY_MILLISECONDS,
    asksFor: (bucket) => patterns.length === 0 || patterns.some((pattern) => pattern.test(bucket)),
  }
}

const literally = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)

function decoded<T>(named: Named | undefined, decode: (text: string) => T): T | undefined {
  if (!named) return undefined
  try {
    return decode(named.text)
  } catch (error) {
    if (error instanceof UcsError) throw new UsageError(`${named.origin}: ${error.message}`, {cause: error, suggestion: error.suggestion})
    throw error
  }
}
