import {text as readAll} from 'node:stream/consumers'
import type {JsonMember, JsonNode} from '../format/json-places.ts'
import {IoError, UsageError} from '../errors.ts'
import {formatDuration, parseDuration} from '../format/duration.ts'
import {JsonFault, parseJson} from '../format/json-places.ts'
import {nearest} from '../format/nearest.ts'
import {readNamedFile} from './named-file.ts'
import {standardInput} from './standard-input.ts'

/** A bucket as somebody wants it. */
export interface WantedBucket {
  readonly name: string
  /** Undefined: whatever it has. */
  readonly description: string | undefined
  /** 0 is for ever. */
  readonly retentionSeconds: number
  /** Undefined: what the server chooses, or what it has. */
  readonly shardSeconds: number | undefined
}

export interface BucketFile {
  readonly buckets: readonly WantedBucket[]
  /** Sentences about names that are allowed and easily mistaken, each with its place. */
  readonly notices: readonly string[]
}

interface Remark {
  readonly at: number
  readonly sentence: string
}

const KEYS = ['name', 'description', 'retention', 'shardDuration']
const HOUR_SECONDS = 3600
/** The server counts nanoseconds in 64 bits. */
const MAX_SECONDS = Math.floor(2 ** 63 / 1e9)
const LIMITS = {
  retention: 'a bucket keeps its data for at least 1h and at most 106751d, or for ever with 0',
  shardDuration: 'a shard lasts at least 1h and at most 106751d; 0 leaves it to the server',
}
/** More than these tell nothing new. */
const MAX_FAULTS = 20

/** Reads `[{"name": "Water", "description": "…", "retention": "30d", "shardDuration": "1d"}, …]`; the path "-" is standard input. */
export async function readBucketFile(path: string): Promise<BucketFile> {
  return path === '-' ? parseBucketFile(await readInput(), 'stdin') : parseBucketFile(await readNamedFile(path, 'the argument FILE'), path)
}

async function readInput(): Promise<string> {
  return readAll(standardInput()).catch((cause: Error) => {
    throw new IoError(`reading stdin failed: ${cause.message}`, {cause})
  })
}

