import {existsSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {describe, expect, it} from 'vitest'
import type {CliOptions} from './cli.ts'
import {temporaryFolder, ucs} from './cli.ts'

interface Shown {
  readonly value: string | null
  readonly origin: string | null
}

async function shown(args: readonly string[], options: CliOptions = {}): Promise<Readonly<Record<string, Shown>>> {
  const result = await ucs(['config', 'show', ...args, '--json'], options)
  expect({code: result.code, stderr: result.stderr}).toEqual({code: 0, stderr: ''})
  return result.json()['values'] as Record<string, Shown>
}

function folderWith(files: Readonly<Record<string, string>>): string {
  const cwd = temporaryFolder()
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text)
  return cwd
}

describe('config show', () => {
  it('prints every flag of the command, and the value where there is one', async () => {
    const {code, stdout, stderr} = await ucs(['config', 'show', 'produce', '--rows', '7'])
    expect({code, stderr}).toEqual({code: 0, stderr: ''})
    const rows = Object.fromEntries(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.split(/ {2,}/) as [string, string | undefined]),
    )
    expect(rows).toMatchObject({flag: 'value', rows: '7', file: 'data/sensor_data.csv', 'dry-run-fallback': 'true', loop: 'false'})
    expect(Object.keys(rows)).toEqual(expect.arrayContaining(['log-level', 'kafka-password', 'topic']))
    expect(rows['topic']).toBeUndefined()
  })

  it('adds where each value comes from with --origin', async () => {
    const cwd = folderWith({
      '.env': 'KAFKA_TOPIC=found\n',
      'prod.env': 'KAFKA_BROKER=named:9092\n',
      'ucs.yaml': 'produce:\n  pause: 1s\n',
    })
    const args = ['produce', '--origin', '--device', 'B', '--env-file', 'prod.env', '--config', 'ucs.yaml']
    const {stdout} = await ucs(['config', 'show', ...args], {cwd, env: {ROW_LIMIT: '7'}})
    const lines = stdout.split('\n').map((line) => line.split(/ {2,}/))
    expect(lines).toEqual(
      expect.arrayContaining([
        ['flag', 'value', 'origin'],
        ['device', 'B', 'flag --device'],
        ['rows', '7', 'environment ROW_LIMIT'],
        ['broker', 'named:9092', 'env file KAFKA_BROKER'],
        ['pause', '1s', 'config file ucs.yaml:2:3'],
        ['topic', 'found', '.env KAFKA_TOPIC'],
        ['skip', '0', 'default'],
        ['kafka-ca'],
      ]),
    )
  })

  it('has no column of origins without --origin', async () => {
    const {stdout} = await ucs(['config', 'show', 'produce'], {env: {ROW_LIMIT: '7'}})
    expect(stdout).not.toMatch(/origin|ROW_LIMIT|default$/m)
  })

  it('shows secrets as ***, also in addresses, and never a value that a stronger one hides', async () => {
    const cwd = folderWith({'.env': 'INFLUX_TOKEN=S3cret-found\nINFLUX_URL=http://user:S3cret-url@influx:8086\n'})
    const args = ['config', 'show', 'kafka-to-influx', '--origin', '--token', 'S3cret-typed']
    for (const json of [[], ['--json']]) {
      const {stdout} = await ucs([...args, ...json], {cwd, env: {UCS_KAFKA_PASSWORD: 'S3cret-set'}})
      expect(stdout).not.toContain('S3cret')
      expect(stdout).toContain('http://***@influx:8086')
    }

    const values = await shown(['kafka-to-influx', '--token', 'S3cret-typed'], {cwd})
    expect(values['token']).toEqual({value: '***', origin: 'flag --token'})
    expect(values['kafka-password']).toEqual({value: null, origin: null})
  })

  it('shows the values of a list, and what replaced a bad value of the seeds', async () => {
    const tags = await shown(['kafka-to-influx', '--tag', 'a=1', '--tag', 'b=2'])
    expect(tags['tag']).toEqual({value: 'a=1, b=2', origin: 'flag --tag'})
    const {stdout, stderr} = await ucs(['config', 'show', 'produce', '--origin'], {env: {ROW_LIMIT: 'many'}})
    expect(stdout).toMatch(/^rows +5 +default$/m)
    expect(stderr).toContain('ROW_LIMIT: expected a whole number from 1 on, or all; using 5')
  })

  it.each<[args: string[]]>([
    [['produce', '--origin', '--rows', '7']],
    [['--origin', 'produce', '--rows', '7']],
    [['--log-level', 'warn', 'produce', '--rows', '7', '--origin']],
    [['--log-level=warn', '--origin', 'produce', '--rows=7']],
  ])('takes its own flags before and after the command: %j', async (args) => {
    const {stdout} = await ucs(['config', 'show', ...args])
    expect(stdout).toMatch(/^rows +7 +flag --rows$/m)
  })

  it('shows the flags of a command of two words', async () => {
    expect(await shown(['config', 'show'])).toHaveProperty('origin')
  })
})

