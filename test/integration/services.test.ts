import {execFileSync} from 'node:child_process'
import {readFileSync} from 'node:fs'
import {Kafka, type KafkaConfig, logLevel} from 'kafkajs'
import {afterAll, beforeAll, expect, test} from 'vitest'
import {type KafkaServer, type SecureKafkaAddress, startKafka, startSecureKafka} from '../services/kafka.ts'
import {describeWith, describeWithOwn, useInflux, useKafka, usePrometheus} from '../services/use.ts'

test('a process that is started as "node" is the one that runs the tests', () => {
  expect(execFileSync('node', ['--version'], {encoding: 'utf8'}).trim()).toBe(process.version)
})

describeWith('kafka')('Kafka', () => {
  test('answers', async () => {
    expect(await brokersSeen({brokers: [useKafka().address]})).toBe(1)
  })
})

describeWithOwn('kafka')('a Kafka with every kind of listener', () => {
  let kafka: KafkaServer & SecureKafkaAddress
  beforeAll(async () => {
    kafka = await startSecureKafka()
  })
  afterAll(() => kafka.stop())

  const alice = (password: string) => ({mechanism: 'plain', username: 'alice', password}) as const
  const bob = {username: 'bob', password: 'bob-pw'}
  const ca = () => [readFileSync(kafka.ca)]
  const key = () => readFileSync(kafka.clientKey)
  const cert = () => readFileSync(kafka.clientCertificate)

  test.for<{way: string; config: () => Pick<KafkaConfig, 'brokers' | 'sasl' | 'ssl'>}>([
    {way: 'without either', config: () => ({brokers: [kafka.address]})},
    {way: 'with PLAIN', config: () => ({brokers: [kafka.sasl], sasl: alice('alice-pw')})},
    {way: 'with SCRAM-SHA-256', config: () => ({brokers: [kafka.sasl], sasl: {mechanism: 'scram-sha-256', ...bob}})},
    {way: 'with SCRAM-SHA-512', config: () => ({brokers: [kafka.sasl], sasl: {mechanism: 'scram-sha-512', ...bob}})},
    {
      way: 'with SCRAM-SHA-512 over TLS',
      config: () => ({brokers: [kafka.saslTls], sasl: {mechanism: 'scram-sha-512', ...bob}, ssl: {ca: ca()}}),
    },
    {way: 'over TLS', config: () => ({brokers: [kafka.tls], ssl: {ca: ca()}})},
    {way: 'with a certificate', config: () => ({brokers: [kafka.mutualTls], ssl: {ca: ca(), key: key(), cert: cert()}})},
  ])('lets a client in $way', async ({config}) => {
    expect(await brokersSeen(config())).toBe(1)
  })

  test.for<{how: string; config: () => Pick<KafkaConfig, 'brokers' | 'sasl' | 'ssl'>}>([
    {how: 'a wrong password', config: () => ({brokers: [kafka.sasl], sasl: alice('wrong')})},
    {how: 'no certificate', config: () => ({brokers: [kafka.mutualTls], ssl: {ca: ca()}})},
    {how: 'an authority that it does not know', config: () => ({brokers: [kafka.tls], ssl: true})},
  ])('keeps a client out that has $how', async ({config}) => {
    await expect(brokersSeen(config())).rejects.toThrow()
  })
})

describeWithOwn('kafka')('a Kafka of its own', () => {
  test('has its messages at the same address after a crash, also large ones', async () => {
    const kafka = await startKafka()
    try {
      const {address, pid} = kafka
      await produce(address, 'large', Buffer.alloc(8_000_000, 'x'))
      await kafka.restart({signal: 'SIGKILL', whileDown: () => expect(brokersSeen({brokers: [address]})).rejects.toThrow()})
      expect(kafka.pid).not.toBe(pid)
      expect(await endOffset(address, 'large')).toBe('1')
    } finally {
      await kafka.stop()
    }
  })
})

describeWith('influx')('InfluxDB', () => {
  test('is set up', async () => {
    const {url} = useInflux()
    const answer = await fetch(`${url}/api/v2/setup`)
    expect(await answer.json()).toEqual({allowed: false})
  })

  test('lets the token in', async () => {
    const {url, org, token} = useInflux()
    const answer = await fetch(`${url}/api/v2/buckets?org=${org}`, {headers: {authorization: `Token ${token}`}})
    expect(answer.status).toBe(200)
  })
})

describeWith('prometheus')('Prometheus', () => {
  test('has samples', async () => {
    const answer = await fetch(`${usePrometheus().url}/api/v1/query?query=up`)
    const {data} = (await answer.json()) as {data: {result: unknown[]}}
    expect(data.result).not.toEqual([])
  })
})

const clientOf = (config: KafkaConfig) => new Kafka({retry: {retries: 0}, logLevel: logLevel.NOTHING, ...config})

async function brokersSeen(config: KafkaConfig): Promise<number> {
  const admin = clientOf(config).admin()
  try {
    await admin.connect()
    return (await admin.describeCluster()).brokers.length
  } finally {
    await admin.disconnect()
  }
}

async function produce(address: string, topic: string, value: Buffer): Promise<void> {
  const producer = clientOf({brokers: [address], retry: {retries: 5}}).producer()
  await producer.connect()
  await producer.send({topic, messages: [{value}]})
  await producer.disconnect()
}

async function endOffset(address: string, topic: string): Promise<string | undefined> {
  const admin = clientOf({brokers: [address], retry: {retries: 5}}).admin()
  await admin.connect()
  const [partition] = await admin.fetchTopicOffsets(topic)
  await admin.disconnect()
  return partition?.high
}
