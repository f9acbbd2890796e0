import {describe, expect, it} from 'vitest'
import type {ConfigShape} from '../../src/lib/runtime/config-file.ts'
import type {Origin} from '../../src/lib/runtime/given.ts'
import {refuseUnfinishedEtl} from '../../src/lib/cli/unfinished-etl.ts'

type Texts = Readonly<Record<string, readonly [text: string, kind?: Origin['kind']]>>

/** Settings come from the file, unless they are said to come from elsewhere. */
function refuse(texts: Texts, {configShape = 'etl', isDryRun = false}: {configShape?: ConfigShape; isDryRun?: boolean} = {}): void {
  const all: Texts = {config: ['config/etl.yaml', 'flag'], ...texts}
  const given = Object.entries(all).map(
    ([name, [text, kind = 'config file']]) => [name, {texts: [text], origin: {kind, name: `config/etl.yaml:1:${name.length}`}}] as const,
  )
  refuseUnfinishedEtl({configShape, given: new Map(given)}, isDryRun)
}

describe('an etl.yaml without queries', () => {
  it('is refused, with both keys that may have them', () => {
    expect(() => refuse({token: ['abc']})).toThrow(
      expect.objectContaining({
        code: 'USAGE',
        message: 'config/etl.yaml: neither extract.queries nor transform.valid_metrics says what to ask for',
        suggestion: 'List metrics or expressions in one of them, or give some with --queries',
      }),
    )
  })

  it('is refused although it lists values that are valid, and in a dry run', () => {
    expect(() => refuse({'valid-metric': ['up', 'flag']})).toThrow('neither')
    expect(() => refuse({}, {isDryRun: true})).toThrow('neither')
  })

  it.each<[Texts]>([
    [{queries: ['up']}],
    [{query: ['a=up']}],
    [{queries: ['up', 'flag']}],
    [{query: ['a=up', 'environment']}],
    [{queries: ['up', '.env']}],
  ])('is taken where there are some from anywhere: %j', (texts) => {
    expect(() => refuse(texts)).not.toThrow()
  })

  it('is no matter of a file of ours', () => {
    expect(() => refuse({token: ['your-token']}, {configShape: 'own'})).not.toThrow()
  })
})

describe('a token that nobody has filled in', () => {
  it.each(['your-token', 'your-influxdb-token'])('is refused, with its place: %s', (token) => {
    expect(() => refuse({queries: ['up'], token: [token]})).toThrow(
      expect.objectContaining({
        code: 'USAGE',
        message: 'config/etl.yaml:1:5: load.influxdb.token is still the placeholder',
        suggestion: 'Set INFLUXDB_TOKEN, or use --token-file',
      }),
    )
  })

  it.each<[why: string, texts: Texts, isDryRun?: boolean]>([
    ['another is used', {token: ['your-token-2']}],
    ['it is typed', {token: ['your-token', 'flag']}],
    ['a file that is typed holds it', {token: ['your-token'], 'token-file': ['token', 'flag']}],
    ['a file that a variable names holds it', {token: ['your-token'], 'token-file': ['token', 'environment']}],
    ['nothing is sent', {token: ['your-token']}, true],
    ['there is none', {}],
  ])('is not looked for where %s', (_, texts, isDryRun = false) => {
    expect(() => refuse({queries: ['up'], ...texts}, {isDryRun})).not.toThrow()
  })

  it('is refused where only a weaker origin names a file', () => {
    expect(() => refuse({queries: ['up'], token: ['your-token'], 'token-file': ['token', '.env']})).toThrow('placeholder')
  })
})
