import {describe, expect, it} from 'vitest'
import {brokers} from '../../src/lib/cli/flags.ts'

describe('brokers', () => {
  it.each([
    'kafka:9092',
    'kafka',
    'kafka_1.example.com:19092',
    '127.0.0.1:65535',
    'größe:1',
    '[::1]:9092',
    '[fe80::1%eth0]',
    ' a:1 , b ,, c:3,',
  ])('are "%s"', (given) => {
    expect(brokers(given)).toBe(given)
  })

  it.each([
    'http://127.0.0.1:9092',
    'PLAINTEXT://kafka:9092',
    'host:port',
    'host:',
    ':9092',
    '127.0.0.1:99999',
    '127.0.0.1:0',
    'a b',
    'a:1 b:2',
    'user@kafka:9092',
    'kafka/path',
    '::1',
    '::1:9092',
    '[::1',
    '[kafka]:9092',
    'a:1,b:x',
    ' ',
    ',,',
  ])('are not "%s": the error says what they look like', (given) => {
    expect(() => brokers(given)).toThrow('expected HOST:PORT, several separated by commas; the port is 9092 where none is given')
  })
})
