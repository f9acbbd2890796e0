import {readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {describe, expect, it} from 'vitest'
import {variableNames} from '../../src/lib/runtime/config.ts'
import {startUcs, temporaryFolder, ucs} from './cli.ts'

interface Manifest {
  readonly commands: Readonly<Record<string, {readonly id: string; readonly flags: Readonly<Record<string, ManifestFlag>>}>>
}

interface ManifestFlag {
  readonly aliases?: readonly string[]
  readonly default?: unknown
  readonly env?: string
}

const manifest = JSON.parse(readFileSync(new URL('../../oclif.manifest.json', import.meta.url), 'utf8')) as Manifest
const commands = Object.values(manifest.commands).map(({id}) => id.split(':'))

describe('every command', () => {
  it.each(commands)('%s prints its help and exits 0', async (...words) => {
    const {code, stdout} = await ucs([...words, '--help'])
    expect(code).toBe(0)
    expect(stdout).toContain('USAGE')
    expect(stdout).toContain('EXAMPLES')
    expect(stdout).toContain(`UCS_${words.join('_').replaceAll('-', '_').toUpperCase()}_LOG_LEVEL, UCS_LOG_LEVEL, LOG_LEVEL`)
  })

  it.each(commands)('%s names in its help the default, the aliases and all variables of each flag', async (...words) => {
    const {stdout} = await ucs([...words, '--help'])
    const help = stdout.replaceAll(/\s+/g, ' ')
    const {flags} = manifest.commands[words.join(':')]!
    for (const [name, {aliases = [], env, ...flag}] of Object.entries(flags)) {
      const settings = {name, aliases, variables: env?.split(', ') ?? []}
      expect(help).toContain(`--${name} ${variableNames(settings, words.join(' ')).join(', ')}`)
      for (const alias of aliases) expect(help).toContain(`--${alias} means the same`)
      if (typeof flag.default === 'string')
        expect(help).toMatch(new RegExp(`--${name}=\\S+ \\[default: ${RegExp.escape(flag.default)}[,\\]]`))
    }
  })

  it.each(commands)('%s exits 2 on an unknown flag and names the nearest', async (...words) => {
    const {code, stderr, stdout} = await ucs([...words, '--log-levle', 'info'])
    expect({code, stdout}).toEqual({code: 2, stdout: ''})
    expect(stderr).toBe('error: there is no flag --log-levle\n  try: Did you mean --log-level?\n')
  })

  it.each(commands)('%s exits 2 on an unknown flag also with --json, and prints one object', async (...words) => {
    const result = await ucs([...words, '--json', '--log-levle', 'info'])
    expect(result.code).toBe(2)
    expect(result.stderr).toBe('')
    expect(result.json()).toMatchObject({
      command: words.join(' '),
      ok: false,
      exitCode: 2,
      error: {code: 'USAGE', message: 'there is no flag --log-levle'},
    })
    expect(Object.keys(result.json()).sort()).toEqual(['command', 'durationMilliseconds', 'error', 'exitCode', 'ok'])
  })
})

describe('secrets', () => {
  const secrets = {
    token: 'S3cret-token-#==',
    'kafka-password': 'S3cret-kafka',
    'clickhouse-password': 'S3cret-clickhouse',
  }
  const env = {
    INFLUX_TOKEN: 'S3cret-env-token',
    UCS_TOKEN: 'S3cret-env-token-2',
    UCS_KAFKA_PASSWORD: 'S3cret-env-kafka',
    CLICKHOUSE_PASSWORD: 'S3cret-env-clickhouse',
    OPENWEATHERMAP_API_KEY: 'S3cret-env-weather',
    INFLUX_URL: 'http://user:S3cret-in-url@127.0.0.1:1',
    CLICKHOUSE_URL: 'http://user:S3cret-in-url@127.0.0.1:1',
    UCS_RETRY_FOR: '0',
    KAFKA_BROKER: '127.0.0.1:1',
  }

  const variants: [name: string, args: (words: string[], flags: readonly string[]) => string[]][] = [
    ['a misspelt flag with its value beside it', (words, flags) => [...words, ...given(flags), '--tokn', 'S3cret-misspelt']],
    ['a misspelt flag with =', (words, flags) => [...words, ...given(flags), '--kafka-pasword=S3cret-misspelt']],
    ['a flag that its value is glued to', (words, flags) => [...words, ...given(flags), '--tokenS3cret-glued']],
    ['a flag and its value in one word', (words, flags) => [...words, ...given(flags), '--token S3cret-glued']],
    ['a flag and its value with a colon', (words, flags) => [...words, ...given(flags), '--kafka-password:S3cret-glued']],
    ['a single dash', (words, flags) => [...words, ...given(flags), '-pS3cret-misspelt']],
    ['a secret as an argument', (words, flags) => [...words, ...given(flags), 'x', 'S3cret-misplaced']],
    ['a server that is not there, and debug logs', (words, flags) => [...words, ...given(flags), '--log-level', 'debug']],
  ]
  const given = (flags: readonly string[]) =>
    Object.entries(secrets).flatMap(([flag, secret]) => (flags.includes(flag) ? [`--${flag}`, secret] : []))

  const cases = Object.values(manifest.commands).flatMap(({id, flags}) =>
    variants.flatMap(([name, args]) => [true, false].map((json) => ({id, name, json, args: args(id.split(':'), Object.keys(flags))}))),
  )
  const tested = cases.filter(({id}) => id !== 'demo') // starts others of these, and takes no secret

  it.each(tested)('none is printed by $id with $name (json: $json)', async ({args, json}) => {
    const {stdout, stderr} = await ucs([...args, ...(json ? ['--json'] : [])], {env, input: ''})
    expect(stdout + stderr).not.toContain('S3cret')
  })

  it('none is printed by config show, whatever it comes from', async () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, '.env'), "INFLUX_TOKEN='S3cret-dot-env'\n")
    writeFileSync(join(cwd, 'ucs.yaml'), 'defaults:\n  kafka-password: S3cret-yaml\n')
    const {code, stdout} = await ucs(['config', 'show', 'kafka-to-influx', '--origin', '--config', 'ucs.yaml'], {cwd})
    expect(code).toBe(0)
    expect(stdout).not.toContain('S3cret')
    expect(stdout).toMatch(/^token +\*\*\* +\.env INFLUX_TOKEN$/m)
    expect(stdout).toMatch(/^kafka-password +\*\*\* +config file ucs.yaml:2:3$/m)
  })

  it('are not seen in what only sounds like one, so that results and errors stay readable', async () => {
    const env = {ALLOW_EMPTY_PASSWORD: 'true', INFLUX_TOKEN: '1594', UCS_KAFKA_PASSWORD_FILE: 'none.txt'}
    const sample = await ucs(['sample', 'sensors', '--rows', '1594', '--output', 'a.csv', '--json'], {env})
    expect(sample.json()).toMatchObject({ok: true, rows: 1594})
    const {stderr} = await ucs(['kafka-to-influx', '--until-end', '--kafka-sasl', 'plain', '--kafka-username', 'x'], {env})
    expect(stderr).toContain('there is no file none.txt')
  })
})

