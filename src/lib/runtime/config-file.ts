import {readFile} from 'node:fs/promises'
import type {Given} from './config.ts'
import type {Node, Pair} from 'yaml'
import {UsageError} from '../errors.ts'
import {nearest} from '../format/nearest.ts'

export interface ConfigFileOptions {
  readonly command: string
  /** The settings of every command, by the command's name. */
  readonly commands: ReadonlyMap<string, ReadonlySet<string>>
  /** What `${NAME}` stands for. */
  interpolate(name: string): string | undefined
}

const DEFAULTS = 'defaults'

/**
 * Reads `defaults:` and one mapping a command, whose keys are flag names. All of the file is checked, whichever command runs:
 * each error says file:line:column, and a key that nobody knows the nearest one that somebody does.
 */
export async function readConfigFile(path: string, options: ConfigFileOptions): Promise<ReadonlyMap<string, Given>> {
  const {isMap, isScalar, isSeq, LineCounter, parseDocument} = await import('yaml')
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new UsageError(cause.code === 'ENOENT' ? `there is no file ${path}` : `cannot read ${path}: ${cause.message}`, {
      cause,
      suggestion: 'Check --config',
    })
  })
  const lines = new LineCounter()
  const document = parseDocument(text, {lineCounter: lines, uniqueKeys: true})
  const [fault] = document.errors
  if (fault) throw new UsageError(`${place(fault.pos[0])}: ${fault.message.split('\n', 1)[0]!.replace(/ at line .*$/, '')}`)

  const values = new Map<string, Given>()
  const everySetting = new Set([...options.commands.values()].flatMap((names) => [...names]))
  for (const [section, content, node] of entries(document.contents, 'a mapping of commands')) {
    const isDefaults = section === DEFAULTS
    const known = isDefaults ? everySetting : options.commands.get(section)
    if (!known) throw unknownKey(section, node, [DEFAULTS, ...options.commands.keys()], 'command')
    for (const [key, value, keyNode] of entries(content, 'a mapping of flags')) {
      if (!known.has(key)) throw unknownKey(key, keyNode, known, isDefaults ? 'flag' : `flag of ${section}`)
      const isOurs = section === options.command || (isDefaults && options.commands.get(options.command)?.has(key))
      const given = toGiven(value, keyNode)
      if (isOurs && given && (!isDefaults || !values.has(key))) values.set(key, given)
    }
  }

  return values

  function* entries(node: unknown, expected: string): Generator<readonly [key: string, value: unknown, node: Node]> {
    if (node === null || (isScalar(node) && node.value === null)) return
    if (!isMap(node)) throw new UsageError(`${place((node as Node).range?.[0])}: expected ${expected}`)
    for (const {key, value} of node.items as Pair<Node>[]) yield [isScalar(key) ? String(key.value) : String(key), value, key]
  }

  function toGiven(value: unknown, keyNode: Node): Given | undefined {
    const items = isSeq(value) ? value.items : [value]
    const texts = items.flatMap((item) => {
      if (item === null || (isScalar(item) && item.value === null)) return []
      if (!isScalar(item)) throw new UsageError(`${place((item as Node).range?.[0])}: expected a value or a list of values`)
      // As it stands in the file: 0123 is no number to us.
      const source = typeof item.value === 'string' ? interpolated(item.value, item) : (item.source ?? String(item.value))
      return source === '' ? [] : [source]
    })
    return texts.length > 0 ? {texts, origin: {kind: 'config file', name: place(keyNode.range?.[0])}} : undefined
  }

  /** `${NAME}` and `${NAME:-otherwise}`. */
  function interpolated(value: string, node: Node): string {
    return value.replace(/\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}/g, (_, name: string, otherwise: string | undefined) => {
      const found = options.interpolate(name) || otherwise
      if (found === undefined)
        throw new UsageError(`${place(node.range?.[0])}: the variable ${name} is not set`, {
          suggestion: `Set it, or write \${${name}:-value}`,
        })
      return found
    })
  }

  function unknownKey(key: string, node: Node, known: Iterable<string>, what: string): UsageError {
    const meant = nearest(key, known)
    return new UsageError(`${place(node.range?.[0])}: "${key}" is no ${what}${meant ? `; did you mean "${meant}"?` : ''}`)
  }

  function place(offset = 0): string {
    const {line, col} = lines.linePos(offset)
    return `${path}:${line}:${col}`
  }
}
