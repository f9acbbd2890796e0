import {writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {describe, expect, it} from 'vitest'
import type {CliOptions} from './cli.ts'
import {temporaryFolder, ucs} from './cli.ts'

/** Ways to ask for JSON without typing --json. */
const WAYS: readonly (readonly [
  name: string,
  args: readonly string[],
  env: NonNullable<CliOptions['env']>,
  files: Readonly<Record<string, string>>,
])[] = [
  ['UCS_JSON', [], {UCS_JSON: 'true'}, {}],
  ['a variable of the command', [], {UCS_JSON: 'false', UCS_PRODUCE_JSON: 'yes'}, {}],
  ['UCS_JSON where the variable of the command is empty', [], {UCS_JSON: '1', UCS_PRODUCE_JSON: ''}, {}],
  ['.env', [], {}, {'.env': 'UCS_JSON=on'}],
  ['an env file', ['--env-file', 'prod.env'], {}, {'prod.env': 'UCS_PRODUCE_JSON=true'}],
  ['a config file', ['--config', 'ucs.yaml'], {}, {'ucs.yaml': 'produce:\n  json: true'}],
  ['the defaults of a config file', ['--config=ucs.yaml'], {}, {'ucs.yaml': 'defaults:\n  json: true'}],
  ['a config file that .env names', [], {}, {'.env': 'UCS_CONFIG=ucs.yaml', 'ucs.yaml': 'defaults: {json: true}'}],
]

function folderWith(files: Readonly<Record<string, string>>): string {
  const cwd = temporaryFolder()
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text)
  return cwd
}

describe.each(WAYS)('JSON that is asked for by %s', (_, args, env, files) => {
  it.each([
    ['a bad value', ['--rows', 'many'], '--rows: expected a whole number from 1 on, or all'],
    ['an unknown flag', ['--rwos', 'S3cret'], 'there is no flag --rwos'],
  ])('is one object on standard output for %s, and nothing else', async (_name, wrong, message) => {
    const result = await ucs(['produce', ...args, ...wrong], {cwd: folderWith(files), env})
    expect({code: result.code, stderr: result.stderr}).toEqual({code: 2, stderr: ''})
    expect(result.stdout).toMatch(/^\{[^\n]+\}\n$/)
    expect(result.json()).toMatchObject({command: 'produce', ok: false, exitCode: 2, error: {code: 'USAGE', message}})
    expect(result.stdout).not.toContain('S3cret')
  })
})

describe('JSON', () => {
  it.each([['--token=S3cret'], ['-S3cret'], ['S3cret']])('names no command where there is none: %s', async (word) => {
    const {code, stdout, stderr} = await ucs([word, '--json'])
    expect({code, stderr}).toEqual({code: 2, stderr: ''})
    expect(JSON.parse(stdout)).toMatchObject({command: '', ok: false, error: {code: 'USAGE'}})
    expect(stdout).not.toContain('S3cret')
  })

  it('is asked for by .env although the config file is what is wrong', async () => {
    const cwd = folderWith({'.env': 'UCS_JSON=true', 'ucs.yaml': 'prodcue:'})
    const result = await ucs(['produce', '--config', 'ucs.yaml'], {cwd})
    expect(result.json().error?.message).toBe('ucs.yaml:1:1: "prodcue" is no command; did you mean "produce"?')
  })

  it.each([
    ['a value that is no boolean', [], {UCS_JSON: 'maybe'}, 'error: UCS_JSON: expected true or false\n'],
    ['a word after --', ['--', '--json'], {}, 'error: there is an argument too many\n'],
    ['false', ['--rwos'], {UCS_JSON: 'false'}, 'error: there is no flag --rwos\n'],
  ])('is not asked for by %s', async (_, args, env, message) => {
    const {code, stdout, stderr} = await ucs(['produce', ...args], {env})
    expect({code, stdout}).toEqual({code: 2, stdout: ''})
    expect(stderr).toContain(message)
  })

  it('has the ledger and the keys of the command, also when the run failed', async () => {
    const cwd = folderWith({'a.csv': '"ts","device","co","humidity","light","lpg","motion","smoke","temp"\n"x"\n'})
    const args = ['produce', '--file', 'a.csv', '--broker', '127.0.0.1:1', '--json']
    const result = await ucs(args, {cwd})
    expect(result.code).toBe(3)
    expect(result.json()).toEqual({
      command: 'produce',
      ok: false,
      exitCode: 3,
      durationMilliseconds: expect.any(Number) as number,
      ledger: expect.objectContaining({read: 1, rejected: 1, rejectedBy: {'ragged row': 1}}) as object,
      sent: 0,
      observations: {},
      error: {code: 'PARTIAL', message: '1 of 1 records were rejected: they are in the log only, as a dry run puts nothing aside'},
    })
  })

  it.each([
    ['produce', '--dry-run'],
    ['produce', '--output', '-'],
    ['kafka-to-influx', '--dry-run'],
    ['kafka-to-clickhouse', '--dry-run'],
    ['kafka-to-clickhouse', '--print-ddl'],
    ['sample', 'sensors'],
    ['buckets', 'create', '--dry-run'],
    ['buckets', 'export'],
  ])('is refused where standard output is for data: %s %s', async (...args) => {
    const result = await ucs([...args, '--json'])
    expect({code: result.code, stderr: result.stderr}).toEqual({code: 2, stderr: ''})
    expect(result.json().error).toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(/^--json and --\S+( -)? both write to standard output$/) as string,
    })
  })
})
