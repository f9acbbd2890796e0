import {writeFileSync} from 'node:fs'
import {describe, expect, it, onTestFinished} from 'vitest'
import type {Given, Origin} from '../../src/lib/runtime/given.ts'
import {duration, integer, size, text, toggleFlag, toSetting, valueFlag} from '../../src/lib/cli/flag.ts'
import {decodeSettings, strongestOf} from '../../src/lib/cli/settings.ts'
import {resolveConfiguration} from '../../src/lib/runtime/config.ts'
import {temporaryFolder} from '../commands/cli.ts'

const FLAGS = {
  wait: valueFlag(duration, {summary: 'a duration', fallback: '2s'}),
  bytes: valueFlag(size, {summary: 'a size', fallback: '8MB'}),
  fast: toggleFlag({summary: 'a toggle'}),
  token: valueFlag(integer({min: 0}), {summary: 'a secret', isSecret: true}),
  rows: valueFlag(integer({min: 1}), {summary: 'rows', variables: ['ROW_LIMIT'], lenientVariable: 'ROW_LIMIT', fallback: '5'}),
  config: valueFlag(text, {summary: 'a file'}),
  'env-file': valueFlag(text, {summary: 'a file'}),
}

/** The settings of a command when one text is given in one way. */
async function settingsFrom(kind: Origin['kind'], flag: string, given: string) {
  const variable = `UCS_${flag.toUpperCase()}`
  const before = process.cwd()
  process.chdir(temporaryFolder())
  onTestFinished(() => process.chdir(before))
  writeFileSync('.env', kind === '.env' ? `${variable}=${given}` : '')
  writeFileSync('named.env', kind === 'env file' ? `${variable}=${given}` : '')
  writeFileSync('ucs.yaml', kind === 'config file' ? `produce:\n  ${flag}: ${given}` : '')
  const files = {config: ['ucs.yaml'], 'env-file': ['named.env']}
  const configuration = await resolveConfiguration({
    command: 'produce',
    settings: Object.entries(FLAGS).map(([name, own]) => toSetting(name, own)),
    typed: new Map(Object.entries(kind === 'flag' ? {...files, [flag]: [given]} : files)),
    environment: kind === 'environment' ? {[variable]: given} : {},
    commands: new Map([['produce', new Map(Object.keys(FLAGS).map((name) => [name, name]))]]),
    readsConfigFile: true,
  })
  return decodeSettings(FLAGS, configuration)
}

const ORIGINS: readonly (readonly [kind: Origin['kind'], name: (flag: string) => string])[] = [
  ['flag', (flag) => `--${flag}`],
  ['environment', (flag) => `UCS_${flag.toUpperCase()}`],
  ['env file', (flag) => `UCS_${flag.toUpperCase()}`],
  ['config file', () => 'ucs.yaml:2:3'],
  ['.env', (flag) => `UCS_${flag.toUpperCase()}`],
]

describe.each(ORIGINS)('a value from the %s', (kind, name) => {
  it.each([
    ['wait', '90s', 90_000],
    ['bytes', '512KB', 512_000],
    ['fast', 'yes', true],
    ['fast', '0', false],
    ['rows', '7', 7],
  ] as const)('%s by %s is %j', async (flag, given, value) => {
    const {values} = await settingsFrom(kind, flag, given)
    expect(values[flag]).toBe(value)
  })

  it.each([
    ['wait', 'soon', 'expected a duration such as'],
    ['bytes', '10XB', 'expected a size such as'],
    ['fast', 'maybe', 'expected true or false'],
    ['rows', 'many', 'expected a whole number from 1 on'],
  ] as const)('%s cannot be %s, and the error names the origin', async (flag, given, expectation) => {
    const error = await settingsFrom(kind, flag, given).catch((reason: unknown) => reason)
    expect(error).toMatchObject({code: 'USAGE', exitCode: 2})
    expect((error as Error).message).toMatch(new RegExp(`^${name(flag).replaceAll('.', '\\.')}: ${expectation}.*$`))
  })

  it('is never repeated in an error when it is a secret, and is known to be one', async () => {
    const error = await settingsFrom(kind, 'token', 'S3cret').catch((reason: unknown) => reason)
    expect((error as Error).message).toBe(`${name('token')}: expected a whole number from 0 on`)
    expect((await settingsFrom(kind, 'token', '12345')).secrets).toEqual(['12345'])
  })
})

describe('a variable of the seeds that they forgave', () => {
  const configuration = (texts: readonly string[], name: string) => ({
    values: new Map<string, Given>([
      ['rows', {texts, origin: {kind: 'environment', name}}],
      ['fast', {texts: ['false'], origin: {kind: 'default', name: 'default'}}],
    ]),
    overridden: [],
    everyText: () => [],
  })

  it('is replaced by the default with a warning, and the default is what is shown', () => {
    const {values, given, warnings} = decodeSettings(FLAGS, configuration(['many'], 'ROW_LIMIT'))
    expect(values.rows).toBe(5)
    expect(warnings).toEqual(['ROW_LIMIT: expected a whole number from 1 on; using 5'])
    expect(given.get('rows')).toEqual({texts: ['5'], origin: {kind: 'default', name: 'default'}})
  })

  it('is not replaced when it is right, and no other variable is', () => {
    expect(decodeSettings(FLAGS, configuration(['7'], 'ROW_LIMIT'))).toMatchObject({values: {rows: 7}, warnings: []})
    expect(() => decodeSettings(FLAGS, configuration(['many'], 'UCS_ROWS'))).toThrow('UCS_ROWS: expected')
  })
})

describe('of settings that exclude each other', () => {
  const given = (kinds: Readonly<Record<string, Origin['kind']>>) =>
    new Map(Object.entries(kinds).map(([name, kind]) => [name, {texts: ['x'], origin: {kind, name}} satisfies Given]))

  it.each<[kinds: Readonly<Record<string, Origin['kind']>>, strongest: string | undefined]>([
    [{}, undefined],
    [{token: 'default'}, 'token'],
    [{token: '.env', 'token-file': 'config file'}, 'token-file'],
    [{token: 'config file', 'token-file': 'env file'}, 'token-file'],
    [{token: 'env file', 'token-file': 'environment'}, 'token-file'],
    [{token: 'environment', 'token-file': 'flag'}, 'token-file'],
    [{token: 'flag', 'token-file': 'environment', url: 'environment'}, 'token'],
  ])('the strongest counts: %j', (kinds, strongest) => {
    expect(strongestOf(given(kinds), ['token', 'token-file', 'url'])).toBe(strongest)
  })

  it('two of one origin are a mistake that names both', () => {
    const kinds = given({token: 'environment', 'token-file': 'environment', url: 'default'})
    expect(() => strongestOf(kinds, ['token', 'token-file', 'url'])).toThrow('--token and --token-file exclude each other')
  })
})
