import {randomUUID} from 'node:crypto'
import {once} from 'node:events'
import {join} from 'node:path'
import {afterAll, beforeAll, expect, test, vi} from 'vitest'
import type {KafkaConsumer} from '../../src/lib/clients/kafka/consumer.ts'
import {NotFoundError, UnavailableError} from '../../src/lib/errors.ts'
import {loadKafkaJs} from '../../src/lib/clients/kafka/connection.ts'
import {createKafkaProducer} from '../../src/lib/clients/kafka/producer.ts'
import {systemClock} from '../../src/lib/runtime/clock.ts'
import {silentLogger} from '../fakes/logger.ts'
import {freePorts} from '../services/free-ports.ts'
import type {Listener} from '../services/kafka-settings.ts'
import {type KafkaServer, startKafka} from '../services/kafka.ts'
import {startTcpProxy, type TcpProxy} from '../services/tcp-proxy.ts'
import {startUcs, temporaryFolder, ucs} from '../commands/cli.ts'
import {describeWithOwn} from '../services/use.ts'
import {type Cluster, connectCluster} from './kafka-cluster.ts'
import {createLoad} from './kafka-load.ts'
import {plainSettings, readToEnd} from './kafka-member.ts'

/** Rolled at each batch that comes later than this, and compacted at once, without joining segments that are half full. */
const COMPACTED = {
  'cleanup.policy': 'compact',
  'segment.bytes': '1048576',
  'segment.ms': '1',
  'min.cleanable.dirty.ratio': '0.0001',
  'min.compaction.lag.ms': '0',
  'delete.retention.ms': '0',
}

