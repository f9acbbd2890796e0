import {string as stringArg} from '@oclif/core/args'
import {parse} from '@oclif/core/parser'
import {describe, expect, it} from 'vitest'
import {integer, listFlag, text, toggleFlag, valueFlag} from '../../src/lib/cli/flag.ts'
import {bareFlags, firstWords, translateParseError, typedFlags} from '../../src/lib/cli/typed.ts'

const FLAGS = {
  rows: valueFlag(integer({min: 1}), {summary: 'a number', fallback: '5', variables: ['PATH']}),
  broker: valueFlag(text, {summary: 'a text', aliases: ['bootstrap']}),
  tag: listFlag(text, {summary: 'a list'}),
  loop: toggleFlag({summary: 'off by default'}),
  fallback: toggleFlag({summary: 'on by default', isOnByDefault: true}),
  token: valueFlag(text, {summary: 'a secret', isSecret: true}),
  'token-file': valueFlag(text, {summary: 'where it stands'}),
}

/** What the parser of oclif makes of a command line, or our error. */
async function typed(...argv: string[]) {
  const args = {kind: stringArg({required: true, ignoreStdin: true})}
  const parsed = await parse(argv, {flags: bareFlags(FLAGS) as never, args, strict: true}).catch((error: unknown) => {
    throw translateParseError(error, FLAGS)
  })
  return Object.fromEntries(typedFlags(parsed.flags))
}

describe('what was typed', () => {
  it('holds no default, no variable and nothing decoded', async () => {
    expect(await typed('swat')).toEqual({})
    expect(await typed('swat', '--rows', 'many')).toEqual({rows: ['many']})
  })

  it.each<[argv: string[], flags: Record<string, string[]>]>([
    [['--rows', '7'], {rows: ['7']}],
    [['--rows=7'], {rows: ['7']}],
    [['--rows='], {rows: ['']}],
    [['--bootstrap', 'a:9092'], {broker: ['a:9092']}],
    [['--tag', 'a=1', '--tag', 'b=2'], {tag: ['a=1', 'b=2']}],
    [['--loop'], {loop: ['true']}],
    [['--fallback'], {fallback: ['true']}],
    [['--no-fallback'], {fallback: ['false']}],
  ])('is text by the name of its flag: %j', async (argv, flags) => {
    expect(await typed('swat', ...argv)).toEqual(flags)
    expect(await typed(...argv, 'swat')).toEqual(flags)
  })
})

describe('what cannot be understood', () => {
  const GLUED = 'A value follows its flag after a space or ='

  it.each<[argv: string[], message: string, suggestion: string]>([
    [['swat', '--rwos', '7'], 'there is no flag --rwos', 'Did you mean --rows?'],
    [['swat', '--rwos=S3cret'], 'there is no flag --rwos', 'Did you mean --rows?'],
    [['swat', '--boostrap', 'x'], 'there is no flag --boostrap', 'Did you mean --bootstrap?'],
    [['swat', '--nothing-like-it'], 'there is no such flag', 'See --help'],
    [['swat', '-pS3cret'], 'there is no such flag', 'See --help'],
    [['swat', '--token S3cret'], 'there is no such flag', `Did you mean --token? ${GLUED}`],
    [['swat', '--token:S3cret'], 'there is no such flag', `Did you mean --token? ${GLUED}`],
    [['swat', '--tokenS3cret'], 'there is no such flag', `Did you mean --token? ${GLUED}`],
    [['swat', '--token-fileS3cret'], 'there is no such flag', `Did you mean --token-file? ${GLUED}`],
    [['swat', '--token-fil', 'S3cret'], 'there is no flag --token-fil', 'Did you mean --token-file?'],
    [['swat', '--tokenab'], 'there is no such flag', `Did you mean --token? ${GLUED}`],
    [['swat', '--tokne:S3'], 'there is no such flag', 'See --help'],
    [['swat', '--bootstrpa-abc'], 'there is no such flag', 'Did you mean --bootstrap?'],
    [['swat', '--tokn S3cret'], 'there is no such flag', 'See --help'],
    [['swat', '--no-loop'], 'there is no flag --no-loop', 'Did you mean --loop?'],
    [['swat', 'S3cret'], 'there is an argument too many', 'Put a value with spaces in quotes; see --help'],
    [[], 'KIND is missing', 'See --help'],
    [['swat', '--rows'], '--rows expects a value', 'See --help'],
    [['swat', '--rows', 'S3cret', '--rows', 'S3cret'], '--rows can only be specified once', 'See --help'],
  ])('is an error that repeats no value: %j', async (argv, message, suggestion) => {
    await expect(typed(...argv)).rejects.toMatchObject({code: 'USAGE', exitCode: 2, message, suggestion})
  })

  it('is left as it is when it comes from elsewhere', () => {
    const error = new TypeError('Flag this')
    expect(translateParseError(error, FLAGS)).toBe(error)
  })
})

describe('the first words', () => {
  it.each<[argv: string[], words: string[]]>([
    [['produce'], ['produce']],
    [
      ['buckets', 'create', '--rows', '7'],
      ['buckets', 'create'],
    ],
    [['--loop', 'produce', '--rows', '7'], ['produce']],
    [['--rows', '7', 'produce'], ['produce']],
    [
      ['--rows=7', 'produce', 'x'],
      ['produce', 'x'],
    ],
    [['--stranger=7', 'produce'], ['produce']],
    [['produce', '-x', 'y'], ['produce']],
    [['--loop'], []],
    [[], []],
  ])('of %j are %j', (argv, words) => {
    expect(firstWords(argv, FLAGS)).toEqual(words)
  })

  it('are not looked for after a stranger, whose value may be a secret', () => {
    expect(() => firstWords(['--password', 'S3cret', 'produce'], FLAGS)).toThrow('there is no such flag')
  })
})
