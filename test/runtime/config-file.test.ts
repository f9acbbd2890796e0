import {writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {describe, expect, it} from 'vitest'
import {readConfigFile} from '../../src/lib/runtime/config-file.ts'
import {temporaryFolder} from '../commands/cli.ts'

const FLAGS: Readonly<Record<string, readonly string[]>> = {
  produce: ['rows', 'topic', 'broker', 'tag', 'config', 'env-file'],
  'kafka-to-influx': ['topic', 'broker', 'tag', 'timezone', 'batch-size'],
  'buckets create': ['update'],
}
const ALIASES: Readonly<Record<string, string>> = {bootstrap: 'broker', tz: 'timezone'}
const commands = new Map(
  Object.entries(FLAGS).map(([command, names]) => {
    const aliases = Object.entries(ALIASES).filter(([, name]) => names.includes(name))
    return [command, new Map([...names.map((name) => [name, name] as const), ...aliases])]
  }),
)

/** What `produce` finds in a file, by flag: texts and place. The path is shown as "ucs.yaml". */
async function read(
  text: string,
  {command = 'produce', variables = {}}: {command?: string; variables?: Readonly<Record<string, string>>} = {},
) {
  const path = join(temporaryFolder(), 'ucs.yaml')
  writeFileSync(path, text)
  const shortened = (longer: string) => longer.replaceAll(path, 'ucs.yaml')
  const found = await readConfigFile(path, {command, commands, interpolate: (name) => variables[name]}).catch((error: Error) => {
    throw Object.assign(error, {message: shortened(error.message)})
  })
  return Object.fromEntries([...found.values].map(([name, {texts, origin}]) => [name, [...texts, shortened(origin.name)]]))
}

const textsOf = async (value: string) => (await read(`produce:\n  topic: ${value}`))['topic']?.slice(0, -1)

describe('a value', () => {
  it.each<[yaml: string, texts: string[] | undefined]>([
    ['plain', ['plain']],
    ['two words', ['two words']],
    [`'single # quotes'`, ['single # quotes']],
    [`"double \\t quotes"`, ['double \t quotes']],
    ['12', ['12']],
    ['0123', ['0123']],
    ['0x10', ['0x10']],
    ['1e3', ['1e3']],
    ['1.50', ['1.50']],
    ['9007199254740993', ['9007199254740993']],
    ['true', ['true']],
    ['yes', ['yes']],
    ['Off', ['Off']],
    ['2020-01-02', ['2020-01-02']],
    ['30s # a comment', ['30s']],
    ['http://host:8086/?a=b#c', ['http://host:8086/?a=b#c']],
    ['|-\n    one\n    two', ['one\ntwo']],
    ['[a, b]', ['a', 'b']],
    ['[a, null, "", b]', ['a', 'b']],
    ['\n    - a\n    - b', ['a', 'b']],
    ['', undefined],
    ['~', undefined],
    ['null', undefined],
    ['""', undefined],
    ['[]', undefined],
  ])('is text as it stands in the file: %s', async (yaml, texts) => {
    expect(await textsOf(yaml)).toEqual(texts)
  })

  it('may be an alias, in a list and for a whole mapping too', async () => {
    const text = 'defaults: &all\n  topic: &t one\n  tag: [*t, two]\nproduce: *all\n'
    expect(await read(text)).toEqual({topic: ['one', 'ucs.yaml:2:3'], tag: ['one', 'two', 'ucs.yaml:3:3']})
  })
})

describe('the sections', () => {
  it.each([
    [
      'defaults first',
      'defaults:\n  topic: a\n  broker: b\nproduce:\n  topic: c\n',
      {topic: ['c', 'ucs.yaml:5:3'], broker: ['b', 'ucs.yaml:3:3']},
    ],
    [
      'defaults last',
      'produce:\n  topic: c\ndefaults:\n  topic: a\n  broker: b\n',
      {topic: ['c', 'ucs.yaml:2:3'], broker: ['b', 'ucs.yaml:5:3']},
    ],
    ['an empty value in its own', 'defaults:\n  topic: a\nproduce:\n  topic:\n', {topic: ['a', 'ucs.yaml:2:3']}],
    ['an alias in its own', 'defaults:\n  broker: a\nproduce:\n  bootstrap: b\n', {broker: ['b', 'ucs.yaml:4:3']}],
    ['an alias in defaults', 'produce:\n  broker: b\ndefaults:\n  bootstrap: a\n', {broker: ['b', 'ucs.yaml:2:3']}],
    ['flags that others have', 'defaults:\n  batch-size: 7\n  tz: UTC\n  topic: a\n', {topic: ['a', 'ucs.yaml:4:3']}],
    ['sections of others', 'kafka-to-influx:\n  topic: a\nbuckets create:\n  update: true\n', {}],
  ])("a command's own is stronger than defaults: %s", async (_, text, values) => {
    expect(await read(text)).toEqual(values)
  })

  it.each(['', '\n', '# nothing but a comment\n', '---\n', 'null', '\uFEFF', 'produce:\n', 'produce:\ndefaults:\n', 'defaults: {}'])(
    'may be empty: %j',
    async (text) => {
      expect(await read(text)).toEqual({})
    },
  )

  it('may have line breaks of Windows', async () => {
    expect(await read('produce:\r\n  topic: a\r\n  rows: 3\r\n')).toEqual({topic: ['a', 'ucs.yaml:2:3'], rows: ['3', 'ucs.yaml:3:3']})
  })

  it('of a command of two words has its name as a key', async () => {
    expect(await read('buckets create:\n  update: yes\n', {command: 'buckets create'})).toEqual({update: ['yes', 'ucs.yaml:2:3']})
  })
})

describe('${NAME}', () => {
  const variables = {HOST: 'kafka', PORT: '9092', EMPTY: '', _a1: 'x', DOLLAR: '$&${HOST}'}
  it.each([
    ['${HOST}', 'kafka'],
    ['${HOST}:${PORT}', 'kafka:9092'],
    ['"${HOST}:${PORT}"', 'kafka:9092'],
    ['${_a1}', 'x'],
    ['${NONE:-other}', 'other'],
    ['${EMPTY:-other}', 'other'],
    ['${HOST:-other}', 'kafka'],
    ['${NONE:-a b:c}', 'a b:c'],
    ['x${NONE:-}y', 'xy'],
    ['${DOLLAR}', '$&${HOST}'],
    ['$HOST', '$HOST'],
    ['${1X}', '${1X}'],
    ['$$', '$$'],
  ])('%s is %s', async (yaml, text) => {
    expect((await read(`produce:\n  topic: ${yaml}`, {variables}))['topic']).toEqual([text, 'ucs.yaml:2:3'])
  })

  it('stands in the elements of a list too', async () => {
    expect((await read('produce:\n  tag: [a, "${HOST}"]', {variables}))['tag']).toEqual(['a', 'kafka', 'ucs.yaml:2:3'])
  })

  it('that becomes empty leaves the setting unset', async () => {
    expect(await read('produce:\n  topic: ${NONE:-}')).toEqual({})
  })

  it.each([
    ['produce:\n  topic: ${NONE}', 'ucs.yaml:2:10: the variable NONE is not set'],
    ['produce:\n  topic: a${EMPTY}b', 'ucs.yaml:2:10: the variable EMPTY is not set'],
    ['produce:\n  tag:\n    - a\n    - ${NONE}', 'ucs.yaml:4:7: the variable NONE is not set'],
    ['kafka-to-influx:\n  topic: ${NONE}', 'ucs.yaml:2:10: the variable NONE is not set'],
  ])('that is not set is an error, also for another command: %j', async (text, message) => {
    const suggestion = expect.stringMatching(/^Set it, or write \$\{\w+:-value\}$/) as string
    await expect(read(text, {variables})).rejects.toMatchObject({code: 'USAGE', message, suggestion})
  })
})

describe('an error', () => {
  it.each([
    ['an unknown command', 'produce:\nprodcue:\n', '2:1: "prodcue" is no command; did you mean "produce"?'],
    ['an unknown command near none', 'x-y-z:\n', '1:1: "x-y-z" is no command'],
    ['a flag at the top', 'topic: a\n', '1:1: "topic" is no command'],
    ['an unknown flag', 'produce:\n  topik: a\n', '2:3: "topik" is no flag of produce; did you mean "topic"?'],
    ['a flag of another command', 'produce:\n  batch-size: 1\n', '2:3: "batch-size" is no flag of produce'],
    [
      'an unknown flag of another command',
      'kafka-to-influx:\n  topik: a\n',
      '2:3: "topik" is no flag of kafka-to-influx; did you mean "topic"?',
    ],
    ['a flag that no command has', 'defaults:\n  bach-size: 1\n', '2:3: "bach-size" is no flag; did you mean "batch-size"?'],
    ['the name of a variable', 'produce:\n  KAFKA_TOPIC: a\n', '2:3: "KAFKA_TOPIC" is no flag of produce'],
    ['a config file in a config file', 'defaults:\n  config: b.yaml\n', '2:3: "config" cannot be set in a config file'],
    ['an env file in a config file', 'produce:\n  env-file: b.env\n', '2:3: "env-file" cannot be set in a config file'],
    ['a flag twice', 'produce:\n  topic: a\n  topic: b\n', '3:3: "topic" stands here a second time'],
    ['a command twice', 'produce:\n  topic: a\nproduce:\n  rows: 1\n', '3:1: "produce" stands here a second time'],
    ['a list at the top', '- produce\n', '1:1: expected a mapping of commands'],
    ['a text at the top', 'produce\n', '1:1: expected a mapping of commands'],
    ['a text for a command', 'produce: a\n', '1:10: expected a mapping of flags'],
    ['a list for a command', 'produce:\n  - topic\n', '2:3: expected a mapping of flags'],
    ['an alias of a text for a command', 'defaults:\n  topic: &a x\nproduce: *a\n', '3:10: expected a mapping of flags'],
    ['a mapping for a flag', 'produce:\n  topic:\n    a: b\n', '3:5: expected a value or a list of values'],
    ['a list in a list', 'produce:\n  tag: [a, [b]]\n', '2:12: expected a value or a list of values'],
    ['an alias without an anchor', 'produce:\n  topic: *none\n', '2:10: there is no anchor "none" above'],
    ['an alias of what it stands in', 'produce:\n  tag: &a [*a]\n', '2:12: expected a value or a list of values'],
    ['two documents', 'produce:\n---\nproduce:\n', '2:1: there is more than one document in this file'],
    ['a tab', 'produce:\n\ttopic: a\n', '2:1: Tabs are not allowed as indentation'],
    [
      'a mapping that is not closed',
      'produce: {topic: a\n',
      '2:1: Flow map in block collection must be sufficiently indented and end with a }',
    ],
    ['a quote that is not closed', 'produce:\n  topic: "a\n', '3:1: Missing closing "quote'],
  ])('says where it is: %s', async (_, text, message) => {
    await expect(read(text)).rejects.toMatchObject({code: 'USAGE', exitCode: 2, message: `ucs.yaml:${message}`})
  })

  it('names a file that is not there', async () => {
    const options = {command: 'produce', commands, interpolate: () => undefined}
    await expect(readConfigFile('none.yaml', options)).rejects.toMatchObject({code: 'USAGE', message: 'there is no file none.yaml'})
  })
})
