import {describe, expect, it} from 'vitest'
import {JsonFault, type JsonNode, parseJson} from '../../src/lib/format/json-places.ts'
import {seededRandom} from '../fakes/random.ts'

/** As JSON.parse would have it. */
function valueOf(node: JsonNode): unknown {
  if (node.kind === 'scalar') return node.value
  if (node.kind === 'list') return node.elements.map(valueOf)
  return Object.fromEntries(node.members.map(({key, node: value}) => [key, valueOf(value)]))
}

function faultIn(text: string): JsonFault | undefined {
  try {
    parseJson(text)
    return undefined
  } catch (error) {
    if (error instanceof JsonFault) return error
    throw error
  }
}

describe('a JSON text', () => {
  it('says where each value and each key begins', () => {
    const text = ' [1, {"a" : "b", "c":[null]}]'
    expect(parseJson(text)).toEqual({
      at: text.indexOf('['),
      kind: 'list',
      elements: [
        {at: text.indexOf('1'), kind: 'scalar', value: 1},
        {
          at: text.indexOf('{'),
          kind: 'object',
          members: [
            {key: 'a', at: text.indexOf('"a"'), node: {at: text.indexOf('"b"'), kind: 'scalar', value: 'b'}},
            {
              key: 'c',
              at: text.indexOf('"c"'),
              node: {at: text.indexOf('[null'), kind: 'list', elements: [{at: text.indexOf('null'), kind: 'scalar', value: null}]},
            },
          ],
        },
      ],
    })
  })

  it('keeps a key that stands there twice', () => {
    expect(parseJson('{"a":1,"a":2}')).toMatchObject({members: [{key: 'a'}, {key: 'a', at: 7}]})
  })

  it.each([
    'true',
    '-0.5e+3',
    '"\\u00fc \\ud83d\\ude00 \\/ \\\\ \\" \\b\\f\\n\\r\\t"',
    '"ü 日本 \u007f\u2028"',
    '[]',
    '[ ]',
    '{ }',
    '\r\n\t[1,\t2]\r\n',
    '{"":{"a":[{"b":[]}]}}',
    '{"__proto__":1}',
    '1e999',
  ])('has the value that JSON.parse finds: %s', (text) => {
    expect(JSON.stringify(valueOf(parseJson(text)))).toBe(JSON.stringify(JSON.parse(text)))
  })

  it('may be long', () => {
    const long = JSON.stringify(Array.from({length: 20_000}, (_, index) => ({name: `b${index}`, description: 'ü"\n'.repeat(10)})))
    expect(valueOf(parseJson(long))).toEqual(JSON.parse(long))
    expect(valueOf(parseJson(JSON.stringify('x\\'.repeat(200_000))))).toHaveLength(400_000)
  })
})

describe('a fault', () => {
  it.each<[text: string, at: number, message: string]>([
    ['', 0, 'expected a value, but the text ends here'],
    ['[', 1, 'expected a value, but the text ends here'],
    ['[1', 2, 'expected , or ], but the text ends here'],
    ['[1 2]', 3, 'expected , or ]'],
    ['[1,]', 3, 'expected a value'],
    ['[,1]', 1, 'expected a value'],
    ['[1}', 2, 'expected , or ]'],
    ['{"a":1,}', 7, 'expected a key in double quotes'],
    ['{a:1}', 1, 'expected a key in double quotes'],
    ["{'a':1}", 1, 'expected a key in double quotes'],
    ['{"a" 1}', 5, 'expected :'],
    ['{"a":1 "b":2}', 7, 'expected , or }'],
    ['{"a":', 5, 'expected a value, but the text ends here'],
    ['["a]', 1, 'the text that begins here has no end'],
    ['["a\n"]', 3, 'expected ", or an escape such as \\n or \\t'],
    ['["a\\q"]', 3, 'there is no such escape'],
    ['["a\\u12g4"]', 3, 'there is no such escape'],
    ['[01]', 1, 'expected a value'],
    ['[1.]', 1, 'expected a value'],
    ['[+1]', 1, 'expected a value'],
    ['[nul]', 1, 'expected a value'],
    ['[nulls]', 1, 'expected a value'],
    ['[True]', 1, 'expected a value'],
    ['[30d]', 1, 'expected a value'],
    ['// x\n[]', 0, 'expected a value'],
    ['[] []', 3, 'expected nothing more'],
    ['[\u00a01]', 1, 'expected a value'],
    ['['.repeat(200_000), 101, 'this is nested too deeply'],
  ])('in %j is told where it is', (text, at, message) => {
    expect(faultIn(text)).toMatchObject({at, message})
  })
})

it('takes what JSON.parse takes and nothing else, whatever the text', () => {
  const random = seededRandom(7)
  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!
  const pieces = [...'[]{},:"\\ \n\t01-.eE+u', '"a"', '"name"', 'null', 'true', '12', '\\u00fc', '\u0001', 'ü', '/']
  const seeds = ['[{"name":"a","retention":"30d"},{"name":"b"}]', '{"a":[1,-2.5e3,null,true],"b":{}}', '["\\n\\u00fc"]', '[]']
  let [taken, refused] = [0, 0]
  for (let round = 0; round < 20_000; round++) {
    let text = pick(seeds)
    for (let edits = Math.floor(random() * 4); edits > 0; edits--) {
      const at = Math.floor(random() * (text.length + 1))
      text = text.slice(0, at) + (random() < 0.6 ? pick(pieces) : '') + text.slice(at + (random() < 0.6 ? 1 : 0))
    }

    let expected: unknown
    try {
      expected = {value: JSON.parse(text) as unknown}
    } catch {}

    const fault = faultIn(text)
    if (expected) expect({value: fault ?? valueOf(parseJson(text))}, text).toEqual(expected)
    else expect(fault, text).toBeInstanceOf(JsonFault)
    if (expected) taken++
    else refused++
  }

  expect(Math.min(taken, refused)).toBeGreaterThan(2000)
})
