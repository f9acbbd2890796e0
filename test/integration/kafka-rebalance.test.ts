import {afterAll, beforeAll, expect, test, vi} from 'vitest'
import {isBalanced} from '../../src/lib/core/ledger.ts'
import {describeWith, useKafka} from '../services/use.ts'
import {type Cluster, connectCluster} from './kafka-cluster.ts'
import {createLoad} from './kafka-load.ts'
import {plainSettings} from './kafka-member.ts'

describeWith('kafka')('members that join and leave under load', () => {
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await connectCluster(useKafka().address)
  })
  afterAll(() => cluster.close())

  test('read each message once, and commit none before it is stored', async () => {
    const topic = await cluster.newTopic({partitions: 6})
    const load = createLoad(plainSettings(useKafka().address), topic)
    const producer = load.startProducer()
    const one = load.startMember()
    await one.stores(300)
    const two = load.startMember()
    await two.stores(300)
    const three = load.startMember()
    await three.stores(300)
    await two.stop()
    await Promise.all([one.stores(300), three.stores(300)])
    const sent = await producer.stop()
    await vi.waitFor(() => expect(load.stored.size).toBe(sent.length), {timeout: 20_000})
    const ledgers = await Promise.all([one.stop(), three.stop()])

    expect(load.faults).toEqual([])
    expect(new Set(load.stored.keys())).toEqual(new Set(sent))
    expect([...load.stored].filter(([, times]) => times > 1)).toEqual([])
    for (const ledger of ledgers) expect(isBalanced(ledger)).toBe(true)
    const committed = await cluster.committed(topic, topic)
    expect(committed.reduce((sum, offset) => sum + offset, 0)).toBe(sent.length)
    for (const member of [one, two, three]) expect(member.warnings()).toEqual([])
  })
})
