import type {Node, Pair, YAMLError} from 'yaml'
import type {ErrorDetails} from '../errors.ts'
import {UsageError} from '../errors.ts'
import {nearest} from '../format/nearest.ts'
import {readNamedFile} from './named-file.ts'

/** A key of a mapping and what it has. */
export interface Entry {
  readonly key: string
  readonly value: unknown
  /** The key itself, for its place. */
  readonly node: Node
}

/** A YAML file that can tell of everything where it stands. What is not as expected is a UsageError that begins with its place. */
export interface YamlFile {
  readonly top: unknown
  /** The keys of a mapping; none of nothing. */
  entries(node: unknown, expected: string): Iterable<Entry>
  /** The elements of a list; undefined for anything else. */
  elements(node: unknown): readonly unknown[] | undefined
  /** A value as it stands in the file: 0123 is no number to us. Undefined where there is none. */
  text(node: unknown, expected: string): string | undefined
  /** Those of a list, or of the one value. */
  texts(node: unknown, expected: string): readonly string[]
  /** `ucs.yaml:3:5`. */
  place(node: unknown): string
  fault(node: unknown, message: string, details?: ErrorDetails): UsageError
  /** Names the nearest of those that are known. */
  unknownKey(entry: Entry, known: Iterable<string>, what: string): UsageError
}

/** Rejects with UsageError for a file that is no YAML. `interpolate` says what `${NAME}` stands for. */
export async function openYamlFile(path: string, flag: string, interpolate: (name: string) => string | undefined): Promise<YamlFile> {
  const {isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument} = await import('yaml')
  const source = await readNamedFile(path, flag)
  const lines = new LineCounter()
  const document = parseDocument(source, {lineCounter: lines, uniqueKeys: true})
  const [broken] = document.errors
  if (broken) throw new UsageError(`${placeAt(broken.pos[0])}: ${explain(broken)}`)
  return {top: document.contents, entries, elements, text, texts, place, fault, unknownKey}

  function* entries(node: unknown, expected: string): Generator<Entry> {
    const mapping = resolved(node)
    if (isNothing(mapping)) return
    if (!isMap(mapping)) throw fault(node, `expected ${expected}`)
    for (const {key, value} of mapping.items as Pair<Node>[]) {
      yield {key: isScalar(key) ? String(key.value) : String(key), value, node: key}
    }
  }

  function elements(node: unknown): readonly unknown[] | undefined {
    const list = resolved(node)
    return isSeq(list) ? list.items : undefined
  }

  function text(node: unknown, expected: string): string | undefined {
    const item = resolved(node)
    if (isNothing(item)) return undefined
    if (!isScalar(item)) throw fault(node, `expected ${expected}`)
    const found = typeof item.value === 'string' ? interpolated(item.value, item) : (item.source ?? String(item.value))
    return found === '' ? undefined : found
  }

  function texts(node: unknown, expected: string): readonly string[] {
    return (elements(node) ?? [node]).flatMap((element) => text(element, expected) ?? [])
  }

  /** What an alias stands for; any other node as it is. */
  function resolved(node: unknown): unknown {
    if (!isAlias(node)) return node
    const target = node.resolve(document)
    if (!target) throw fault(node, `there is no anchor "${node.source}" above`)
    return target
  }

  function isNothing(node: unknown): boolean {
    return node === null || (isScalar(node) && node.value === null)
  }

  /** `${NAME}` and `${NAME:-otherwise}`. */
  function interpolated(value: string, node: Node): string {
    return value.replace(/\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}/g, (_, name: string, otherwise: string | undefined) => {
      const found = interpolate(name) || otherwise
      if (found === undefined) throw fault(node, `the variable ${name} is not set`, {suggestion: `Set it, or write \${${name}:-value}`})
      return found
    })
  }

  function unknownKey({key, node}: Entry, known: Iterable<string>, what: string): UsageError {
    const meant = nearest(key, known)
    return fault(node, `"${key}" is no ${what}${meant ? `; did you mean "${meant}"?` : ''}`)
  }

  function fault(node: unknown, message: string, details?: ErrorDetails): UsageError {
    return new UsageError(`${place(node)}: ${message}`, details)
  }

  /** The parser speaks to programmers in two of its messages. */
  function explain({code, message, pos}: YAMLError): string {
    if (code === 'DUPLICATE_KEY') return `"${/^[^:\s]*/.exec(source.slice(pos[0]))![0]}" stands here a second time`
    if (code === 'MULTIPLE_DOCS') return 'there is more than one document in this file'
    return message.split('\n', 1)[0]!.replace(/ at line .*$/, '')
  }

  function place(node: unknown): string {
    return placeAt((node as Node | null)?.range?.[0])
  }

  function placeAt(offset = 0): string {
    const {line, col} = lines.linePos(offset)
    return `${path}:${line}:${col}`
  }
}