describe('the values of config show itself', () => {
  it('are those of its own variables and section, not of the command that it shows', async () => {
    const cwd = folderWith({'ucs.yaml': 'produce:\n  json: true\n  log-file: produce.log\nconfig show:\n  origin: true\n'})
    const {stdout} = await ucs(['config', 'show', 'produce', '--config', 'ucs.yaml'], {cwd, env: {UCS_PRODUCE_QUIET: 'true'}})
    expect(stdout).toMatch(/^json +true +config file ucs.yaml:2:3$/m)
    expect(stdout).toMatch(/^quiet +true +environment UCS_PRODUCE_QUIET$/m)
    expect(existsSync(join(cwd, 'produce.log'))).toBe(false)
  })

  it('print one object when its own variable says so', async () => {
    const result = await ucs(['config', 'show', 'produce'], {env: {UCS_CONFIG_SHOW_JSON: 'true'}})
    expect(result.json()).toMatchObject({command: 'config show', ok: true, exitCode: 0})
  })
})

describe('config show exits 2', () => {
  it.each<[args: string[], stderr: string]>([
    [[], 'error: COMMAND is missing\n  try: See --help\n'],
    [['--origin'], 'error: COMMAND is missing\n  try: See --help\n'],
    [['prodcue'], 'error: there is no such command\n  try: Did you mean ucs produce?\n'],
    [['config'], 'error: there is no such command of ucs config\n'],
    [['produce', 'S3cret'], 'error: there is an argument too many after produce\n'],
    [['produce', '--rwos', '7'], 'error: there is no flag --rwos\n  try: Did you mean --rows?\n'],
    [['produce', '--token', 'S3cret'], 'error: there is no such flag\n'],
    [['--token', 'S3cret', 'produce'], 'error: there is no such flag\n'],
    [['produce', '--rows', 'many'], 'error: --rows: expected a whole number from 1 on, or all\n'],
    [['produce', '--config', 'none.yaml'], 'error: there is no file none.yaml\n  try: Check --config\n'],
  ])('on %j, and repeats no secret', async (args, expected) => {
    const {code, stdout, stderr} = await ucs(['config', 'show', ...args])
    expect({code, stdout}).toEqual({code: 2, stdout: ''})
    expect(stderr.startsWith(expected.replace(/\n$/, ''))).toBe(true)
    expect(stderr).not.toContain('S3cret')
  })

  it('on a value of the command, with its origin, as the command would', async () => {
    const cwd = folderWith({'ucs.yaml': 'produce:\n  pause: soon\n'})
    const {code, stderr} = await ucs(['config', 'show', 'produce', '--config', 'ucs.yaml'], {cwd})
    expect(code).toBe(2)
    expect(stderr).toContain('error: ucs.yaml:2:3: expected a duration')
  })
})