/** The whole text is checked. Throws a UsageError that tells every fault, each with file:line:column. */
export function parseBucketFile(text: string, path: string): BucketFile {
  const source = text.replace(/^\uFEFF/, '')
  const [faults, notices]: [Remark[], Remark[]] = [[], []]
  const places = {exact: new Map<string, number>(), trimmed: new Map<string, number>()}
  const buckets = bucketsOf(parse())
  if (faults.length > 0) throw new UsageError(sentences(faults, MAX_FAULTS).join('\n'), {suggestion: 'Mend the file; nothing was done'})
  return {buckets, notices: sentences(notices)}

  function parse(): JsonNode | undefined {
    const broken = source.indexOf('\uFFFD') // what the decoder puts in the place of anything else
    if (broken >= 0) return tell({at: broken}, 'this is not UTF-8: save the file in that encoding')
    try {
      return parseJson(source)
    } catch (error) {
      if (error instanceof JsonFault) return tell(error, error.message)
      throw error
    }
  }

  function bucketsOf(top: JsonNode | undefined): readonly WantedBucket[] {
    if (top && top.kind !== 'list') tell(top, 'expected a list of buckets: [{"name": …}, …]')
    return top?.kind === 'list' ? top.elements.flatMap((element) => bucketOf(element) ?? []) : []
  }

  function bucketOf(element: JsonNode): WantedBucket | undefined {
    if (element.kind !== 'object') return tell(element, 'expected a bucket: {"name": …}')
    const nodes = nodesOf(element.members)
    const name = nameOf(element, nodes.get('name'))
    const description = textOf(nodes.get('description'))
    const retentionSeconds = secondsOf(nodes, 'retention') ?? 0
    const shardSeconds = secondsOf(nodes, 'shardDuration') || undefined
    if (shardSeconds !== undefined && retentionSeconds > 0 && shardSeconds > retentionSeconds)
      tell(nodes.get('shardDuration')!, `a shard of ${shown(shardSeconds)} is longer than the data is kept, ${shown(retentionSeconds)}`)
    return name === undefined ? undefined : {name, description, retentionSeconds, shardSeconds}
  }

  /** By key; null is the same as nothing. */
  function nodesOf(members: readonly JsonMember[]): ReadonlyMap<string, JsonNode> {
    const known = members.filter((member) => isKnown(member))
    for (const [index, member] of known.entries()) {
      if (known.findIndex(({key}) => key === member.key) < index) tell(member, `${JSON.stringify(member.key)} stands here a second time`)
    }

    return new Map(known.flatMap(({key, node}) => (node.kind === 'scalar' && node.value === null ? [] : [[key, node]])))
  }

  function isKnown(member: JsonMember): boolean {
    if (KEYS.includes(member.key)) return true
    const meant = nearest(member.key, KEYS)
    tell(member, `${JSON.stringify(member.key)} is no key of a bucket${meant ? `; did you mean "${meant}"?` : ''}`)
    return false
  }

  function nameOf(bucket: JsonNode, node: JsonNode | undefined): string | undefined {
    if (!node) return tell(bucket, 'this bucket has no "name"')
    const name = textOf(node)
    if (name === undefined) return undefined
    if (name.trim() === '') return tell(node, 'the name is empty')
    if (name.startsWith('_')) return tell(node, 'no name can begin with "_": such buckets are the server\'s own')
    if (name.includes('"')) return tell(node, "no name can hold a '\"'")
    return isFirst(name, node) ? name : undefined
  }

  /** Names that are hard to tell apart are no fault, because the server tells them apart. */
  function isFirst(name: string, node: JsonNode): boolean {
    const quoted = JSON.stringify(name)
    const [same, alike] = [places.exact.get(name), places.trimmed.get(name.trim())]
    if (same !== undefined) tell(node, `the bucket ${quoted} stands here a second time, first in line ${lineOf(same)}`)
    else if (alike !== undefined) note(node, `the name ${quoted} differs from the one in line ${lineOf(alike)} by white space alone`)
    else if (name !== name.trim()) note(node, `the name ${quoted} has white space around it`)
    if (/^[\da-f]{16}$/.test(name)) note(node, `the name ${quoted} looks like the id of a bucket, for which a server may take it`)
    places.exact.set(name, node.at)
    places.trimmed.set(name.trim(), node.at)
    return same === undefined
  }

  function textOf(node: JsonNode | undefined): string | undefined {
    if (!node) return undefined
    return node.kind === 'scalar' && typeof node.value === 'string' ? node.value : tell(node, 'expected a text in quotes')
  }

  function secondsOf(nodes: ReadonlyMap<string, JsonNode>, key: keyof typeof LIMITS): number | undefined {
    const node = nodes.get(key)
    if (!node) return undefined
    const milliseconds = node.kind === 'scalar' && typeof node.value !== 'boolean' ? parseDuration(String(node.value).trim()) : undefined
    if (milliseconds === undefined) return tell(node, 'expected a duration in quotes, such as "12h" or "30d"')
    const seconds = Math.round(milliseconds) / 1000
    if (!Number.isInteger(seconds)) return tell(node, 'expected whole seconds')
    return seconds === 0 || (seconds >= HOUR_SECONDS && seconds <= MAX_SECONDS) ? seconds : tell(node, LIMITS[key])
  }

  function tell({at}: {readonly at: number}, sentence: string): undefined {
    faults.push({at, sentence})
  }

  function note({at}: JsonNode, sentence: string): void {
    notices.push({at, sentence})
  }

  /** In the order of the file. */
  function sentences(remarks: readonly Remark[], most = Infinity): readonly string[] {
    const told = remarks.toSorted((one, other) => one.at - other.at).slice(0, most)
    const more = remarks.length > most ? [`and ${remarks.length - most} more`] : []
    return [...told.map(({at, sentence}) => `${placeOf(at)}: ${sentence}`), ...more]
  }

  function placeOf(at: number): string {
    return `${path}:${lineOf(at)}:${at - source.slice(0, at).lastIndexOf('\n')}`
  }

  function lineOf(at: number): number {
    return source.slice(0, at).split('\n').length
  }
}

/** The text of a file that says all of these buckets. */
export function formatBucketFile(buckets: readonly WantedBucket[]): string {
  const entries = buckets.map(({name, description = '', retentionSeconds, shardSeconds = 0}) => ({
    name,
    description,
    ...(retentionSeconds > 0 ? {retention: shown(retentionSeconds)} : {}),
    ...(shardSeconds >= HOUR_SECONDS ? {shardDuration: shown(shardSeconds)} : {}),
  }))
  return `${JSON.stringify(entries, undefined, 2)}\n`.replaceAll('\uFFFD', '\\ufffd')
}

const shown = (seconds: number) => formatDuration(seconds * 1000)
