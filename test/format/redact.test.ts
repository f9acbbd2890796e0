import {describe, expect, it} from 'vitest'
import {redactor, redactUrls} from '../../src/lib/format/redact.ts'

describe('redactor', () => {
  it('masks a secret wherever it stands, however often', () => {
    expect(redactor(['s3cr3t'])('token s3cr3t, again s3cr3ts3cr3t')).toBe('token ***, again ******')
  })

  it('masks a secret in the forms that requests give it', () => {
    const secret = 'pä ss/w+rd=='
    const redact = redactor([secret])
    expect(redact(`?password=${encodeURIComponent(secret)}`)).toBe('?password=***')
    expect(redact(`Basic ${Buffer.from(secret).toString('base64')}`)).toBe('Basic ***')
  })

  it('masks a secret in a JSON log line, where quotes and backslashes are escaped', () => {
    const secret = 'pa"ss\\word'
    const line = JSON.stringify({message: `refused ${secret}`})
    expect(line).not.toContain(secret)
    expect(redactor([secret])(line)).toBe('{"message":"refused ***"}')
  })

  it('masks a secret with a line break, printed as it is and as JSON', () => {
    const redact = redactor(['line1\nline2'])
    expect(redact('a line1\nline2 b')).toBe('a *** b')
    expect(redact(JSON.stringify('line1\nline2'))).toBe('"***"')
  })

  it('masks the longer of two secrets when one contains the other', () => {
    expect(redactor(['secret', 'secret-and-more'])('x secret-and-more y secret')).toBe('x *** y ***')
  })

  it('takes a secret for text, not for a pattern', () => {
    expect(redactor(['a.c$&*'])('a.c$&* abc$&*')).toBe('*** abc$&*')
  })

  it('leaves words alone that a very short secret would garble', () => {
    expect(redactor(['', 'a', 'the'])('the cat sat')).toBe('the cat sat')
  })

  it('masks the password of a URL though nobody named it', () => {
    expect(redactor([])('cannot reach http://user:hunter2@host:8086/api')).toBe('cannot reach http://***@host:8086/api')
  })
})

describe('redactUrls', () => {
  it('masks a secret in the query, and nothing else of it', () => {
    expect(redactUrls('"http://h/?a=1&token=s3&b=2" and http://h/?password=p#x')).toBe(
      '"http://h/?a=1&token=***&b=2" and http://h/?password=***#x',
    )
  })

  it.each([
    ['http://user:secret@host/', 'http://***@host/'],
    ['https://token@host', 'https://***@host'],
    ['http://user:p@ss@host/', 'http://***@host/'],
    ['clickhouse+http://u:p@host:8123?x=1', 'clickhouse+http://***@host:8123?x=1'],
    ['http://user:it"s@host', 'http://***@host'],
    ['{"url":"http://user:secret@host","mail":"a@b"}', '{"url":"http://***@host","mail":"a@b"}'],
    ['HTTP://user:secret@HOST', 'HTTP://***@HOST'],
    ['two http://a:b@one and http://c:d@two', 'two http://***@one and http://***@two'],
  ])('masks the credentials of %s', (text, shown) => {
    expect(redactUrls(text)).toBe(shown)
  })

  it('reads a megabyte that is no URL once', () => {
    const text = 'a'.repeat(1_000_000)
    expect(redactUrls(text)).toBe(text)
  })

  it.each([
    'http://host:8086/',
    'http://host/path@2x',
    'http://host?mail=a@b',
    'http://host#a@b',
    'http://host and mail to a@b',
    'a@b',
    '{"url":"http://localhost:8086","mail":"a@b"}',
  ])('leaves %s as it is', (text) => {
    expect(redactUrls(text)).toBe(text)
  })
})
