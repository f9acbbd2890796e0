import type {Admin, Kafka, Producer, ProducerConfig} from 'kafkajs'
import {loadKafkaJs} from '../../src/lib/clients/kafka/connection.ts'
import {connectRecords, type Records} from './records.ts'

/** Records, and what only an administrator or another client may do. */
export interface Cluster extends Records {
  readonly admin: Admin
  readonly producer: Producer
  /** As retention does. */
  deleteBefore(topic: string, partition: number, offset: number): Promise<void>
  /** A producer of its own, whose records are committed or aborted together. */
  transactions(id: string): Promise<Producer>
  /** A producer of its own that numbers its batches. */
  idempotent(): Promise<Producer>
}

export async function connectCluster(address: string): Promise<Cluster> {
  const {Kafka: Client, logLevel, Partitioners} = await loadKafkaJs()
  const kafka: Kafka = new Client({brokers: [address], logLevel: logLevel.NOTHING, retry: {retries: 5}})
  const [records, admin] = [await connectRecords(address), kafka.admin()]
  const producers: Producer[] = []
  await admin.connect()

  async function connectProducer(config: ProducerConfig): Promise<Producer> {
    const producer = kafka.producer({
      ...config,
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: Partitioners.DefaultPartitioner,
    })
    producers.push(producer)
    await producer.connect()
    return producer
  }

  const producer = kafka.producer({createPartitioner: Partitioners.DefaultPartitioner})
  producers.push(producer)
  await producer.connect()
  return {
    ...records,
    admin,
    producer,
    async deleteBefore(topic, partition, offset) {
      await admin.fetchTopicOffsets(topic) // or it does not know the topic
      await admin.deleteTopicRecords({topic, partitions: [{partition, offset: String(offset)}]})
    },
    transactions: (id) => connectProducer({transactionalId: id}),
    idempotent: () => connectProducer({}),
    async close() {
      await Promise.all([records.close(), admin.disconnect(), ...producers.map((producer) => producer.disconnect())])
    },
  }
}
