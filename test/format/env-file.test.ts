import {describe, expect, it} from 'vitest'
import {parseEnvFile} from '../../src/lib/format/env-file.ts'

const valueOf = (line: string) => parseEnvFile(line).get('NAME')

describe('parseEnvFile', () => {
  it.each([
    ['a plain value', 'NAME=value', 'value'],
    ['a token that ends in ==', 'NAME=abc+/def==', 'abc+/def=='],
    ['a value with = inside', 'NAME=a=b=c', 'a=b=c'],
    ['spaces around name and value', '  NAME =  value  ', 'value'],
    ['an export', 'export NAME=value', 'value'],
    ['an export with tabs', '\texport\tNAME=value', 'value'],
    ['single quotes', "NAME='a b'", 'a b'],
    ['double quotes', 'NAME="a b"', 'a b'],
    ['quotes around spaces', 'NAME=" a "', ' a '],
    ['quotes of the other kind inside', `NAME="it's"`, "it's"],
    ['quotes of the same kind inside', 'NAME="say "hi""', 'say "hi"'],
    ['a quote that is not closed', 'NAME="a', '"a'],
    ['quotes that do not match', `NAME="a'`, `"a'`],
    ['an empty value', 'NAME=', ''],
    ['empty quotes', 'NAME=""', ''],
    ['# inside a word', 'NAME=a#b', 'a#b'],
    ['# at the beginning of the value', 'NAME=#abc', '#abc'],
    ['# inside quotes', 'NAME="a # b"', 'a # b'],
    ['a comment after white space', 'NAME=value # comment', 'value'],
    ['a comment after a tab', 'NAME=value\t# comment', 'value'],
    ['a comment after quotes', 'NAME="a b" # comment', 'a b'],
    ['a comment that holds a quote', `NAME="a" # don't "b"`, 'a'],
    ['# right after a quote', 'NAME="a"#b', '"a"#b'],
    ['a quote and # inside quotes', 'NAME="a"#b"', 'a"#b'],
    ['a comment instead of a value', 'NAME= # comment', ''],
    ['a backslash, as it stands', String.raw`NAME=a\nb`, String.raw`a\nb`],
    ['a dollar sign, as it stands', 'NAME=$HOME', '$HOME'],
    ['a URL', 'NAME=http://host:8086/?a=b#c', 'http://host:8086/?a=b#c'],
    ['letters of any script', 'NAME=température', 'température'],
  ])('reads %s', (_, line, value) => {
    expect(valueOf(line)).toBe(value)
  })

  it.each(['# NAME=value', '  # NAME=value', 'NAME', '=value', '1NAME=value', 'NA ME=value', ''])('finds nothing in "%s"', (line) => {
    expect([...parseEnvFile(line)]).toEqual([])
  })

  it('reads files with CRLF and a BOM', () => {
    expect([...parseEnvFile('\uFEFFA=1\r\nB="2"\r\n\r\nC=3')]).toEqual([
      ['A', '1'],
      ['B', '2'],
      ['C', '3'],
    ])
  })

  it('takes the last of several lines for one name', () => {
    expect(parseEnvFile('A=1\nA=2').get('A')).toBe('2')
  })

  it('takes a name that every object has for a name like any other', () => {
    expect([...parseEnvFile('constructor=1\n__proto__=2')]).toEqual([
      ['constructor', '1'],
      ['__proto__', '2'],
    ])
  })
})
