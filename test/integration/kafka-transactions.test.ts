import type {Transaction} from 'kafkajs'
import {afterAll, beforeAll, expect, test, vi} from 'vitest'
import {describeWith, useKafka} from '../services/use.ts'
import {type Cluster, connectCluster} from './kafka-cluster.ts'
import {plainSettings, readToEnd} from './kafka-member.ts'

describeWith('kafka')('transactions', () => {
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await connectCluster(useKafka().address)
  })
  afterAll(() => cluster.close())

  const member = (topic: string) => ({settings: plainSettings(useKafka().address), topic})
  const send = (transaction: Transaction, topic: string, values: readonly string[], partition = 0) =>
    transaction.send({topic, messages: values.map((value) => ({value, partition}))})
  /** A transaction's end is written a moment after it was promised, and a topic that is asked before that ends before it. */
  const untilEndsAt = (topic: string, end: number) =>
    vi.waitFor(
      async () => {
        const ends = await cluster.admin.fetchTopicOffsets(topic)
        expect(ends.reduce((sum, {high}) => sum + Number(high), 0)).toBe(end)
      },
      {timeout: 20_000},
    )

  test.concurrent('are read to the end where partitions hold committed records, aborted ones only, or none', async () => {
    const topic = await cluster.newTopic({partitions: 4})
    const producer = await cluster.transactions(topic)
    for (const [name, partition, ending] of [
      ['a', 0, 'commit'],
      ['b', 1, 'abort'],
      ['c', 0, 'abort'],
      ['d', 2, 'commit'],
      ['e', 2, 'abort'],
    ] as const) {
      const transaction = await producer.transaction()
      await send(transaction, topic, [`${name}0`, `${name}1`], partition)
      await transaction[ending]()
    }

    await untilEndsAt(topic, 15)
    const {values} = await readToEnd(member(topic))
    expect([...values].sort()).toEqual(['a0', 'a1', 'd0', 'd1'])
    expect(await cluster.committed(topic, topic)).toEqual([6, 3, 6, -1])
    expect((await readToEnd(member(topic))).values).toEqual([])
  })

  test.concurrent('are read where they stand between other records, and stopped between them', async () => {
    const topic = await cluster.newTopic({values: ['0']})
    const producer = await cluster.transactions(topic)
    for (const [values, ending] of [
      [['1', '2'], 'commit'],
      [['x', 'y'], 'abort'],
      [['3', '4'], 'commit'],
    ] as const) {
      const transaction = await producer.transaction()
      await send(transaction, topic, values)
      await transaction[ending]()
    }

    await untilEndsAt(topic, 10)
    expect((await readToEnd(member(topic), {maxMessages: 2})).values).toEqual(['0', '1'])
    expect(await cluster.committed(topic, topic)).toEqual([2])
    expect((await readToEnd(member(topic))).values).toEqual(['2', '3', '4'])
  })

  test.concurrent('that were aborted are left out also where those of two producers overlap', async () => {
    const topic = await cluster.newTopic()
    const [one, other] = [await cluster.transactions(`${topic}-1`), await cluster.transactions(`${topic}-2`)]
    const longer = await one.transaction()
    await send(longer, topic, ['aborted 0', 'aborted 1'])
    const shorter = await other.transaction()
    await send(shorter, topic, ['aborted 2', 'aborted 3'])
    await shorter.abort()
    await send(longer, topic, ['aborted 4'])
    await longer.abort()
    const last = await other.transaction()
    await send(last, topic, ['committed'])
    await last.commit()
    await untilEndsAt(topic, 9)
    expect((await readToEnd(member(topic))).values).toEqual(['committed'])
  })

  test.concurrent('that were aborted are left out also when reading begins in the middle of two', async () => {
    const topic = await cluster.newTopic({values: ['before']})
    const [one, other] = [await cluster.transactions(`${topic}-1`), await cluster.transactions(`${topic}-2`)]
    const [first, second] = [await one.transaction(), await other.transaction()]
    await send(first, topic, ['aborted 0'])
    await send(second, topic, ['aborted 1'])
    await cluster.send(topic, ['between'])
    await send(second, topic, ['aborted 2'])
    await send(first, topic, ['aborted 3'])
    await cluster.send(topic, ['after'])
    await first.abort()
    await second.abort()
    await untilEndsAt(topic, 9)
    expect((await readToEnd(member(topic), {maxMessages: 2})).values).toEqual(['before', 'between'])
    expect((await readToEnd(member(topic))).values).toEqual(['after'])
  })

  test.concurrent('that were aborted are left out also after a record whose key is the number 0', async () => {
    const topic = await cluster.newTopic()
    const producer = await cluster.transactions(topic)
    const aborted = await producer.transaction()
    await aborted.send({topic, messages: [{key: Buffer.alloc(4), value: 'aborted 0'}, {value: 'aborted 1'}]})
    await aborted.abort()
    const committed = await producer.transaction()
    await committed.send({topic, messages: [{key: Buffer.alloc(4), value: 'committed'}]})
    await committed.commit()
    await untilEndsAt(topic, 5)
    expect((await readToEnd(member(topic))).values).toEqual(['committed'])
  })

  test.concurrent('that are still open are neither read nor waited for', async () => {
    const topic = await cluster.newTopic({values: ['before']})
    const open = await (await cluster.transactions(topic)).transaction()
    await send(open, topic, ['open'])
    await cluster.send(topic, ['behind it'])
    expect((await readToEnd(member(topic))).values).toEqual(['before'])
    await open.commit()
    await untilEndsAt(topic, 4)
    expect((await readToEnd(member(topic))).values).toEqual(['open', 'behind it'])
  })
})
