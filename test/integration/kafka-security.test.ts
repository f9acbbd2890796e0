import {readFileSync} from 'node:fs'
import {connect, createServer} from 'node:net'
import {once} from 'node:events'
import {AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes} from 'kafkajs'
import {afterAll, beforeAll, expect, test} from 'vitest'
import type {AddressInfo} from 'node:net'
import type {KafkaSasl, KafkaSettings, KafkaTls} from '../../src/lib/clients/kafka/connection.ts'
import {createKafkaConsumer} from '../../src/lib/clients/kafka/consumer.ts'
import {createKafkaProducer} from '../../src/lib/clients/kafka/producer.ts'
import {AuthError, UnavailableError} from '../../src/lib/errors.ts'
import {systemClock} from '../../src/lib/runtime/clock.ts'
import {silentLogger} from '../fakes/logger.ts'
import {type KafkaServer, type SecureKafkaAddress, startSecureKafka} from '../services/kafka.ts'
import {describeWithOwn} from '../services/use.ts'
import {type Cluster, connectCluster} from './kafka-cluster.ts'
import {plainSettings, readToEnd} from './kafka-member.ts'

const alice: KafkaSasl = {mechanism: 'plain', username: 'alice', password: 'alice-pw'}
const bob = (bits: 256 | 512, password = 'bob-pw'): KafkaSasl => ({mechanism: `scram-sha-${bits}`, username: 'bob', password})
const SETTINGS = {
  'listener.name.sasls.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-512',
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'super.users': 'User:ANONYMOUS',
  'allow.everyone.if.no.acl.found': 'true',
}
const never = new AbortController().signal

