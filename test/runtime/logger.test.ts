import {describe, expect, it} from 'vitest'
import type {LoggerOptions} from '../../src/lib/runtime/logger.ts'
import {redactor} from '../../src/lib/format/redact.ts'
import {LOG_LEVELS} from '../../src/lib/runtime/log-level.ts'
import {createLogger} from '../../src/lib/runtime/logger.ts'

const NOW = Date.UTC(2020, 6, 12, 0, 1, 34, 386)

/** A logger and the lines that it wrote. */
function logger(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = []
  const log = createLogger({
    level: 'info',
    format: 'pretty',
    outputs: [(line) => lines.push(line)],
    redact: (text) => text,
    now: () => NOW,
    ...options,
  })
  return {log, lines}
}

describe.each(['pretty', 'json'] as const)('the log as %s', (format) => {
  it.each(LOG_LEVELS.map((level, index) => [level, LOG_LEVELS.slice(index)] as const))('at %s has %j', (level, shown) => {
    const {log, lines} = logger({format, level})
    for (const own of LOG_LEVELS) log[own](`event.${own}`)
    expect(lines.map((line) => /event\.(\w+)/.exec(line)![1])).toEqual(shown)
  })

  it('goes to every output, a line each', () => {
    const more: string[] = []
    const lines: string[] = []
    const {log} = logger({format, outputs: [(line) => lines.push(line), (line) => more.push(line)]})
    log.info('one', {a: 1})
    log.info('two')
    expect(lines).toHaveLength(2)
    for (const line of lines) expect(line).toMatch(/^[^\n]+\n$/)
    expect(more).toEqual(lines)
  })

  it('shows no secret, wherever it stands', () => {
    const {log, lines} = logger({format, redact: (text) => text.replaceAll('S3cret', '***')})
    log.warn('event.S3cret', {message: 'a S3cret', S3cret: 1, nested: {list: ['S3cret']}})
    expect(lines[0]).not.toContain('S3cret')
    expect(lines[0]!.match(/\*\*\*/g)).toHaveLength(4)
  })

  it('keeps a line a line, whatever the data holds', () => {
    const {log, lines} = logger({format})
    log.warn('event', {message: 'one\ntwo\r\u001b[31mred', value: 'a\nb\u001b[2J', nested: {key: 'c\nd'}})
    expect(lines).toHaveLength(1)
    expect(lines[0]!.slice(0, -1)).not.toMatch(/[\u0000-\u001f]/)
  })

  it('takes integers of any size', () => {
    const {log, lines} = logger({format})
    log.info('event', {offset: 2n ** 64n, nested: {offset: 2n ** 64n}})
    expect(lines[0]!.match(/18446744073709551616/g)).toHaveLength(2)
  })
})

describe('a pretty line', () => {
  it.each<[fields: Readonly<Record<string, unknown>> | undefined, line: string]>([
    [undefined, 'event'],
    [{}, 'event'],
    [{count: 3, ratio: 0.5, on: true, none: null}, 'event count=3 ratio=0.5 on=true none=null'],
    [{host: 'kafka:9092', path: './a/b-c.txt', user: 'a@b'}, 'event host=kafka:9092 path=./a/b-c.txt user=a@b'],
    [{reason: 'not a number'}, 'event reason="not a number"'],
    [{reason: 'say "no"'}, 'event reason="say \\"no\\""'],
    [{empty: ''}, 'event empty=""'],
    [{missing: undefined, count: 1}, 'event count=1'],
    [{list: [1, 2]}, 'event list="[1,2]"'],
    [{message: 'a sentence, as it is', count: 3}, 'event: a sentence, as it is count=3'],
    [{count: 3, message: 'first'}, 'event: first count=3'],
    [{message: 'one\ntwo'}, 'event: one\\ntwo'],
    [{message: '\u001b[2J'}, 'event: \\u001b[2J'],
    [{message: {a: 1}}, 'event: {"a":1}'],
  ])('of %j is easy to read and to grep', (fields, line) => {
    const {log, lines} = logger()
    log.info('event', fields)
    expect(lines).toEqual([`info  ${line}\n`])
  })

  it('begins with its level, in columns, styled where people look', () => {
    const {log, lines} = logger({level: 'debug', paint: (level, text) => `<${level}>${text}</>`})
    for (const level of LOG_LEVELS) log[level]('event')
    expect(lines).toEqual(['<debug>debug</> event\n', '<info>info </> event\n', '<warn>warn </> event\n', '<error>error</> event\n'])
  })
})

describe('a JSON line', () => {
  it('stays JSON although a secret looks like a number', () => {
    const {log, lines} = logger({format: 'json', redact: redactor(['1234', 'true'])})
    log.info('event', {count: 1234, on: true, text: 'is 1234'})
    expect(JSON.parse(lines[0]!)).toMatchObject({count: 1234, on: true, text: 'is ***'})
  })

  it('has level, time, event and the fields', () => {
    const {log, lines} = logger({format: 'json'})
    log.warn('kafka.offset_gap', {partition: 'topic/0', lost: 3, missing: undefined})
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      {level: 'warn', time: '2020-07-12T00:01:34.386Z', event: 'kafka.offset_gap', partition: 'topic/0', lost: 3},
    ])
  })
})