describeWithOwn('kafka')('a broker of its own, that compacts at once and makes no topic by itself,', () => {
  let kafka: KafkaServer
  let proxy: TcpProxy
  let cluster: Cluster
  beforeAll(async () => {
    const [port] = (await freePorts(1)) as [number]
    proxy = await startTcpProxy(port)
    const proxied: Listener = {name: 'PROXIED', protocol: 'PLAINTEXT', port, advertisedPort: proxy.port}
    const settings = {'log.cleaner.backoff.ms': 50, 'auto.create.topics.enable': 'false'}
    kafka = await startKafka({settings, listeners: [proxied]})
    cluster = await connectCluster(kafka.address)
  })
  afterAll(async () => {
    await cluster.close()
    await proxy.close()
    await kafka.stop()
  })

  /** A batch, and so a segment, of records with these keys, whose value is their number in the topic. */
  const sendKeys = async (topic: string, first: number, keys: readonly string[]) => {
    const producer = await cluster.idempotent() // of whose last batch the broker keeps at least the head
    await producer.send({topic, messages: keys.map((key, index) => ({key, value: String(first + index).padEnd(1200)}))})
  }
  const keys = (prefix: string, count: number) => Array.from({length: count}, (_, index) => `${prefix}${index}`)
  const member = (topic: string) => ({settings: plainSettings(kafka.address), topic, group: randomUUID()})

  test('lets a topic be read to its end of which it has emptied whole batches, and the ends of others', async () => {
    const topic = await cluster.newTopic({settings: COMPACTED})
    await sendKeys(topic, 0, keys('gone', 500))
    await sendKeys(topic, 500, ['kept', ...keys('gone', 500)])
    await sendKeys(topic, 1001, [...keys('gone', 500), 'last'])
    await sendKeys(topic, 1502, ['end'])

    let calls = 0
    const countCalls = (consumer: KafkaConsumer): KafkaConsumer => ({
      ...consumer,
      run: (handlers) =>
        consumer.run({
          ...handlers,
          passed(partition, next) {
            calls++
            handlers.passed(partition, next)
          },
          batch: (...delivery) => {
            calls++
            return handlers.batch(...delivery)
          },
        }),
    })
    const expected = ['500', ...Array.from({length: 502}, (_, index) => String(1001 + index))]
    await vi.waitFor(
      async () => {
        calls = 0
        const {values} = await readToEnd({...member(topic), through: countCalls})
        expect(values.map((value) => value.trim())).toEqual(expected)
      },
      {timeout: 20_000},
    )
    expect(calls).toBeLessThan(10) // kafkajs as it is fetches again for each record that is gone, or for ever
  })

  test('has no topic that a producer asks for: it is a NotFoundError with what to do', async () => {
    const options = {topic: `absent-${randomUUID()}`, clock: systemClock, log: silentLogger}
    const producer = createKafkaProducer(plainSettings(kafka.address), options)
    const error = await producer.connect(new AbortController().signal).catch((cause: unknown) => cause)
    await producer.close()
    expect(error).toBeInstanceOf(NotFoundError)
    expect(error).toMatchObject({suggestion: expect.stringContaining('Create the topic') as string})
  })

  test('killed and restarted under load, loses nothing that it has acknowledged, and nothing that was committed', async () => {
    const topic = await cluster.newTopic({partitions: 3})
    const otherTopic = await cluster.newTopic()
    const load = createLoad(plainSettings(kafka.address), topic)
    const producer = load.startProducer()
    const members = [load.startMember(), load.startMember()]
    await Promise.all(members.map((member) => member.stores(100)))
    const other = createKafkaProducer(plainSettings(kafka.address), {topic: otherTopic, clock: systemClock, log: silentLogger})
    await other.send([{key: null, value: 'before'}])
    await kafka.restart({
      signal: 'SIGKILL',
      whileDown: () => expect(other.send([{key: null, value: 'while it is down'}])).rejects.toThrow(UnavailableError),
    })
    await other.send([{key: null, value: 'after'}])
    await other.close()
    await Promise.all(members.map((member) => member.stores(100)))
    const sent = await producer.stop()
    await vi.waitFor(() => expect(new Set(load.stored.keys())).toEqual(new Set(sent)), {timeout: 20_000})
    for (const member of members) await member.stop()
    expect(load.faults).toEqual([])
    const committed = await cluster.committed(topic, topic)
    expect(committed.reduce((sum, offset) => sum + offset, 0)).toBe(await cluster.count(topic))
  })

  test('whose connection breaks while a member waits to be let in, knows it when it comes back', async () => {
    const topic = await cluster.newTopic({partitions: 2})
    const {AssignerProtocol} = await loadKafkaJs()
    const state = async () => (await cluster.admin.describeGroups([topic])).groups[0]!
    const owner = createLoad(plainSettings(kafka.address), topic).startMember()
    await vi.waitFor(async () => expect((await state()).state).toBe('Stable'), {timeout: 10_000})
    const comer = createLoad(plainSettings(`127.0.0.1:${proxy.port}`), topic).startMember()
    await vi.waitFor(async () => expect(await state()).toMatchObject({state: 'PreparingRebalance', members: [{}, {}]}), {interval: 5})
    proxy.setFault('cut')
    proxy.setFault(undefined)
    await vi.waitFor(async () => expect((await state()).state).toBe('Stable'), {timeout: 10_000})
    const assigned = (await state()).members.map(
      ({memberAssignment}) => AssignerProtocol.MemberAssignment.decode(memberAssignment)?.assignment,
    )
    expect(assigned).toEqual([{[topic]: [expect.any(Number)]}, {[topic]: [expect.any(Number)]}])
    for (const member of [owner, comer]) await member.stop()
  })

  test('frozen in mid-run, ends each run that waits for it when --retry-for or --shutdown-timeout is over', async () => {
    const topic = await cluster.newTopic()
    const env = {KAFKA_BROKER: kafka.address, KAFKA_TOPIC: topic, CSV_FILE_PATH: join(temporaryFolder(), 'sensors.csv')}
    await ucs(['sample', 'sensors', '--rows', '10', '--output', env.CSV_FILE_PATH])
    const read = (...more: readonly string[]) =>
      startUcs(['kafka-to-influx', '--preset', 'sensors', '--dry-run', '--group', randomUUID(), ...more], {env})
    const runs = [
      startUcs(['produce', '--device', 'all', '--rows', 'all', '--loop', '--pause', '5ms', '--retry-for', '3s'], {env}),
      read('--retry-for', '3s'),
    ]
    const toldToStop = read('--shutdown-timeout', '200ms')
    await Promise.all([runs[1]!, toldToStop].map(({child}) => once(child.stdout, 'data')))
    process.kill(kafka.pid, 'SIGSTOP')
    try {
      toldToStop.child.kill('SIGTERM')
      const [sent, got] = await Promise.all(runs.map(({result}) => result))
      expect(sent).toMatchObject({code: 69, stderr: expect.stringMatching(/did not answer within 3 s; sent \d+/) as string})
      expect(got).toMatchObject({code: 69, stderr: expect.stringContaining('its broker has not answered for 3 s') as string})
      expect((await toldToStop.result).code).toBe(0)
    } finally {
      process.kill(kafka.pid, 'SIGCONT')
    }
  })
})