describe('the program', () => {
  it.each([[['--help']], [['kafka-to-influx', '--help']]])('says nothing when somebody has read enough of %j', async (args) => {
    const {child, result} = startUcs(args)
    child.stdout.destroy()
    expect(await result).toMatchObject({code: 0, stderr: ''})
  })

  it.each<[args: string[], message: string, suggestion: string]>([
    [['kafka-to-inflx', 'S3cret'], 'there is no such command', 'Did you mean ucs kafka-to-influx?'],
    [['kafka-to-inflx', '--token', 'S3cret'], 'there is no such command', 'Did you mean ucs kafka-to-influx?'],
    [['quite-something-else'], 'there is no such command', 'ucs --help lists the commands'],
    [['produce', 'S3cret'], 'there is an argument too many after produce', 'ucs produce --help'],
    [['config', 'shwo'], 'there is no such command of ucs config', 'Did you mean ucs config show?'],
    [['config', 'S3cret'], 'there is no such command of ucs config', 'ucs config --help lists the commands'],
    [['help', 'produec'], 'there is no such command', 'Did you mean ucs produce?'],
    [['produec', '--help'], 'there is no such command', 'Did you mean ucs produce?'],
    [['--token', 'S3cret', 'produce'], 'a command comes before its flags', 'ucs --help lists the commands'],
  ])('exits 2 on %j, and repeats no more than a name', async (args, message, suggestion) => {
    const {code, stdout, stderr} = await ucs(args)
    expect({code, stdout, stderr}).toEqual({code: 2, stdout: '', stderr: `error: ${message}\n  try: ${suggestion}\n`})
  })

  it.each<[args: string[], env: Record<string, string>]>([
    [['produec', '--json'], {}],
    [['produec'], {UCS_JSON: 'true'}],
    [['--json'], {}],
  ])('prints one object for %j %j', async (args, env) => {
    const result = await ucs(args, {env})
    expect({code: result.code, stderr: result.stderr}).toEqual({code: 2, stderr: ''})
    expect(result.json()).toMatchObject({ok: false, exitCode: 2, error: {code: 'USAGE'}})
  })

  it('prints its version', async () => {
    const {code, stdout} = await ucs(['--version'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^ucs\/\d+\.\d+\.\d+ /)
  })

  it('lists its commands, asked by help, -h or nothing', async () => {
    for (const args of [['help'], ['-h'], []]) expect((await ucs(args)).stdout).toContain('kafka-to-influx')
  })

  it('refuses --json together with data on standard output', async () => {
    for (const data of [['--dry-run'], ['--output', '-']]) {
      const result = await ucs(['produce', '--json', ...data])
      expect(result.code).toBe(2)
      expect(result.json().error?.message).toContain('standard output')
    }
  })
})

describe('values', () => {
  const shown = async (args: string[], options: Parameters<typeof ucs>[1]) => {
    const {stdout} = await ucs(['config', 'show', ...args, '--json'], options)
    return (JSON.parse(stdout) as {values: Record<string, {value: string; origin: string}>}).values
  }

  it('come from the strongest of flag, environment, env file, config file, .env and default', async () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, '.env'), 'BATCH_SIZE=1\nFLUSH_INTERVAL_SEC=1\nKAFKA_TOPIC=found\nINFLUX_ORG=found\nINFLUX_BUCKET=found')
    writeFileSync(join(cwd, 'ucs.yaml'), 'kafka-to-influx:\n  batch-size: 2\n  flush-interval: 2\n  topic: file\n  influx-org: file\n')
    writeFileSync(join(cwd, 'prod.env'), 'BATCH_SIZE=3\nFLUSH_INTERVAL_SEC=3\nKAFKA_TOPIC=named')
    const env = {BATCH_SIZE: '4', FLUSH_INTERVAL_SEC: '4'}
    const values = await shown(['kafka-to-influx', '--config', 'ucs.yaml', '--env-file', 'prod.env', '--batch-size', '5'], {cwd, env})
    expect(values['batch-size']).toEqual({value: '5', origin: 'flag --batch-size'})
    expect(values['flush-interval']).toEqual({value: '4', origin: 'environment FLUSH_INTERVAL_SEC'})
    expect(values['topic']).toEqual({value: 'named', origin: 'env file KAFKA_TOPIC'})
    expect(values['influx-org']).toEqual({value: 'file', origin: 'config file ucs.yaml:5:3'})
    expect(values['influx-bucket']).toEqual({value: 'found', origin: '.env INFLUX_BUCKET'})
    expect(values['in-flight']).toEqual({value: '2', origin: 'default'})
  })

  it('of one command are stronger than those of all', async () => {
    const env = {INFLUX_BUCKET: 'a', UCS_INFLUX_BUCKET: 'b', UCS_KAFKA_TO_INFLUX_INFLUX_BUCKET: 'c'}
    expect((await shown(['kafka-to-influx'], {env}))['influx-bucket']!.value).toBe('c')
  })

  it.each([
    ['kafka-to-influx', 'influx-timeout'],
    ['kafka-to-influx', 'connect-timeout'],
    ['kafka-to-clickhouse', 'connect-timeout'],
    ['kafka-to-clickhouse', 'max-time'],
    ['produce', 'connect-timeout'],
  ])('of %s are refused where nothing could be done in no time: --%s 0', async (command, flag) => {
    const {code, stdout, stderr} = await ucs([command, `--${flag}`, '0s'])
    expect({code, stdout, stderr}).toEqual({
      code: 2,
      stdout: '',
      stderr: `error: --${flag}: expected a duration above 0, such as 500ms or 30s\n`,
    })
  })

  it.each(['produce', 'kafka-to-influx', 'kafka-to-clickhouse'])('of %s are refused where they are no broker', async (command) => {
    const {code, stderr} = await ucs([command], {env: {KAFKA_BROKER: 'http://127.0.0.1:9092'}})
    expect(code).toBe(2)
    expect(stderr).toBe('error: KAFKA_BROKER: expected HOST:PORT, several separated by commas; the port is 9092 where none is given\n')
  })

  it('may be 0 where that says something', async () => {
    const args = ['--pause', '0', '--flush-interval', '0', '--retry-for', '0', '--shutdown-timeout', '0']
    expect(Object.keys(await shown(['produce', ...args], {}))).toContain('pause')
  })

  it('are named with their origin when they are wrong', async () => {
    const {code, stderr} = await ucs(['produce', '--dry-run'], {env: {UCS_PAUSE: 'soon'}})
    expect(code).toBe(2)
    expect(stderr).toContain('UCS_PAUSE: expected a duration')
  })
})
