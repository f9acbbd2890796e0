import type {CommandSettings, Given} from './given.ts'
import type {Node, Pair, YAMLError} from 'yaml'
import {UsageError} from '../errors.ts'
import {nearest} from '../format/nearest.ts'
import {readNamedFile} from './named-file.ts'

export interface ConfigFileOptions {
  readonly command: string
  readonly commands: CommandSettings
  /** What `${NAME}` stands for. */
  interpolate(name: string): string | undefined
}

const DEFAULTS = 'defaults'
/** They say where values are read from, this file among it. */
const NOT_IN_HERE = ['config', 'env-file']

/**
 * Reads `defaults:` and one mapping a command, whose keys are flag names. All of the file is checked, whichever command runs:
 * each error says file:line:column, and a key that nobody knows the nearest one that somebody does.
 */
export async function readConfigFile(path: string, options: ConfigFileOptions): Promise<ReadonlyMap<string, Given>> {
  const {isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument} = await import('yaml')
  const text = await readNamedFile(path, '--config')
  const lines = new LineCounter()
  const document = parseDocument(text, {lineCounter: lines, uniqueKeys: true})
  const [fault] = document.errors
  if (fault) throw new UsageError(`${place(fault.pos[0])}: ${explain(fault)}`)

  const ours = options.commands.get(options.command)
  const everySetting = new Set([...options.commands.values()].flatMap((names) => [...names.keys()]))
  const [defaults, own] = [new Map<string, Given>(), new Map<string, Given>()]
  for (const [section, content, node] of entries(document.contents, 'a mapping of commands')) {
    const isDefaults = section === DEFAULTS
    const known = isDefaults ? everySetting : options.commands.get(section)
    if (!known) throw unknownKey(section, node, [DEFAULTS, ...options.commands.keys()], 'command')
    for (const [key, value, keyNode] of entries(content, 'a mapping of flags')) {
      if (NOT_IN_HERE.includes(key)) throw new UsageError(`${placeOf(keyNode)}: "${key}" cannot be set in a config file`)
      if (!known.has(key)) throw unknownKey(key, keyNode, known.keys(), isDefaults ? 'flag' : `flag of ${section}`)
      const given = toGiven(value, keyNode)
      const name = ours?.get(key)
      if (name === undefined || given === undefined) continue
      if (isDefaults) defaults.set(name, given)
      else if (section === options.command) own.set(name, given)
    }
  }

  return new Map([...defaults, ...own])

  function* entries(node: unknown, expected: string): Generator<readonly [key: string, value: unknown, node: Node]> {
    const mapping = resolved(node)
    if (mapping === null || (isScalar(mapping) && mapping.value === null)) return
    if (!isMap(mapping)) throw new UsageError(`${placeOf(node as Node)}: expected ${expected}`)
    for (const {key, value} of mapping.items as Pair<Node>[]) yield [isScalar(key) ? String(key.value) : String(key), value, key]
  }

  function toGiven(value: unknown, keyNode: Node): Given | undefined {
    const list = resolved(value)
    const items = isSeq(list) ? list.items : [value]
    const texts = items.flatMap((element) => {
      const item = resolved(element)
      if (item === null || (isScalar(item) && item.value === null)) return []
      if (!isScalar(item)) throw new UsageError(`${placeOf(element as Node)}: expected a value or a list of values`)
      // As it stands in the file: 0123 is no number to us.
      const source = typeof item.value === 'string' ? interpolated(item.value, item) : (item.source ?? String(item.value))
      return source === '' ? [] : [source]
    })
    return texts.length > 0 ? {texts, origin: {kind: 'config file', name: placeOf(keyNode)}} : undefined
  }

  /** What an alias stands for; any other node as it is. */
  function resolved(node: unknown): unknown {
    if (!isAlias(node)) return node
    const target = node.resolve(document)
    if (!target) throw new UsageError(`${placeOf(node)}: there is no anchor "${node.source}" above`)
    return target
  }

  /** `${NAME}` and `${NAME:-otherwise}`. */
  function interpolated(value: string, node: Node): string {
    return value.replace(/\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}/g, (_, name: string, otherwise: string | undefined) => {
      const found = options.interpolate(name) || otherwise
      if (found === undefined)
        throw new UsageError(`${placeOf(node)}: the variable ${name} is not set`, {
          suggestion: `Set it, or write \${${name}:-value}`,
        })
      return found
    })
  }

  function unknownKey(key: string, node: Node, known: Iterable<string>, what: string): UsageError {
    const meant = nearest(key, known)
    return new UsageError(`${placeOf(node)}: "${key}" is no ${what}${meant ? `; did you mean "${meant}"?` : ''}`)
  }

  /** The parser speaks to programmers in two of its messages. */
  function explain({code, message, pos}: YAMLError): string {
    if (code === 'DUPLICATE_KEY') return `"${/^[^:\s]*/.exec(text.slice(pos[0]))![0]}" stands here a second time`
    if (code === 'MULTIPLE_DOCS') return 'there is more than one document in this file'
    return message.split('\n', 1)[0]!.replace(/ at line .*$/, '')
  }

  function placeOf(node: Node): string {
    return place(node.range?.[0])
  }

  function place(offset = 0): string {
    const {line, col} = lines.linePos(offset)
    return `${path}:${line}:${col}`
  }
}
