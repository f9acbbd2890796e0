import {mkdirSync} from 'node:fs'
import {describe, expect, it} from 'vitest'
import type {ConfigInputs} from '../../src/lib/runtime/config.ts'
import type {Setting} from '../../src/lib/runtime/given.ts'
import {resolveConfiguration, variableNames} from '../../src/lib/runtime/config.ts'
import {inFolderWith} from './working-folder.ts'

const setting = (name: string, rest: Partial<Setting> = {}): Setting => ({
  name,
  aliases: [],
  variables: [],
  isRepeatable: false,
  fallback: undefined,
  ...rest,
})
const BROKER = setting('broker', {aliases: ['bootstrap'], variables: ['KAFKA_BROKER', 'BROKERS'], fallback: 'localhost:9092'})
const TAG = setting('tag', {isRepeatable: true})
const SETTINGS = [BROKER, TAG, setting('config'), setting('env-file')]

interface Origins {
  readonly typed?: Readonly<Record<string, string | readonly string[]>>
  readonly environment?: ConfigInputs['environment']
  /** Files of the working folder, by name. */
  readonly files?: Readonly<Record<string, string>>
  readonly readsConfigFile?: boolean
}

/** Values of `ucs produce` in a folder of its own. */
async function resolve({typed = {}, environment = {}, files = {}, readsConfigFile = true}: Origins) {
  inFolderWith(files)
  const {values, ...rest} = await resolveConfiguration({
    command: 'produce',
    settings: SETTINGS,
    typed: new Map(Object.entries(typed).map(([name, texts]) => [name, [texts].flat()])),
    environment,
    commands: new Map([['produce', new Map(SETTINGS.flatMap(({name, aliases}) => [name, ...aliases].map((word) => [word, name])))]]),
    readsConfigFile,
  })
  const shown = (name: string) => {
    const given = values.get(name)
    return given && `${given.texts.join(' ')} from ${[given.origin.kind, given.origin.name].join(' ')}`
  }
  return {broker: shown('broker'), tag: shown('tag'), config: shown('config'), envFile: shown('env-file'), ...rest}
}

describe('the strongest origin', () => {
  const STATES = ['absent', 'empty', 'given'] as const
  type State = (typeof STATES)[number]
  const combinations = [0, 1, 2, 3, 4].reduce<readonly (readonly State[])[]>(
    (before, _) => before.flatMap((states) => STATES.map((state) => [...states, state])),
    [[]],
  )
  const textOf = (state: State, text: string, line: (text: string) => string) =>
    state === 'absent' ? '' : line(state === 'empty' ? '' : text)

  it('wins in each of the 243 combinations of absent, empty and given', async () => {
    expect(combinations).toHaveLength(243)
    for (const states of combinations) {
      const [flag, environment, named, file, found] = states as [State, State, State, State, State]
      const {broker} = await resolve({
        typed: {'env-file': 'named.env', config: 'ucs.yaml', ...(flag === 'absent' ? {} : {broker: flag === 'empty' ? '' : 'typed'})},
        environment: environment === 'absent' ? {} : {KAFKA_BROKER: environment === 'empty' ? '' : 'set'},
        files: {
          'named.env': textOf(named, 'named', (text) => `KAFKA_BROKER=${text}`),
          'ucs.yaml': textOf(file, 'filed', (text) => `produce:\n  broker: ${text}`),
          '.env': textOf(found, 'found', (text) => `KAFKA_BROKER=${text}`),
        },
      })
      const strongest = states.indexOf('given')
      const expected = [
        'typed from flag --broker',
        'set from environment KAFKA_BROKER',
        'named from env file KAFKA_BROKER',
        'filed from config file ucs.yaml:2:3',
        'found from .env KAFKA_BROKER',
      ]
      expect(broker, states.join(' ')).toBe(expected[strongest] ?? 'localhost:9092 from default default')
    }
  })

  it('wins although a weaker one uses a stronger name', async () => {
    const {broker} = await resolve({environment: {BROKERS: 'set'}, files: {'.env': 'UCS_PRODUCE_BROKER=found'}})
    expect(broker).toBe('set from environment BROKERS')
  })

  it('replaces a list as a whole', async () => {
    const {tag} = await resolve({typed: {tag: ['a=1', 'b=2']}, environment: {UCS_TAG: 'c=3'}})
    expect(tag).toBe('a=1 b=2 from flag --tag')
  })

  it('is none for a setting without a default that nobody gave', async () => {
    expect((await resolve({})).tag).toBeUndefined()
  })
})

