import {readdirSync, readFileSync, statSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {describe, expect, it} from 'vitest'
import type {CliOptions} from './cli.ts'
import {temporaryFolder, ucs} from './cli.ts'

const HEADER = '"ts","device","co","humidity","light","lpg","motion","smoke","temp"'
const ROW = '"1","00:0f:00:70:91:0a","0.0031","76.0","false","0.0052","false","0.0136","19.7"'

/** Events of a run that warns: there is no broker. */
async function produce(args: readonly string[], {rows = [ROW], env = {}}: CliOptions & {readonly rows?: readonly string[]} = {}) {
  const cwd = temporaryFolder()
  writeFileSync(join(cwd, 'a.csv'), [HEADER, ...rows, ''].join('\n'))
  const result = await ucs(['produce', '--file', 'a.csv', '--pause', '0', '--broker', '127.0.0.1:1', ...args], {cwd, env})
  const logged = (name = 'ucs.log') => eventsIn(readFileSync(join(cwd, name), 'utf8'))
  return {...result, cwd, logged}
}

const eventsIn = (text: string) =>
  text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)

describe('the log', () => {
  it('is JSON where nobody looks, and last words are sentences', async () => {
    const {stderr} = await produce([])
    expect(eventsIn(stderr)).toMatchObject([{level: 'warn', event: 'kafka.unavailable'}])
    expect(stderr).toMatch(/^produce: read 1 written 0 printed 1 in /m)
  })

  it('has the last words as events where JSON was chosen', async () => {
    const {stderr} = await produce(['--log-format', 'json'], {rows: [ROW, 'x']})
    expect(eventsIn(stderr)).toMatchObject([
      {level: 'warn', event: 'kafka.unavailable'},
      {level: 'warn', event: 'record.rejected', reason: 'ragged row'},
      {level: 'info', event: 'summary', message: expect.stringContaining('rejected 1 (ragged row 1)') as string},
      {level: 'error', event: 'error', code: 'PARTIAL', message: expect.stringContaining('1 of 2 records were rejected') as string},
    ])
    expect(stderr.trim().split('\n')).toHaveLength(4)
  })

  it('is for people where that was chosen, and a warning begins with warn', async () => {
    const {stderr} = await produce(['--log-format', 'pretty'])
    expect(stderr).toMatch(
      /^warn {2}kafka\.unavailable: Kafka unavailable \(NoBrokersAvailable\)\. Running in dry-run; events printed only\. reason=/,
    )
    expect(stderr).not.toContain('\u001b')
  })

  it.each<[env: Record<string, string>, args: string[], levels: string[]]>([
    [{LOG_LEVEL: 'DEBUG'}, [], ['debug', 'warn']],
    [{LOG_LEVEL: 'WARNING'}, [], ['warn']],
    [{LOG_LEVEL: 'CRITICAL'}, [], []],
    [{LOG_LEVEL: 'DEBUG', UCS_LOG_LEVEL: 'error'}, [], []],
    [{LOG_LEVEL: 'DEBUG', UCS_LOG_LEVEL: 'error', UCS_PRODUCE_LOG_LEVEL: 'warn'}, [], ['warn']],
    [{LOG_LEVEL: 'DEBUG'}, ['--log-level', 'critical'], []],
    [{}, ['--quiet'], ['warn']],
    [{}, ['--quiet', '--log-level', 'debug'], ['debug', 'warn']],
  ])('has the level of the seeds: %j %j', async (env, args, levels) => {
    const {code, stderr} = await produce(args, {env})
    expect(code).toBe(0)
    expect([...new Set(eventsIn(stderr).map(({level}) => level))].sort()).toEqual(levels)
  })

  it('names a variable that overrides a key of the config file, once, unless it is to be quiet', async () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'ucs.yaml'), 'produce:\n  topic: filed\n')
    const args = ['produce', '--config', 'ucs.yaml', '--file', 'none.csv']
    const {stderr} = await ucs(args, {cwd, env: {KAFKA_TOPIC: 'set'}})
    expect(eventsIn(stderr)).toMatchObject([
      {level: 'info', event: 'config.overridden', message: 'KAFKA_TOPIC overrides ucs.yaml:2:3 (topic)'},
    ])
    expect(eventsIn((await ucs([...args, '--quiet'], {cwd, env: {KAFKA_TOPIC: 'set'}})).stderr)).toEqual([])
  })

  it.each<[args: string[], env: Record<string, string>, message: string]>([
    [['--log-level', 'loud'], {}, '--log-level: expected debug, info, warn or error'],
    [[], {LOG_LEVEL: 'loud'}, 'LOG_LEVEL: expected debug, info, warn or error'],
    [['--log-format', 'xml'], {}, '--log-format: expected pretty or json'],
    [['--log-max-size', '0'], {}, '--log-max-size: expected a size such as 512KB or 10MB'],
    [['--log-backups', '-1'], {}, '--log-backups: expected a whole number from 0 on'],
  ])('cannot be had with %j %j', async (args, env, message) => {
    const {code, stdout, stderr} = await produce(args, {env})
    expect({code, stdout, stderr}).toEqual({code: 2, stdout: '', stderr: `error: ${message}\n`})
  })
})