describeWithOwn('kafka')('a broker with listeners of every kind', () => {
  let kafka: KafkaServer & SecureKafkaAddress
  let cluster: Cluster
  beforeAll(async () => {
    kafka = await startSecureKafka({settings: SETTINGS})
    cluster = await connectCluster(kafka.address)
  })
  afterAll(async () => {
    await cluster.close()
    await kafka.stop()
  })

  type Listener = 'address' | 'sasl' | 'saslTls' | 'tls' | 'mutualTls'
  interface Way {
    readonly to: Listener
    readonly sasl?: KafkaSasl
    readonly tls?: 'known authority' | 'no authority' | 'certificate'
  }

  const settingsOf = ({to, sasl, tls}: Way): KafkaSettings => ({...plainSettings(kafka[to]), sasl, tls: tls && tlsOf(tls)})
  const tlsOf = (tls: NonNullable<Way['tls']>): KafkaTls => {
    const [ca, cert, key] = [kafka.ca, kafka.clientCertificate, kafka.clientKey].map((path) => readFileSync(path, 'utf8'))
    if (tls === 'no authority') return {ca: undefined, cert: undefined, key: undefined}
    return tls === 'certificate' ? {ca, cert, key} : {ca, cert: undefined, key: undefined}
  }

  test.concurrent.for<{how: string; way: Way}>([
    {how: 'without either', way: {to: 'address'}},
    {how: 'with PLAIN', way: {to: 'sasl', sasl: alice}},
    {how: 'with SCRAM-SHA-256', way: {to: 'sasl', sasl: bob(256)}},
    {how: 'with SCRAM-SHA-512', way: {to: 'sasl', sasl: bob(512)}},
    {how: 'with PLAIN over TLS', way: {to: 'saslTls', sasl: alice, tls: 'known authority'}},
    {how: 'with SCRAM-SHA-512 over TLS', way: {to: 'saslTls', sasl: bob(512), tls: 'known authority'}},
    {how: 'over TLS', way: {to: 'tls', tls: 'known authority'}},
    {how: 'with a certificate', way: {to: 'mutualTls', tls: 'certificate'}},
  ])('is written to and read $how', async ({way}) => {
    const [topic, settings] = [await cluster.newTopic(), settingsOf(way)]
    const producer = createKafkaProducer(settings, {topic, clock: systemClock, log: silentLogger})
    await producer.connect(never)
    await producer.send([{key: null, value: 'x'}])
    await producer.close()
    expect((await readToEnd({settings, topic})).values).toEqual(['x'])
  })

  const WRONG_PASSWORD = 'Check --kafka-sasl, --kafka-username and --kafka-password, and what that user may do'
  const NO_CERTIFICATE = 'The listener asks for a client certificate: --kafka-cert FILE --kafka-key FILE'
  const OTHER_PROTOCOL = 'Is the broker running? If it is, does the listener expect TLS or SASL? Try --kafka-tls or --kafka-sasl'
  const NO_TLS = 'Is the broker running? If it is, does the listener speak TLS? Without it, leave out --kafka-tls'

  const wrong: {what: string; way: Way; error: typeof AuthError | typeof UnavailableError; retryable: string; suggestion: string}[] = [
    {
      what: 'a wrong password for PLAIN',
      way: {to: 'sasl', sasl: {...alice, password: 'no'}},
      error: AuthError,
      retryable: 'after success',
      suggestion: WRONG_PASSWORD,
    },
    {
      what: 'a wrong password for SCRAM',
      way: {to: 'sasl', sasl: bob(256, 'no')},
      error: AuthError,
      retryable: 'after success',
      suggestion: WRONG_PASSWORD,
    },
    {
      what: 'an unknown user',
      way: {to: 'saslTls', sasl: {...bob(512), username: 'eve'}, tls: 'known authority'},
      error: AuthError,
      retryable: 'after success',
      suggestion: WRONG_PASSWORD,
    },
    {
      what: 'no client certificate',
      way: {to: 'mutualTls', tls: 'known authority'},
      error: AuthError,
      retryable: 'after success',
      suggestion: NO_CERTIFICATE,
    },
    {
      what: 'an authority that is not known',
      way: {to: 'tls', tls: 'no authority'},
      error: UnavailableError,
      retryable: 'never',
      suggestion: 'Name the certificate authority with --kafka-ca FILE',
    },
    {what: 'plain words to a TLS listener', way: {to: 'tls'}, error: UnavailableError, retryable: 'always', suggestion: OTHER_PROTOCOL},
    {what: 'no password to a SASL listener', way: {to: 'sasl'}, error: UnavailableError, retryable: 'always', suggestion: OTHER_PROTOCOL},
    {
      what: 'TLS to a plain listener',
      way: {to: 'address', tls: 'known authority'},
      error: UnavailableError,
      retryable: 'always',
      suggestion: NO_TLS,
    },
    {
      what: 'a password to a plain listener',
      way: {to: 'address', sasl: alice},
      error: AuthError,
      retryable: 'after success',
      suggestion: WRONG_PASSWORD,
    },
  ]

  test.concurrent.for(wrong)('says of $what what to try', async ({way, error, retryable, suggestion}) => {
    const settings = settingsOf(way)
    const consumer = createKafkaConsumer(settings, {topic: 'any', group: 'any', log: silentLogger})
    const producer = createKafkaProducer(settings, {topic: 'any', clock: systemClock, log: silentLogger})
    const failures = await Promise.all(
      [consumer.connect(), producer.connect(never)].map((attempt) => attempt.catch((cause: unknown) => cause)),
    )
    await Promise.all([consumer.close(), producer.close()])
    for (const failure of failures) {
      expect(failure).toBeInstanceOf(error)
      expect(failure).toMatchObject({retryable, suggestion})
      expect((failure as Error).message).toContain(settings.brokers[0])
      expect((failure as Error).message).not.toContain('alice-pw')
    }
  })

  test.concurrent('says of a topic that the user may not touch what to check, also once it is read', async () => {
    const topic = await cluster.newTopic({values: ['x']})
    await forbid(AclResourceTypes.TOPIC, topic)
    const settings = settingsOf({to: 'sasl', sasl: bob(256)})
    const producer = createKafkaProducer(settings, {topic, clock: systemClock, log: silentLogger})
    for (const attempt of [
      () => readToEnd({settings, topic}),
      () => producer.connect(never),
      () => producer.send([{key: null, value: 'y'}]),
    ]) {
      const failure = await attempt().catch((cause: unknown) => cause)
      expect(failure).toBeInstanceOf(AuthError)
      expect(failure).toMatchObject({suggestion: WRONG_PASSWORD})
    }

    await producer.close()
  })

  test.concurrent('says of a group that the user may not join what to check', async () => {
    const topic = await cluster.newTopic({values: ['x']})
    await forbid(AclResourceTypes.GROUP, topic)
    await expect(readToEnd({settings: settingsOf({to: 'sasl', sasl: bob(256)}), topic})).rejects.toThrow(AuthError)
  })

  test.concurrent('is connected to by a producer at the next send, if the first one failed', async () => {
    const topic = await cluster.newTopic()
    const line = await startSwitchboard(kafka.address)
    const settings = {...settingsOf({to: 'sasl', sasl: alice}), brokers: [line.address]}
    const producer = createKafkaProducer(settings, {topic, clock: systemClock, log: silentLogger})
    await expect(producer.send([{key: null, value: 'lost'}])).rejects.toThrow(AuthError)
    line.connectTo(kafka.sasl)
    await producer.send([{key: null, value: 'sent'}])
    await producer.close()
    line.close()
    expect((await cluster.read(topic)).map(({value}) => value)).toEqual(['sent'])
  })

  const forbid = (resourceType: AclResourceTypes, resourceName: string) =>
    cluster.admin.createAcls({
      acl: [
        {
          resourceType,
          resourceName,
          resourcePatternType: ResourcePatternTypes.LITERAL,
          principal: 'User:bob',
          host: '*',
          operation: AclOperationTypes.ALL,
          permissionType: AclPermissionTypes.DENY,
        },
      ],
    })
})

/** An address whose connections go to one broker's, and later to another's. */
async function startSwitchboard(first: string) {
  let target = first
  const server = createServer((client) => {
    const [host, port] = target.split(':') as [string, string]
    const broker = connect({host, port: Number(port)})
    for (const socket of [client, broker]) socket.on('error', () => {})
    client.pipe(broker).pipe(client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    connectTo(next: string) {
      target = next
    },
    close: () => void server.close(),
  }
}
