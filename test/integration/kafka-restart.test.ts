import {afterAll, beforeAll, expect, test, vi} from 'vitest'
import {createKafkaProducer} from '../../src/lib/clients/kafka/producer.ts'
import {UnavailableError} from '../../src/lib/errors.ts'
import {systemClock} from '../../src/lib/runtime/clock.ts'
import {silentLogger} from '../fakes/logger.ts'
import {type KafkaServer, startKafka} from '../services/kafka.ts'
import {describeWithOwn} from '../services/use.ts'
import {type Cluster, connectCluster} from './kafka-cluster.ts'
import {createLoad} from './kafka-load.ts'
import {plainSettings} from './kafka-member.ts'

describeWithOwn('kafka')('a broker that is restarted under load', () => {
  let kafka: KafkaServer
  let cluster: Cluster
  beforeAll(async () => {
    kafka = await startKafka()
    cluster = await connectCluster(kafka.address)
  })
  afterAll(async () => {
    await cluster.close()
    await kafka.stop()
  })

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    'by %s loses nothing that it has acknowledged, and nothing that was committed',
    async (signal) => {
      const topic = await cluster.newTopic({partitions: 3})
      const load = createLoad(plainSettings(kafka.address), topic)
      const producer = load.startProducer()
      const members = [load.startMember(), load.startMember()]
      await Promise.all(members.map((member) => member.stores(100)))
      const other = createKafkaProducer(plainSettings(kafka.address), {topic: `${topic}-other`, clock: systemClock, log: silentLogger})
      await other.send([{key: null, value: 'before'}])
      await kafka.restart({
        signal,
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
    },
  )
})
