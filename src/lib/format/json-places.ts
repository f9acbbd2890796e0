/** A value of a JSON text, and where it begins: an index into the text. */
export type JsonNode = {readonly at: number} & (
  | {readonly kind: 'scalar'; readonly value: string | number | boolean | null}
  | {readonly kind: 'list'; readonly elements: readonly JsonNode[]}
  | {readonly kind: 'object'; readonly members: readonly JsonMember[]}
)

export interface JsonMember {
  readonly key: string
  /** Where the key begins. */
  readonly at: number
  readonly node: JsonNode
}

/** The text is no JSON from here on. */
export class JsonFault extends Error {
  readonly at: number

  constructor(at: number, message: string) {
    super(message)
    this.at = at
  }
}

const LITERAL = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])|(?:true|false|null)(?!\w)/y
const SPACE = /[ \t\r\n]*/y
/** As far as a text is in order, from its first quote on. */
const TEXT = /"(?:[^"\\\u0000-\u001f]+|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*/y
const MAX_DEPTH = 100

/**
 * Takes exactly what JSON.parse takes. That one says of many faults not where they are, and of a value never where it stands; a YAML parser
 * takes more than JSON. Throws JsonFault.
 */
export function parseJson(text: string): JsonNode {
  let at = 0
  skip(SPACE)
  const node = parseValue(0)
  skip(SPACE)
  return at === text.length ? node : fail('expected nothing more')

  function parseValue(depth: number): JsonNode {
    const begin = at
    if (depth > MAX_DEPTH) fail('this is nested too deeply')
    switch (text[at]) {
      case '{':
        return {at: begin, kind: 'object', members: parseAll('}', () => parseMember(depth))}
      case '[':
        return {at: begin, kind: 'list', elements: parseAll(']', () => parseValue(depth + 1))}
      case '"':
        return {at: begin, kind: 'scalar', value: parseText()}
      default: {
        const literal = skip(LITERAL) ?? fail('expected a value')
        return {at: begin, kind: 'scalar', value: JSON.parse(literal) as number | boolean | null}
      }
    }
  }

  /** Elements or members, with commas between them. */
  function parseAll<T>(end: string, parseOne: () => T): readonly T[] {
    const found: T[] = []
    at++
    skip(SPACE)
    while (text[at] !== end) {
      if (found.length > 0) expect(',', `, or ${end}`)
      found.push(parseOne())
      skip(SPACE)
    }

    at++
    return found
  }

  function parseMember(depth: number): JsonMember {
    const begin = at
    if (text[at] !== '"') fail('expected a key in double quotes')
    const key = parseText()
    skip(SPACE)
    expect(':')
    return {key, at: begin, node: parseValue(depth + 1)}
  }

  function parseText(): string {
    const begin = at
    const soFar = skip(TEXT)!
    if (text[at] === '"') return JSON.parse(`${soFar}${text[at++]}`) as string
    if (at < text.length) fail(text[at] === '\\' ? 'there is no such escape' : 'expected ", or an escape such as \\n or \\t')
    at = begin
    return fail('the text that begins here has no end')
  }

  function expect(character: string, what = character): void {
    if (text[at] !== character) fail(`expected ${what}`)
    at++
    skip(SPACE)
  }

  /** What the pattern matches here; undefined where it does not. */
  function skip(pattern: RegExp): string | undefined {
    pattern.lastIndex = at
    const [found] = pattern.exec(text) ?? []
    at += found?.length ?? 0
    return found
  }

  function fail(message: string): never {
    throw new JsonFault(at, at < text.length ? message : `${message}, but the text ends here`)
  }
}
