import {randomUUID} from 'node:crypto'
import {once} from 'node:events'
import {connect} from 'node:net'
import type {Admin, IHeaders, KafkaMessage, Producer} from 'kafkajs'
import {loadKafkaJs} from '../../src/lib/clients/kafka/connection.ts'
import {until} from '../services/until.ts'

/** What a test puts into topics of its own, and asks the broker about. */
export interface Records {
  newTopic(options?: TopicOptions): Promise<string>
  /** In one batch, of one partition. */
  send(topic: string, values: readonly TestValue[], partition?: number): Promise<void>
  /** All that is in it, in the order of partitions and offsets. */
  read(topic: string): Promise<readonly StoredRecord[]>
  /** How many records were ever written to it. */
  count(topic: string): Promise<number>
  /** How far a group has committed, by partition; -1 where it has not. */
  committed(topic: string, group: string): Promise<readonly number[]>
  /** Removes members of a group that were killed, as the broker does when their session of 30 s is over; all of them if none is named. */
  bury(group: string, members?: readonly string[]): Promise<void>
  close(): Promise<void>
}

export interface StoredRecord {
  readonly partition: number
  readonly offset: number
  readonly key: string | undefined
  readonly value: string | undefined
  readonly headers: Readonly<Record<string, string>>
}

export interface TopicOptions {
  readonly partitions?: number
  readonly settings?: Readonly<Record<string, string>>
  /** What is in it at once. */
  readonly values?: readonly TestValue[]
}

/** Null is a tombstone. */
export type TestValue = string | Buffer | null | {readonly key: string; readonly value: string; readonly headers: IHeaders}

export async function connectRecords(address: string): Promise<Records> {
  const {Kafka, logLevel, Partitioners} = await loadKafkaJs()
  const kafka = new Kafka({brokers: [address], logLevel: logLevel.NOTHING, retry: {retries: 5}})
  // One that may ask for topics that the broker does not know yet: kafkajs lets every question of such a client fail.
  const [creator, admin]: [Admin, Admin] = [kafka.admin(), kafka.admin()]
  const producer: Producer = kafka.producer({createPartitioner: Partitioners.DefaultPartitioner})
  await Promise.all([creator.connect(), admin.connect(), producer.connect()])
  const made: string[] = []

  const send: Records['send'] = async (topic, values, partition = 0) => {
    const messages = values.map((value) => ({...(isBare(value) ? {value} : value), partition}))
    await producer.send({topic, messages})
  }

  const endsOf = async (topic: string) => {
    const ranges = await admin.fetchTopicOffsets(topic)
    return ranges.map(({partition, high}) => ({partition, end: Number(high)}))
  }

  return {
    send,
    async newTopic({partitions = 1, settings = {}, values = []} = {}) {
      const topic = `test-${randomUUID()}`
      const configEntries = Object.entries(settings).map(([name, value]) => ({name, value}))
      await creator.createTopics({waitForLeaders: false, topics: [{topic, numPartitions: partitions, configEntries}]})
      await until(() => creator.fetchTopicOffsets(topic), 20_000)
      made.push(topic)
      if (values.length > 0) await send(topic, values)
      return topic
    },
    async read(topic) {
      const open = new Map((await endsOf(topic)).filter(({end}) => end > 0).map(({partition, end}) => [partition, end]))
      const found: StoredRecord[] = []
      if (open.size === 0) return found
      const complete = Promise.withResolvers<undefined>()
      const consumer = kafka.consumer({groupId: randomUUID(), maxWaitTimeInMs: 50})
      await consumer.connect()
      await consumer.subscribe({topic, fromBeginning: true})
      await consumer.run({
        eachBatch: async ({batch}) => {
          const {partition} = batch
          for (const message of batch.messages) found.push({...recordOf(message), partition, offset: Number(message.offset)})
          if (Number(batch.lastOffset()) + 1 >= (open.get(partition) ?? 0)) open.delete(partition)
          if (open.size === 0) complete.resolve(undefined)
        },
      })
      await complete.promise
      await consumer.disconnect()
      return found.sort((a, b) => a.partition - b.partition || a.offset - b.offset)
    },
    count: async (topic) => (await endsOf(topic)).reduce((sum, {end}) => sum + end, 0),
    async committed(topic, group) {
      const [found] = await admin.fetchOffsets({groupId: group, topics: [topic]})
      return (found?.partitions ?? []).sort((a, b) => a.partition - b.partition).map(({offset}) => Number(offset))
    },
    async bury(group, members) {
      const {groups} = await admin.describeGroups([group])
      const known = groups[0]?.members.map(({memberId}) => memberId) ?? []
      for (const member of known) if (!members || members.includes(member)) await leaveGroup(address, group, member)
    },
    async close() {
      if (made.length > 0) await admin.deleteTopics({topics: made}) // the broker may be somebody's own
      await Promise.all([creator.disconnect(), admin.disconnect(), producer.disconnect()])
    },
  }
}

const isBare = (value: TestValue) => value === null || typeof value === 'string' || Buffer.isBuffer(value)

function recordOf({key, value, headers = {}}: Pick<KafkaMessage, 'key' | 'value' | 'headers'>): Omit<StoredRecord, 'partition' | 'offset'> {
  const texts = Object.entries(headers).map(([name, text]) => [name, String(text)])
  return {key: key?.toString(), value: value?.toString(), headers: Object.fromEntries(texts) as Record<string, string>}
}

const LEAVE_GROUP = 13

/** Version 0 of the request, which anyone may send for a member: https://kafka.apache.org/protocol.html */
async function leaveGroup(address: string, group: string, member: string): Promise<void> {
  const [host, port] = address.split(/:(?=\d+$)/)
  const header = Buffer.alloc(10)
  header.writeInt16BE(LEAVE_GROUP, 0)
  header.writeInt16BE(-1, 8) // no client's name
  const body = Buffer.concat([header, textOf(group), textOf(member)])
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length)
  const socket = connect({host: host!, port: Number(port)})
  try {
    socket.write(Buffer.concat([length, body]))
    const [answer] = (await once(socket, 'data')) as [Buffer]
    const error = answer.readInt16BE(8)
    if (error !== 0) throw new Error(`the broker does not let ${member} leave ${group}: error ${error}`)
  } finally {
    socket.destroy()
  }
}

function textOf(text: string): Buffer {
  const bytes = Buffer.from(text)
  const length = Buffer.alloc(2)
  length.writeInt16BE(bytes.length)
  return Buffer.concat([length, bytes])
}