describe('variables', () => {
  const names = ['UCS_PRODUCE_BROKER', 'UCS_PRODUCE_BOOTSTRAP', 'UCS_BROKER', 'UCS_BOOTSTRAP', 'KAFKA_BROKER', 'BROKERS']

  it('are those of the command, those of all commands, and those of the seeds', () => {
    expect(variableNames(BROKER, 'produce')).toEqual(names)
    expect(variableNames(setting('in-flight'), 'buckets create')).toEqual(['UCS_BUCKETS_CREATE_IN_FLIGHT', 'UCS_IN_FLIGHT'])
  })

  it.each(names.map((name, index) => [name, names.slice(index + 1)] as const))('%s is stronger than %j', async (name, weaker) => {
    const environment = Object.fromEntries([...weaker, name].map((variable) => [variable, variable.toLowerCase()]))
    expect((await resolve({environment})).broker).toBe(`${name.toLowerCase()} from environment ${name}`)
  })

  it.each(names.slice(1).map((name, index) => [name, names.slice(0, index + 1)] as const))(
    '%s counts where %j are empty',
    async (name, empty) => {
      const environment = {...Object.fromEntries(empty.map((variable) => [variable, ''])), [name]: 'value'}
      expect((await resolve({environment})).broker).toBe(`value from environment ${name}`)
    },
  )

  it.each(['.env', 'named.env'])('that are empty in %s do not hide weaker ones beside them', async (name) => {
    const typed = {'env-file': 'named.env'}
    const {broker} = await resolve({typed, files: {'named.env': '', [name]: "UCS_BROKER=\nKAFKA_BROKER=''\nBROKERS=found"}})
    expect(broker).toContain('found from')
  })

  it('of another command do not count', async () => {
    expect((await resolve({environment: {UCS_KAFKA_TO_INFLUX_BROKER: 'other'}})).broker).toBe('localhost:9092 from default default')
  })

  it.each([
    ['a=1\nb=2', 'a=1 b=2'],
    ['a=1\n\nb=2\n', 'a=1 b=2'],
    ['a=1,b=2', 'a=1,b=2'],
    ['a=1 b=2', 'a=1 b=2'],
  ])('hold the values of a repeatable setting on lines of their own: %j', async (UCS_TAG, texts) => {
    expect((await resolve({environment: {UCS_TAG}})).tag).toBe(`${texts} from environment UCS_TAG`)
  })

  it('with nothing but line breaks are empty', async () => {
    expect((await resolve({environment: {UCS_TAG: '\n\n'}, files: {'.env': 'UCS_TAG=a=1'}})).tag).toBe('a=1 from .env UCS_TAG')
  })

  it('keep a line break where there is one value', async () => {
    expect((await resolve({environment: {UCS_BROKER: 'a\nb'}})).broker).toBe('a\nb from environment UCS_BROKER')
  })
})

