import {readdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {describe, expect, it} from 'vitest'
import {startUcs, temporaryFolder, ucs} from './cli.ts'

const TIME = '2026-01-01T00:00:00.000Z'
const EVENT = {Timestamp: '28/12/2015 10:00:00 AM', LIT101: 500}

/** A line of a dead letter file; its message is right, as after the fix of what was wrong. */
const letter = (offset: number, own: object = {}) =>
  JSON.stringify({
    time: TIME,
    command: 'kafka-to-influx',
    topic: 't',
    partition: 0,
    offset: String(offset),
    index: null,
    reason: {code: 'bad timestamp', message: 'no such day'},
    key: null,
    headers: {},
    value: JSON.stringify({...EVENT, LIT101: offset}),
    ...own,
  })

function folderWith(lines: readonly string[], name = 'letters.ndjson'): string {
  const cwd = temporaryFolder()
  writeFileSync(join(cwd, name), lines.map((line) => `${line}\n`).join(''))
  return cwd
}

const linesOf = (text: string) => text.split('\n').slice(0, -1)

describe('dead-letters list', () => {
  const list = (lines: readonly string[], ...args: readonly string[]) =>
    ucs(['dead-letters', 'list', 'letters.ndjson', ...args], {cwd: folderWith(lines)})

  it('prints each message once with --values, also when two of its rows were rejected', async () => {
    const [value, other] = ['[1,2]', '[3,4]']
    const lines = [letter(1, {index: 0, value}), letter(1, {index: 1, value}), letter(1, {index: 1, value}), letter(2, {value: other})]
    const {code, stdout} = await list(lines, '--values')
    expect({code, lines: linesOf(stdout)}).toEqual({code: 0, lines: [value, other]})
  })

  it('prints each message on one line with --values, and marks what is no text', async () => {
    const {stdout} = await list(
      [
        letter(1, {value: '{\n  "a": 1\n}'}),
        letter(2, {value: null}),
        letter(3, {value: undefined, valueBase64: '//4='}),
        letter(4, {value: 'x'}),
      ],
      '--values',
    )
    expect(linesOf(stdout)).toEqual(['{"a": 1}', '{"value":null}', '{"valueBase64":"//4="}', 'x'])
  })

  it('counts each row that was rejected, different messages of one place, and letters of different commands', async () => {
    const lines = [
      letter(1, {index: 0}),
      letter(1, {index: 1}),
      letter(1, {index: 1}),
      letter(1, {value: 'other'}),
      letter(1, {command: 'kafka-to-clickhouse'}),
    ]
    expect((await list(lines, '--json')).json()['letters']).toMatchObject({count: 4, repeated: 1, unreadable: 0})
  })

  it('writes either the messages or the one object to standard output', async () => {
    const {code, json} = await list([letter(1)], '--values', '--json')
    expect(code).toBe(2)
    expect(json().error).toMatchObject({code: 'USAGE', message: '--json and --values both write to standard output'})
  })
})

describe('dead-letters replay', () => {
  const replay = (cwd: string, ...args: readonly string[]) => ucs(['dead-letters', 'replay', ...args], {cwd})
  const valueOf = (line: string) => /LIT101=([\d.]+)/.exec(line)?.[1]

  it('takes the first command that reads messages, and leaves the letters of others', async () => {
    const lines = [letter(1, {command: 'produce', topic: 'a.csv'}), letter(2), letter(3, {command: 'kafka-to-clickhouse'})]
    const cwd = folderWith(lines)
    const {code, stdout} = await replay(cwd, 'letters.ndjson', '--dry-run')
    expect({code, values: linesOf(stdout).map(valueOf)}).toEqual({code: 0, values: ['2']})
    expect(linesOf(readFileSync(join(cwd, 'letters.ndjson'), 'utf8'))).toEqual(lines)
  })

  it('refuses a file that has letters of other commands only', async () => {
    const {code, stderr} = await replay(folderWith(['{', letter(1, {command: 'produce'})]), 'letters.ndjson', '--dry-run')
    expect(code).toBe(2)
    expect(stderr).toContain('letters.ndjson holds letters of produce, which reads no messages')
  })

  it.each([
    ['a flag before it has its name', ['--group', 'x', 'x', '--dry-run']],
    ['a flag after it has its name', ['x', '--dry-run', '--group', 'x']],
    ['the value of a flag before it is part of the word', ['--group=x', '--dry-run', 'x']],
    ['an alias before it has its name', ['--bootstrap', 'x', '--dry-run', 'x']],
  ])('finds the file where %s', async (_, args) => {
    const {code, stdout} = await replay(folderWith([letter(7)], 'x'), ...args)
    expect({code, values: linesOf(stdout).map(valueOf)}).toEqual({code: 0, values: ['7']})
  })

  it('finds the file after a flag that is switched off', async () => {
    const event = {device_id: 'd', ts: 1, co: 7, humidity: 1, light: 0, lpg: 1, motion: 0, smoke: 1, temp: 1}
    const cwd = folderWith([letter(7, {command: 'kafka-to-clickhouse', value: JSON.stringify(event)})], 'x')
    const {code, stdout} = await replay(cwd, '--no-create-table', '--dry-run', 'x')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({co: 7})
  })

  it('says where the file belongs when it cannot tell it from the value of a flag that it does not know', async () => {
    const {code, stderr} = await replay(folderWith([letter(7)], 'x'), '--grop', 'x', 'x')
    expect(code).toBe(2)
    expect(stderr).toContain('there is no flag --grop\n  try: Did you mean --group?')
    expect((await replay(folderWith([letter(7)], 'x'), '--stranger', 'x', 'x')).stderr).toContain('try: Name the file before the flags')
  })

  it('list exits 74 when its reader has enough, and says so', async () => {
    const cwd = folderWith(Array.from({length: 5000}, (_, offset) => letter(offset)))
    const {child, result} = startUcs(['dead-letters', 'list', 'letters.ndjson', '--values'], {cwd})
    child.stdout.once('data', () => child.stdout.destroy())
    const {code, stderr} = await result
    expect(code).toBe(74)
    expect(stderr).toMatch(/^error: standard output was closed before everything was written\n {2}try: /m)
  })

  it.each([
    ['list', 'none.ndjson', 'there is no file none.ndjson'],
    ['replay', 'none.ndjson', 'there is no file none.ndjson'],
    ['list', '.', '. is a folder and not a file'],
    ['replay', '.', '. is a folder and not a file'],
  ])('%s needs a file that is there, and %s is not', async (command, file, message) => {
    const cwd = temporaryFolder()
    const {code, stderr} = await ucs(['dead-letters', command, file], {cwd})
    expect(code).toBe(2)
    expect(stderr).toContain(`error: ${message}\n  try: `)
    expect(readdirSync(cwd)).toEqual([])
  })

  it('needs a file', async () => {
    const {code, stderr} = await replay(temporaryFolder(), '--dry-run')
    expect(code).toBe(2)
    expect(stderr).toContain('FILE is missing')
  })

  it.each([
    ['lines of an input', 'stdin', 2],
    ['messages of a broker', 'sensor_data', 0],
  ])('takes %s for exactly-once or refuses them, because each input begins at line 0', async (_, topic, exit) => {
    const cwd = folderWith([letter(1, {command: 'kafka-to-clickhouse', topic, value: null})])
    const {code, stderr} = await replay(cwd, 'letters.ndjson', '--delivery', 'exactly-once', '--dry-run')
    expect(code).toBe(exit)
    expect(readdirSync(cwd)).toEqual(['letters.ndjson'])
    if (exit === 2) expect(stderr).toContain('not lines of an input, as stdin/0/1 in letters.ndjson')
  })
})