describe('--quiet', () => {
  it('says nothing when all went well', async () => {
    const {code, stderr} = await produce(['--quiet', '--dry-run'])
    expect({code, stderr}).toEqual({code: 0, stderr: ''})
  })

  it('still says what went wrong', async () => {
    const {code, stderr} = await produce(['--quiet', '--dry-run'], {rows: ['x']})
    expect(code).toBe(3)
    expect(stderr).toContain('error: 1 of 1 records were rejected')
  })
})

describe('--log-file', () => {
  it('gets the log and the last words, whatever standard error gets, and is for its owner alone', async () => {
    const events = [{event: 'kafka.unavailable'}, {event: 'record.rejected'}, {event: 'summary'}, {event: 'error', code: 'PARTIAL'}]
    const {cwd, stderr, logged} = await produce(['--log-file', 'ucs.log'], {rows: ['x']})
    expect(logged()).toMatchObject(events)
    expect(stderr).toMatch(/^error: /m)
    expect(statSync(join(cwd, 'ucs.log')).mode & 0o777).toBe(0o600)
    const json = await produce(['--log-file', 'ucs.log', '--json'], {rows: ['x']})
    expect(json.logged()).toMatchObject(events)
    expect(json.stderr).not.toContain('summary')
    const chosen = await produce(['--log-file', 'ucs.log', '--log-format', 'json'], {rows: ['x']})
    expect(chosen.logged()).toMatchObject(events)
    expect(eventsIn(chosen.stderr)).toMatchObject(events)
  })

  it('is rotated at its size, and so many are kept', async () => {
    const {cwd} = await produce(['--log-file', 'ucs.log', '--log-level', 'debug', '--log-max-size', '300B', '--log-backups', '2'])
    expect(readdirSync(cwd).filter((name) => name.startsWith('ucs.log'))).toEqual(['ucs.log', 'ucs.log.1', 'ucs.log.2'])
  })

  it('goes on with what an earlier run wrote', async () => {
    const {cwd, logged} = await produce(['--log-file', 'logs/ucs.log'])
    await ucs(['sample', 'sensors', '--rows', '1', '--output', 'b.csv', '--log-file', 'logs/ucs.log'], {cwd})
    expect(logged('logs/ucs.log').map(({event}) => event)).toEqual(['kafka.unavailable', 'summary', 'summary'])
  })

  it.each([
    ['cannot be opened', 'a.csv/ucs.log', 'cannot open the log file a.csv/ucs.log: E'],
    ['is on a full disk', '/dev/full', 'writing to the log file /dev/full failed: ENOSPC'],
  ])('that %s ends the run with 74', async (_, path, message) => {
    const {code, stderr} = await produce(['--log-file', path])
    expect(code).toBe(74)
    expect(stderr).toContain(`error: ${message}`)
    const result = await produce(['--log-file', path, '--json'])
    expect(result.json()).toMatchObject({ok: false, exitCode: 74, error: {code: 'IO'}})
  })
})