describe('the files that values are read from', () => {
  const files = {
    'ucs.yaml': 'produce:\n  tag: from-yaml',
    'named.env': 'KAFKA_BROKER=named',
  }
  const read = {broker: 'named from env file KAFKA_BROKER', tag: 'from-yaml from config file ucs.yaml:2:3'}

  it.each<[name: string, origins: Origins]>([
    ['flags', {typed: {config: 'ucs.yaml', 'env-file': 'named.env'}, files}],
    ['the environment', {environment: {UCS_CONFIG: 'ucs.yaml', UCS_ENV_FILE: 'named.env'}, files}],
    [
      'variables of the command',
      {
        environment: {UCS_CONFIG: 'none.yaml', UCS_PRODUCE_CONFIG: 'ucs.yaml', UCS_ENV_FILE: 'none.env', UCS_PRODUCE_ENV_FILE: 'named.env'},
        files,
      },
    ],
    ['.env', {files: {...files, '.env': 'UCS_CONFIG=ucs.yaml\nUCS_ENV_FILE=named.env'}}],
    ['the named env file', {typed: {'env-file': 'named.env'}, files: {...files, 'named.env': 'KAFKA_BROKER=named\nUCS_CONFIG=ucs.yaml'}}],
  ])('may be named by %s', async (_, origins) => {
    expect(await resolve(origins)).toMatchObject(read)
  })

  it('are those of the strongest origin, and shown as such', async () => {
    const resolved = await resolve({
      typed: {config: 'ucs.yaml'},
      environment: {UCS_CONFIG: 'none.yaml', UCS_ENV_FILE: 'named.env'},
      files: {...files, '.env': 'UCS_ENV_FILE=none.env\nUCS_CONFIG=none.yaml'},
    })
    expect(resolved).toMatchObject({
      ...read,
      config: 'ucs.yaml from flag --config',
      envFile: 'named.env from environment UCS_ENV_FILE',
    })
  })

  it('are none where the name is empty', async () => {
    expect((await resolve({typed: {'env-file': '', config: ''}})).broker).toBe('localhost:9092 from default default')
  })

  it.each<[origins: Origins, message: string, suggestion: string]>([
    [{typed: {'env-file': 'none.env'}}, 'there is no file none.env', 'Check --env-file'],
    [{typed: {'env-file': '.'}}, '. is a folder and not a file', 'Name a file with --env-file'],
    [{typed: {config: 'none.yaml'}}, 'there is no file none.yaml', 'Check --config'],
    [{typed: {config: '.'}}, '. is a folder and not a file', 'Name a file with --config'],
  ])('end it where they cannot be read: %j', async (origins, message, suggestion) => {
    await expect(resolve(origins)).rejects.toMatchObject({code: 'USAGE', message: expect.stringContaining(message) as string, suggestion})
  })

  it('may be missing where nobody named one, and a folder called .env is none', async () => {
    inFolderWith({})
    mkdirSync('.env')
    const {values} = await resolveConfiguration({
      command: 'produce',
      settings: SETTINGS,
      typed: new Map(),
      environment: {},
      commands: new Map(),
      readsConfigFile: true,
    })
    expect(values.get('broker')?.origin.kind).toBe('default')
  })

  it('leave a config file that has a shape of its own to whoever reads it', async () => {
    const {tag, config} = await resolve({
      typed: {config: 'etl.yaml'},
      files: {'etl.yaml': 'extract: {prometheus_url: x}'},
      readsConfigFile: false,
    })
    expect({tag, config}).toEqual({tag: undefined, config: 'etl.yaml from flag --config'})
  })
})

describe('${NAME} in the config file', () => {
  const files = {'ucs.yaml': 'produce:\n  broker: ${HOST}:9092', 'named.env': 'HOST=named', '.env': 'HOST=found'}
  const typed = {config: 'ucs.yaml'}

  it.each<[string, Origins]>([
    ['set', {typed: {...typed, 'env-file': 'named.env'}, environment: {HOST: 'set'}, files}],
    ['named', {typed: {...typed, 'env-file': 'named.env'}, environment: {HOST: ''}, files}],
    ['found', {typed, files}],
  ])('is the strongest of the environment, the env file and .env: %s', async (host, origins) => {
    expect((await resolve(origins)).broker).toBe(`${host}:9092 from config file ucs.yaml:2:3`)
  })
})

describe('what else is known of values', () => {
  const files = {'ucs.yaml': 'produce:\n  bootstrap: filed', 'named.env': 'KAFKA_BROKER=named', '.env': 'BROKERS=found'}

  it.each<[hides: readonly string[], origins: Origins]>([
    [['KAFKA_BROKER overrides ucs.yaml:2:3 (broker)'], {environment: {KAFKA_BROKER: 'set'}}],
    [['KAFKA_BROKER overrides ucs.yaml:2:3 (broker)'], {typed: {'env-file': 'named.env'}}],
    [[], {typed: {broker: 'typed'}, environment: {KAFKA_BROKER: 'set'}}],
    [[], {environment: {KAFKA_BROKER: 'filed'}}],
    [[], {}],
  ])('variables that hide a key of the config file: %j', async (overridden, {typed = {}, environment = {}}) => {
    expect((await resolve({typed: {config: 'ucs.yaml', ...typed}, environment, files})).overridden).toEqual(overridden)
  })

  it('all texts of a setting, so that a secret is masked that a stronger one hides', async () => {
    const typed = {broker: 'typed', config: 'ucs.yaml', 'env-file': 'named.env'}
    const {everyText} = await resolve({typed, environment: {UCS_BROKER: 'set'}, files})
    expect(everyText(BROKER)).toEqual(['typed', 'set', 'named', 'filed', 'found', 'localhost:9092'])
  })

  it('are never written into the environment of the process', async () => {
    const before = {...process.env}
    await resolve({typed: {'env-file': 'named.env', config: 'ucs.yaml', broker: 'typed'}, files})
    expect(process.env).toEqual(before)
  })
})
