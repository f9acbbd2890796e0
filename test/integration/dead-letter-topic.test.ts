import {randomUUID} from 'node:crypto'
import type {KafkaMessage} from 'kafkajs'
import {afterAll, beforeAll, expect, onTestFinished, test} from 'vitest'
import type {Letter, RawMessage} from '../../src/lib/core/types.ts'
import {loadKafkaJs} from '../../src/lib/clients/kafka/connection.ts'
import {createKafkaProducer} from '../../src/lib/clients/kafka/producer.ts'
import {DataError} from '../../src/lib/errors.ts'
import {systemClock} from '../../src/lib/runtime/clock.ts'
import {createDeadLetterTopic} from '../../src/lib/sinks/dead-letter-topic.ts'
import {silentLogger} from '../fakes/logger.ts'
import {describeWith, useKafka} from '../services/use.ts'
import {connectRecords, type Records} from './records.ts'

describeWith('kafka')('a topic of dead letters', () => {
  let records: Records
  beforeAll(async () => {
    records = await connectRecords(useKafka().address)
  })
  afterAll(() => records.close())

  test('holds the message as it came, and in headers where it was and what was wrong with it', async () => {
    const topic = await records.newTopic()
    const value = Buffer.from([0xff, 0x00, 0x41])
    const headers = {trace: Buffer.from([0xfe, 0x01]), text: 'ä', repeated: ['a', Buffer.from('b')]}
    await lettersTo(topic).put([letter({value, key: Buffer.from([0x80, 0x02]), headers}, {index: 2})])
    const [message] = await readAll(topic)
    expect([message!.key, message!.value]).toEqual([Buffer.from([0x80, 0x02]), value])
    expect(message!.headers).toEqual({
      trace: Buffer.from([0xfe, 0x01]),
      text: Buffer.from('ä'),
      repeated: [Buffer.from('a'), Buffer.from('b')],
      'ucs-time': Buffer.from('2026-01-02T03:04:05.678Z'),
      'ucs-command': Buffer.from('kafka-to-influx'),
      'ucs-topic': Buffer.from('sensor_data'),
      'ucs-partition': Buffer.from('3'),
      'ucs-offset': Buffer.from('17'),
      'ucs-reason': Buffer.from('bad timestamp'),
      'ucs-message': Buffer.from('ts: "bäld" is no time'),
      'ucs-index': Buffer.from('2'),
    })
  })

  test('holds messages that have no key, no value or no headers', async () => {
    const topic = await records.newTopic()
    await lettersTo(topic).put([letter({key: null, value: null, headers: undefined})])
    const [message] = await readAll(topic)
    expect([message!.key, message!.value]).toEqual([null, null])
    expect(Object.keys(message!.headers!)).not.toContain('ucs-index')
  })

  test('holds a message with a header that has no value, which kafkajs cannot write', async () => {
    const topic = await records.newTopic()
    await lettersTo(topic).put([letter({headers: {empty: null as unknown as undefined}})])
    const [message] = await readAll(topic)
    expect(message!.headers!['empty']).toEqual(Buffer.alloc(0))
  })

  test('takes more at a time than the broker takes at once, in order', async () => {
    const topic = await records.newTopic({settings: {'max.message.bytes': '20000'}})
    const letters = Array.from({length: 100}, (_, index) => letter({value: Buffer.from(`${index} ${'x'.repeat(1000)}`)}))
    await lettersTo(topic).put(letters)
    const numbers = (await readAll(topic)).map(({value}) => Number(value!.toString().split(' ', 1)[0]))
    expect(numbers).toEqual([...letters.keys()])
  })

  test('says what to do about one that is too large by itself, and does not wait for that to change', async () => {
    const topic = await records.newTopic({settings: {'max.message.bytes': '20000'}})
    await expect(lettersTo(topic).put([letter({value: Buffer.alloc(30_000)})])).rejects.toMatchObject({
      name: 'UnavailableError',
      retryable: 'never',
      exitCode: 69,
      suggestion: "Raise the topic's max.message.bytes, or name a file with --dead-letter",
    })
  })

  test('comes into being with the first letter', async () => {
    const topic = `test-${randomUUID()}`
    await lettersTo(topic).put([letter({}), letter({})])
    expect(await readAll(topic)).toHaveLength(2)
  })

  test('closes twice, and without a letter', async () => {
    const letters = lettersTo(await records.newTopic())
    await letters.close()
    await expect(letters.close()).resolves.toBeUndefined()
  })
})

function lettersTo(topic: string) {
  const settings = {brokers: [useKafka().address], connectTimeoutMilliseconds: 5000, tls: undefined, sasl: undefined}
  const producer = createKafkaProducer(settings, {topic, clock: systemClock, log: silentLogger})
  const letters = createDeadLetterTopic(producer, {
    command: 'kafka-to-influx',
    describe: () => 'sensor_data/3/17',
    raw: (value) => value as RawMessage,
    now: () => Date.UTC(2026, 0, 2, 3, 4, 5, 678),
  })
  onTestFinished(() => letters.close())
  return letters
}

function letter(raw: Partial<RawMessage>, {index}: {index?: number} = {}): Letter {
  const value: RawMessage = {value: Buffer.from('{}'), key: null, headers: undefined, timestamp: undefined, ...raw}
  const error = new DataError('bad timestamp', 'ts: "bäld" is no time')
  return {message: {value, position: {partition: 'sensor_data/3@1', offset: 17n}, bytes: 1}, error, ...(index === undefined ? {} : {index})}
}

/** Of a topic of one partition, to the byte. */
async function readAll(topic: string): Promise<readonly KafkaMessage[]> {
  const {Kafka, logLevel} = await loadKafkaJs()
  const kafka = new Kafka({brokers: [useKafka().address], logLevel: logLevel.NOTHING})
  const admin = kafka.admin()
  await admin.connect()
  const [range] = await admin.fetchTopicOffsets(topic)
  await admin.disconnect()
  const consumer = kafka.consumer({groupId: randomUUID(), maxWaitTimeInMs: 50})
  await consumer.connect()
  await consumer.subscribe({topic, fromBeginning: true})
  const found: KafkaMessage[] = []
  const complete = Promise.withResolvers<undefined>()
  await consumer.run({
    eachMessage: async ({message}) => {
      if (found.push(message) === Number(range!.high)) complete.resolve(undefined)
    },
  })
  await complete.promise
  await consumer.disconnect()
  return found
}
