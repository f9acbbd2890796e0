import {execFile} from 'node:child_process'
import {randomUUID} from 'node:crypto'
import {fileURLToPath} from 'node:url'
import {promisify} from 'node:util'
import {afterAll, beforeAll, describe, expect, test, vi} from 'vitest'
import type {RawMessage} from '../../src/lib/core/types.ts'
import {loadKafkaJs} from '../../src/lib/clients/kafka/connection.ts'
import {type ConsumerHandlers, createKafkaConsumer} from '../../src/lib/clients/kafka/consumer.ts'
import {NotFoundError, UnavailableError} from '../../src/lib/errors.ts'
import {acknowledged, describeSource} from '../contract/source.ts'
import {serveSilence} from '../clients/servers.ts'
import {silentLogger} from '../fakes/logger.ts'
import {describeWith, useKafka} from '../services/use.ts'
import {type MemberOptions, openMember, plainSettings, readToEnd} from './kafka-member.ts'
import {type Cluster, connectCluster} from './kafka-cluster.ts'

const numbered = (count: number, first = 0) => Array.from({length: count}, (_, index) => String(first + index))

describeWith('kafka')('a topic', () => {
  let records: Cluster
  beforeAll(async () => {
    records = await connectCluster(useKafka().address)
  })
  afterAll(() => records.close())

  const member = (topic: string) => ({settings: plainSettings(useKafka().address), topic})
  const topicOf = async (texts: readonly string[]) => {
    const topic = await records.newTopic({partitions: 2})
    await Promise.all(
      [0, 1].map((partition) =>
        sendAll(
          topic,
          partition,
          texts.filter((_, index) => index % 2 === partition),
        ),
      ),
    )
    return topic
  }
  const sendAll = async (topic: string, partition: number, texts: readonly string[]) => {
    if (texts.length > 0) await records.send(topic, texts, partition)
  }

  describeSource<RawMessage>('that is read to its end', {
    open: async (texts) => openMember({...member(await topicOf(texts)), untilEnd: true}).source,
    textOf: ({value}) => String(value),
    openQuiet: async () => openMember(member(await topicOf([]))).source,
    openFailing: async () => openMember({settings: plainSettings('127.0.0.1:1'), topic: 'absent', retryForMilliseconds: 0}).source,
  })

  describe('and its group', () => {
    test.concurrent('is committed to the end of each partition after a run, and read no more by the next one', async () => {
      const topic = await records.newTopic({partitions: 3, values: numbered(1500)})
      await records.send(topic, numbered(7), 2)
      expect((await readToEnd(member(topic))).values).toHaveLength(1507)
      expect(await records.committed(topic, topic)).toEqual([1500, -1, 7])
      expect((await readToEnd(member(topic))).values).toEqual([])
      await records.send(topic, ['new'], 1)
      expect((await readToEnd(member(topic))).values).toEqual(['new'])
      expect(await records.committed(topic, topic)).toEqual([1500, 1, 7])
    })

    test.concurrent('is committed to the message after the last of a limit, and the next run begins there', async () => {
      const topic = await records.newTopic({values: numbered(2500)})
      expect((await readToEnd(member(topic), {maxMessages: 1234})).values).toEqual(numbered(1234))
      expect(await records.committed(topic, topic)).toEqual([1234])
      expect((await readToEnd(member(topic))).values).toEqual(numbered(1266, 1234))
    })

    test.concurrent('is committed as far as was acknowledged when a run fails', async () => {
      const topic = await records.newTopic({values: numbered(2500)})
      const {source} = openMember(member(topic))
      const failing = async () => {
        for await (const chunk of acknowledged(source)) if (chunk[0]?.position.offset === 1000n) throw new Error('401')
      }

      await expect(failing()).rejects.toThrow('401')
      await source.close()
      expect(await records.committed(topic, topic)).toEqual([1000])
    })

    test.concurrent('is not committed where nothing was acknowledged', async () => {
      const topic = await records.newTopic({values: numbered(10)})
      const {source} = openMember(member(topic))
      for await (const chunk of source.read(new AbortController().signal)) if (chunk.length > 0) break
      await source.close()
      expect(await records.committed(topic, topic)).toEqual([-1])
    })

    test.concurrent('takes no commit from who is not its member: it would be thought to be stored', async () => {
      const topic = await records.newTopic({values: numbered(10)})
      const consumer = createKafkaConsumer(member(topic).settings, {topic, group: topic, log: silentLogger})
      await expect(consumer.commit([{partition: 0, offset: 5n}])).rejects.toThrow('not a member')
      await consumer.run(idle)
      await consumer.close()
      await expect(consumer.commit([{partition: 0, offset: 5n}])).rejects.toThrow(UnavailableError)
      expect(await records.committed(topic, topic)).toEqual([-1])
    })

    test.concurrent('is told how much retention has taken, and keeps its place until it is told to go on with what is left', async () => {
      const topic = await records.newTopic({values: numbered(100)})
      await readToEnd(member(topic), {maxMessages: 30})
      await records.deleteBefore(topic, 0, 80)
      for (const attempt of ['first', 'second']) {
        const gone = '50 records of partition 0'
        await expect(readToEnd(member(topic)), attempt).rejects.toThrow(gone)
        expect(await records.committed(topic, topic), attempt).toEqual([30])
      }

      const {values, warnings} = await readToEnd({...member(topic), onOffsetGap: 'earliest'})
      expect(values).toEqual(numbered(20, 80))
      expect(warnings).toEqual([{event: 'kafka.offset_gap', partition: 0, from: '30', to: '80', lost: '50'}])
      expect(await records.committed(topic, topic)).toEqual([100])
    })

    test.concurrent('that has committed more than there is reads what there is, when it is told to', async () => {
      const topic = await records.newTopic({values: numbered(10)})
      await commitAsMember(member(topic), 500n)
      await expect(readToEnd(member(topic))).rejects.toThrow('ends at offset 10, and was read up to 500 before')
      const {values, warnings} = await readToEnd({...member(topic), onOffsetGap: 'earliest'})
      expect(values).toEqual(numbered(10))
      expect(warnings).toEqual([{event: 'kafka.offset_past_end', partition: 0, from: '500', end: '10', to: '0'}])
      expect(await records.committed(topic, topic)).toEqual([10])
    })
  })

  test.concurrent('delivers key, headers, timestamp and tombstones', async () => {
    const topic = await records.newTopic({values: [{key: 'k', value: 'v', headers: {h: 'x', twice: ['a', 'b']}}, null]})
    const [first, second] = (await readToEnd(member(topic))).messages
    expect(first!.value).toMatchObject({
      key: Buffer.from('k'),
      value: Buffer.from('v'),
      headers: {h: Buffer.from('x'), twice: [Buffer.from('a'), Buffer.from('b')]},
    })
    expect(Math.abs(first!.value.timestamp! - Date.now())).toBeLessThan(60_000)
    expect(second!.value).toMatchObject({key: null, value: null})
  })

  test.concurrent('that does not exist is a NotFoundError, at once, and is not made by looking for it', async () => {
    const topic = `absent-${randomUUID()}`
    const consumer = createKafkaConsumer(member(topic).settings, {topic, group: topic, log: silentLogger})
    for (const attempt of [() => consumer.run(idle), () => consumer.connect(), () => readToEnd(member(topic))]) {
      const error = await attempt().catch((cause: unknown) => cause)
      expect(error).toBeInstanceOf(NotFoundError)
      expect(error).toMatchObject({suggestion: expect.stringContaining('--topic') as string})
    }

    await consumer.close()
    await records.newTopic() // after which an earlier one would be there too
    expect(await records.admin.listTopics()).not.toContain(topic)
  })

  test.concurrent('may hold a message of 20 MB', async () => {
    const long = Buffer.alloc(20_000_000, 'x')
    const topic = await records.newTopic({values: ['before', long, 'after']})
    const {messages} = await readToEnd(member(topic))
    expect(messages.map(({value}) => value.value!.length)).toEqual([6, 20_000_000, 5])
    expect(messages[1]!.value.value!.equals(long)).toBe(true)
  })

  test('may hold 150,000 messages in one batch', async () => {
    const topic = await records.newTopic({values: numbered(150_000)})
    const {values} = await readToEnd(member(topic))
    expect(values).toHaveLength(150_000)
    expect(values.at(-1)).toBe('149999')
  })

  test('is let go of as often as need be, without a warning', async () => {
    const warnings: string[] = []
    const note = ({message}: Error) => void warnings.push(message)
    process.on('warning', note)
    const {Kafka, logLevel} = await loadKafkaJs()
    const admin = new Kafka({brokers: [useKafka().address], logLevel: logLevel.NOTHING}).admin()
    await admin.connect()
    await admin.disconnect()
    await new Promise((resolve) => setTimeout(resolve, 50)) // until the socket is closed
    for (let time = 0; time < 15; time++) await admin.disconnect() // as in an outage, each time that a reconnect fails
    await new Promise(setImmediate)
    process.off('warning', note)
    expect(warnings).toEqual([])
  })

  test('that nothing is written to leaves the process alone', async () => {
    const topic = await records.newTopic({values: ['first']})
    const [{source}, stop] = [openMember(member(topic)), new AbortController()]
    const chunks = acknowledged(source, stop.signal)
    for (let next = await chunks.next(); next.value?.length !== 1; next = await chunks.next());
    const waiting = chunks.next()

    const timers = vi.spyOn(globalThis, 'setTimeout')
    await new Promise((resolve) => setTimeout(resolve, 1000))
    const count = timers.mock.calls.length
    timers.mockRestore()
    expect(count).toBeLessThan(50) // kafkajs as it is sets one each millisecond and connection
    stop.abort()
    await waiting
    await source.close()
  })

  test('can be written and read by a process that says nothing by itself, and that ends by itself', async () => {
    const topic = await records.newTopic()
    const script = fileURLToPath(new URL('kafka-round-trip.ts', import.meta.url))
    const {stdout, stderr} = await promisify(execFile)(process.execPath, [script, useKafka().address, topic], {
      env: {PATH: process.env['PATH']},
    })
    expect({stdout, stderr}).toEqual({stdout: 'read 1000, 1000 committed\n', stderr: ''})
  })

  test.concurrent('on a broker that is not there is an UnavailableError after the patience, with what to check', async () => {
    const settings = plainSettings('127.0.0.1:1')
    const error = await readToEnd({settings, topic: 'any', retryForMilliseconds: 300}).catch((cause: unknown) => cause)
    expect(error).toBeInstanceOf(UnavailableError)
    expect(error).toMatchObject({
      message: expect.stringContaining('127.0.0.1:1') as string,
      suggestion: expect.stringContaining('--broker') as string,
    })
  })

  test('on a broker that does not answer is given up when the time to connect is over', async () => {
    const {port} = await serveSilence()
    const settings = {...plainSettings(`127.0.0.1:${port}`), connectTimeoutMilliseconds: 1000}
    const whoever = /takes connections and does not answer|timed out/ // two timers of the same length
    await expect(readToEnd({settings, topic: 'any', retryForMilliseconds: 0})).rejects.toThrow(whoever)
  })

  test('is read where the first broker of the list takes connections and does not answer', async () => {
    const topic = await records.newTopic({values: numbered(3)})
    const {port} = await serveSilence()
    const settings = {...member(topic).settings, brokers: [`127.0.0.1:${port}`, useKafka().address], connectTimeoutMilliseconds: 300}
    expect((await readToEnd({...member(topic), settings, retryForMilliseconds: 0})).values).toEqual(numbered(3))
  })
})

const nothing = async () => {}
const idle: ConsumerHandlers = {
  assigned() {},
  leaving: nothing,
  batch: nothing,
  passed() {},
  outOfRange: () => Promise.reject(new Error('is not asked for')),
  answered() {},
  broken: nothing,
}

/** kafkajs's administrator takes five seconds for it; a member must not look for the offset, or it is reset. */
async function commitAsMember({settings, topic}: MemberOptions, offset: bigint): Promise<void> {
  const consumer = createKafkaConsumer(settings, {topic, group: topic, log: silentLogger})
  const [fetched, closing] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()]
  const batch = () => {
    fetched.resolve(undefined)
    return closing.promise
  }
  await consumer.run({...idle, batch})
  await fetched.promise
  await consumer.commit([{partition: 0, offset}])
  setImmediate(() => closing.resolve(undefined))
  await consumer.close()
}
