import {describe, expect, it} from 'vitest'
import {translateKafkaError} from '../../src/lib/clients/kafka/errors.ts'
import {AuthError, NotFoundError, UnavailableError, UsageError} from '../../src/lib/errors.ts'

const settings = {brokers: ['one:9092', 'two:9092'], connectTimeoutMilliseconds: 5000, tls: undefined, sasl: undefined}
const withTls = {...settings, tls: {ca: undefined, cert: undefined, key: undefined}}

/** As kafkajs makes them. */
const failure = (message: string, fields: {name?: string; type?: string; code?: string; cause?: Error} = {}) =>
  Object.assign(new Error(message, 'cause' in fields ? {cause: fields.cause} : {}), fields)

describe('an error of kafkajs', () => {
  it.each([
    {
      error: failure('SASL PLAIN authentication failed', {name: 'KafkaJSSASLAuthenticationError'}),
      as: AuthError,
      suggestion: 'Check --kafka-sasl',
    },
    {error: failure('Not authorized', {type: 'TOPIC_AUTHORIZATION_FAILED'}), as: AuthError, suggestion: 'Check --kafka-sasl'},
    {error: failure('Not authorized', {type: 'GROUP_AUTHORIZATION_FAILED'}), as: AuthError, suggestion: 'Check --kafka-sasl'},
    {error: failure('Not authorized', {type: 'CLUSTER_AUTHORIZATION_FAILED'}), as: AuthError, suggestion: 'Check --kafka-sasl'},
    {error: failure('Request is not valid given the current SASL state', {type: 'ILLEGAL_SASL_STATE'}), as: AuthError, suggestion: 'Check'},
    {error: failure('The broker does not support the requested SASL mechanism'), as: AuthError, suggestion: 'Check --kafka-sasl'},
    {error: failure('tlsv13 alert certificate required'), as: AuthError, suggestion: '--kafka-cert FILE --kafka-key FILE'},
    {error: failure('SSL alert number 42'), as: AuthError, suggestion: '--kafka-cert FILE --kafka-key FILE'},
    {
      error: failure('This server does not host this topic-partition', {type: 'UNKNOWN_TOPIC_OR_PARTITION'}),
      as: NotFoundError,
      suggestion: 'Create the topic, or check --topic or KAFKA_TOPIC',
    },
    {error: failure('connect ECONNREFUSED', {code: 'ECONNREFUSED'}), as: UnavailableError, suggestion: 'Is the broker running?'},
    {error: failure('Request Fetch(key: 1, version: 11) timed out'), as: UnavailableError, suggestion: 'Is the broker running?'},
    {
      error: failure('Closed connection'),
      as: UnavailableError,
      suggestion: 'Is the broker running? If it is, does the listener expect TLS or SASL?',
    },
  ])('that says "$error.message" is one of ours: $suggestion', ({error, as, suggestion}) => {
    const translated = translateKafkaError(error, 'reading topic "t"', settings)
    expect(translated).toBeInstanceOf(as)
    expect(translated.suggestion).toContain(suggestion)
    expect(translated.message).toMatch(/^reading topic "t" at one:9092, two:9092 failed: /)
    expect(translated.cause).toBe(error)
  })

  it('names the broker that it is about, where that is known', () => {
    const error = Object.assign(failure('Connection timeout'), {broker: 'two:9092'})
    expect(translateKafkaError(error, 'writing', settings).message).toBe('writing at two:9092 failed: Connection timeout')
  })

  it('that was wrapped again and again is what it was at first', () => {
    const innermost = failure('Not authorized', {type: 'TOPIC_AUTHORIZATION_FAILED'})
    const wrapped = failure('exceeded', {cause: failure('non retriable', {cause: innermost})})
    expect(translateKafkaError(wrapped, 'writing', settings)).toBeInstanceOf(AuthError)
  })

  it.each([
    {error: failure('LZ4 compression not implemented', {name: 'KafkaJSNotImplemented'}), suggestion: undefined},
    {
      error: failure('incompatible', {type: 'INCONSISTENT_GROUP_PROTOCOL'}),
      suggestion: 'Stop the other program, or name a group of its own with --group',
    },
    {
      error: failure('unable to verify', {code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'}),
      suggestion: 'Name the certificate authority with --kafka-ca FILE',
    },
    {
      error: failure('certificate has expired', {code: 'CERT_HAS_EXPIRED'}),
      suggestion: 'Renew the certificate of the server',
    },
  ])('that no wait mends is not retried: $error.message', ({error, suggestion}) => {
    expect(translateKafkaError(error, 'reading', settings)).toMatchObject({code: 'UNAVAILABLE', retryable: 'never', suggestion})
  })

  it.each([
    'Closed connection',
    'Connection closed by the server',
    'Client network socket disconnected before secure TLS connection was established',
    'wrong version number',
    'packet length too long',
  ])('that says "%s" is a question of the protocol, the other way round with TLS', (message) => {
    const suggestions = [settings, withTls].map((each) => translateKafkaError(failure(message), 'reading', each).suggestion)
    expect(suggestions).toEqual([
      'Is the broker running? If it is, does the listener expect TLS or SASL? Try --kafka-tls or --kafka-sasl',
      'Is the broker running? If it is, does the listener speak TLS? Without it, leave out --kafka-tls',
    ])
  })

  it('is left as it is where it is ours already', () => {
    const ours = new UsageError('x')
    expect(translateKafkaError(ours, 'reading', settings)).toBe(ours)
  })
})
