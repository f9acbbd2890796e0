import {randomUUID} from 'node:crypto'
import {afterAll, beforeAll, expect, test} from 'vitest'
import {createKafkaProducer, KafkaRefusal} from '../../src/lib/clients/kafka/producer.ts'
import {InterruptedError, UnavailableError} from '../../src/lib/errors.ts'
import {systemClock} from '../../src/lib/runtime/clock.ts'
import {serveSilence} from '../clients/servers.ts'
import {silentLogger} from '../fakes/logger.ts'
import {describeWith, useKafka} from '../services/use.ts'
import {type Cluster, connectCluster} from './kafka-cluster.ts'
import {plainSettings} from './kafka-member.ts'

const never = new AbortController().signal
const producerTo = (topic: string, address = useKafka().address, connectTimeoutMilliseconds = 5000) =>
  createKafkaProducer({...plainSettings(address), connectTimeoutMilliseconds}, {topic, clock: systemClock, log: silentLogger})
const record = (value: string, key: string | null = null) => ({key, value})

describeWith('kafka')('a producer', () => {
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await connectCluster(useKafka().address)
  })
  afterAll(() => cluster.close())

  const valuesIn = async (topic: string) => (await cluster.read(topic)).map(({value}) => value)

  test.concurrent('has stored key, value and headers when send resolves', async () => {
    const topic = await cluster.newTopic()
    const producer = producerTo(topic)
    await producer.send([
      {key: 'k', value: 'text', headers: {h: 'x'}},
      {key: Buffer.from('b'), value: Buffer.from('bytes')},
      {key: null, value: null},
    ])
    expect(await cluster.count(topic)).toBe(3)
    expect(await cluster.read(topic)).toMatchObject([
      {key: 'k', value: 'text', headers: {h: 'x'}},
      {key: 'b', value: 'bytes'},
      {key: undefined, value: undefined},
    ])
    await producer.close()
  })

  test.concurrent('keeps the order of what has one key, and puts it where other clients put it', async () => {
    const topic = await cluster.newTopic({partitions: 5})
    const producer = producerTo(topic)
    const keys = ['00:0f:00:70:91:0a', '1c:bf:ce:15:ec:4d', 'b8:27:eb:bf:9d:51']
    const records = Array.from({length: 300}, (_, index) => record(String(index), keys[index % 3]))
    for (let first = 0; first < 300; first += 100) await producer.send(records.slice(first, first + 100))
    await producer.close()
    await cluster.producer.send({topic, messages: keys.map((key) => ({key, value: 'other'}))})
    const stored = await cluster.read(topic)
    for (const [index, key] of keys.entries()) {
      const own = stored.filter((each) => each.key === key)
      expect(new Set(own.map(({partition}) => partition)).size).toBe(1)
      expect(own.map(({value}) => value)).toEqual([...Array.from({length: 100}, (_, each) => String(each * 3 + index)), 'other'])
    }
  })

  test.concurrent('makes the topic, where the broker allows it, when it connects', async () => {
    const topic = `test-${randomUUID()}`
    const producer = producerTo(topic)
    await producer.connect(never)
    expect(await cluster.admin.listTopics()).toContain(topic)
    await producer.send([record('first')])
    await producer.close()
    expect(await valuesIn(topic)).toEqual(['first'])
  })

  test('reaches the topic where the first broker of the list takes connections and does not answer', async () => {
    const topic = await cluster.newTopic()
    const {port} = await serveSilence()
    const settings = {...plainSettings(useKafka().address), connectTimeoutMilliseconds: 300}
    const brokers = [`127.0.0.1:${port}`, ...settings.brokers]
    const producer = createKafkaProducer({...settings, brokers}, {topic, clock: systemClock, log: silentLogger})
    await producer.connect(never)
    await producer.send([record('sent')])
    await producer.close()
    expect(await valuesIn(topic)).toEqual(['sent'])
  })

  test.concurrent('is refused a message that is too large, alone and among others, and can send the others', async () => {
    const topic = await cluster.newTopic({settings: {'max.message.bytes': '2000'}})
    const producer = producerTo(topic)
    const large = record('x'.repeat(3000))
    await expect(producer.send([record('before'), large, record('after')])).rejects.toThrow(KafkaRefusal)
    await expect(producer.send([large])).rejects.toThrow(KafkaRefusal)
    await producer.send([record('before'), record('after')])
    await producer.close()
    expect(await valuesIn(topic)).toEqual(['before', 'after'])
  })

  test.concurrent('is refused a message that the topic does not take: one without a key, where it is compacted', async () => {
    const topic = await cluster.newTopic({settings: {'cleanup.policy': 'compact'}})
    const producer = producerTo(topic)
    await expect(producer.send([record('a', 'k'), record('no key')])).rejects.toThrow(KafkaRefusal)
    await producer.send([record('a', 'k')])
    await producer.close()
    expect(await valuesIn(topic)).toEqual(['a'])
  })

  test('gives up on a broker that does not answer when the time to connect is over', async () => {
    const {port} = await serveSilence()
    const producer = producerTo('any', `127.0.0.1:${port}`, 200)
    const failure = await producer.connect(never).catch((cause: unknown) => cause)
    await producer.close()
    expect(failure).toBeInstanceOf(UnavailableError)
    expect(failure).toMatchObject({
      message: expect.stringContaining('did not answer within 0.2 s') as string,
      suggestion: expect.stringContaining('--broker') as string,
    })
  })

  test('gives up on it at once, and with the reason, when the signal fires', async () => {
    const {port} = await serveSilence()
    const stop = new AbortController()
    const producer = producerTo('any', `127.0.0.1:${port}`)
    const connecting = producer.connect(stop.signal)
    setImmediate(() => stop.abort(new InterruptedError('stopped by SIGTERM')))
    await expect(connecting).rejects.toThrow('stopped by SIGTERM')
    await producer.close()
  })

  test('closes while it is still trying to connect', async () => {
    const {port} = await serveSilence()
    const producer = producerTo('any', `127.0.0.1:${port}`, 200)
    producer.send([record('lost')]).catch(() => {})
    await producer.close()
  })
})
