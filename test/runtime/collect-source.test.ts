import {describe, expect, it} from 'vitest'
import type {Given} from '../../src/lib/runtime/given.ts'
import {sourcesOfVariables} from '../../src/lib/runtime/collect-source.ts'

const POD_8 = {SERVER_A_URL: 'http://a', SERVER_A_TOKEN: 't==', SERVER_A_ORG: 'default', SERVER_A_BUCKET: 'telegraf'}

const sourcesOf = (variables: Readonly<Record<string, string>>) =>
  sourcesOfVariables(
    new Map(Object.entries(variables).map(([name, text]): [string, Given] => [name, {texts: [text], origin: {kind: '.env', name}}])),
  )

describe('sources of variables', () => {
  it('are servers by their letter, with all that each needs', () => {
    expect(sourcesOf(POD_8)).toEqual([
      {
        name: 'server_a',
        host: 'pod_8',
        url: {text: 'http://a', origin: 'SERVER_A_URL'},
        org: {text: 'default', origin: 'SERVER_A_ORG'},
        token: {text: 't==', origin: 'SERVER_A_TOKEN'},
        tokenFile: undefined,
        buckets: ['telegraf'],
      },
    ])
  })

  it('may be called by any letter or word, and have a name', () => {
    const other = (word: string) =>
      Object.fromEntries(Object.entries(POD_8).map(([name, text]) => [name.replace('_A_', `_${word}_`), text]))
    const sources = sourcesOf({...other('POD_8'), ...other('B'), ...other('C'), SERVER_C_NAME: 'third', ...other('12')})
    expect(sources.map(({name, host}) => [name, host])).toEqual([
      ['server_12', 'server_12'],
      ['server_b', 'pod_30'],
      ['server_c', 'third'],
      ['server_pod_8', 'server_pod_8'],
    ])
  })

  it('have any number of buckets, in their order, each once', () => {
    const more = {SERVER_A_BUCKET_10: 'j', SERVER_A_BUCKET_2: 'b', SERVER_A_BUCKET_3: 'telegraf'}
    expect(sourcesOf({...more, ...POD_8})[0]!.buckets).toEqual(['telegraf', 'b', 'j'])
  })

  it('take the token from a file', () => {
    const {SERVER_A_TOKEN: _, ...rest} = POD_8
    expect(sourcesOf({...rest, SERVER_A_TOKEN_FILE: '/run/token'})[0]!.tokenFile).toEqual({
      text: '/run/token',
      origin: 'SERVER_A_TOKEN_FILE',
    })
  })

  it.each(['URL', 'TOKEN', 'ORG', 'BUCKET'])('without %s are refused', (part) => {
    const {[`SERVER_A_${part}` as keyof typeof POD_8]: _, ...rest} = POD_8
    expect(() => sourcesOf(rest)).toThrow(expect.objectContaining({name: 'UsageError', message: `SERVER_A_${part} is missing`}))
  })

  it('are not seen in variables of something else', () => expect(sourcesOf({SERVER_WEB_NAME: 'x', SERVER_WEB_ORG: 'y'})).toEqual([]))
})
