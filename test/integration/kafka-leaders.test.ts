import {randomUUID} from 'node:crypto'
import {afterAll, beforeAll, expect, test, vi} from 'vitest'
import {startTwoBrokers} from '../services/kafka.ts'
import {describeWithOwn} from '../services/use.ts'
import {type Cluster, connectCluster} from './kafka-cluster.ts'
import {createLoad} from './kafka-load.ts'
import {plainSettings} from './kafka-member.ts'

const MESSAGES = 8000
const MOVES = 4

describeWithOwn('kafka')('leaders that move between brokers while their topic is read', () => {
  let brokers: Awaited<ReturnType<typeof startTwoBrokers>>
  let cluster: Cluster
  beforeAll(async () => {
    brokers = await startTwoBrokers()
    cluster = await connectCluster(brokers.addresses[0])
  })
  afterAll(async () => {
    await cluster?.close()
    await brokers?.stop()
  })

  test('let no message be passed over, stored twice, or committed before it is stored', async () => {
    const topic = await newTopic([[1], [2], [2], [2]])
    for (const partition of [1, 2, 3]) {
      const values = Array.from({length: MESSAGES}, (_, index) => `${partition}/${index} ${'x'.repeat(200)}`)
      for (let from = 0; from < MESSAGES; from += 1000) await cluster.send(topic, values.slice(from, from + 1000), partition)
    }

    const load = createLoad({...plainSettings(''), brokers: brokers.addresses}, topic)
    const member = load.startMember()
    for (let move = 1; move <= MOVES; move++) {
      await member.stores(MESSAGES / 4)
      await moveLeader(topic, 0, move % 2 === 0 ? 1 : 2)
    }

    await vi.waitFor(() => expect(load.stored.size).toBe(3 * MESSAGES), {timeout: 30_000})
    const {written} = await member.stop()
    expect(load.faults).toEqual([])
    expect([...load.stored].filter(([, times]) => times > 1)).toEqual([])
    expect(written).toBe(3 * MESSAGES)
    expect(await cluster.committed(topic, topic)).toEqual([-1, MESSAGES, MESSAGES, MESSAGES])
  })

  test('fail over when a broker is killed, and lose nothing that was acknowledged or committed', async () => {
    const topic = await newTopic([
      [2, 1],
      [1, 2],
      [2, 1],
    ])
    const load = createLoad({...plainSettings(''), brokers: brokers.addresses}, topic)
    const [producer, member] = [load.startProducer(), load.startMember()]
    await member.stores(500)
    await brokers.second.restart({signal: 'SIGKILL', whileDown: () => member.stores(500)})
    await member.stores(500)
    const sent = await producer.stop()
    await vi.waitFor(() => expect(load.stored.size).toBe(sent.length), {timeout: 30_000})
    await member.stop()
    expect(load.faults).toEqual([])
    const committed = await cluster.committed(topic, topic)
    expect(committed.reduce((sum, offset) => sum + offset, 0)).toBeGreaterThanOrEqual(sent.length)
  })

  async function newTopic(replicas: readonly (readonly number[])[]): Promise<string> {
    const topic = `test-${randomUUID()}`
    const replicaAssignment = replicas.map((brokers, partition) => ({partition, replicas: [...brokers]}))
    await cluster.admin.createTopics({
      waitForLeaders: false,
      topics: [{topic, numPartitions: -1, replicationFactor: -1, replicaAssignment}],
    })
    await vi.waitFor(() => untilEachBrokerKnows(topic), {timeout: 20_000})
    return topic
  }

  /** A question goes to any of them, and kafkajs gives up where one has not heard of the topic. */
  async function untilEachBrokerKnows(topic: string): Promise<void> {
    for (let asked = 0; asked < 20; asked++) await cluster.admin.fetchTopicMetadata({topics: [topic]})
  }

  async function moveLeader(topic: string, partition: number, broker: number): Promise<void> {
    await cluster.admin.alterPartitionReassignments({topics: [{topic, partitionAssignment: [{partition, replicas: [broker]}]}]})
  }
})
