import type {Kafka, Message, Producer} from 'kafkajs'
import type {Clock, Logger} from '../../core/types.ts'
import type {KafkaSettings} from './connection.ts'
import {orAborted} from '../../core/or-aborted.ts'
import {within} from '../../core/within.ts'
import {PartialWriteError, UnavailableError} from '../../errors.ts'
import {createKafka, loadKafkaJs} from './connection.ts'
import {innermost, translateKafkaError} from './errors.ts'
import {decidingOnce, rememberingKeys} from './partitioner.ts'

export interface OutgoingRecord {
  readonly key: Buffer | string | null
  readonly value: Buffer | string | null
  readonly headers?: Record<string, string | Buffer>
}

/** Records to one topic. A topic that does not exist comes into being where the broker allows it. */
export interface KafkaProducer {
  /** The topic and its brokers. */
  readonly target: string
  /** One attempt to reach a broker and then to find the topic, each within the connect timeout. */
  connect(signal: AbortSignal): Promise<void>
  /** Resolves when all replicas in sync have the records. */
  send(records: readonly OutgoingRecord[]): Promise<void>
  /** Does not wait for answers that are still missing. */
  close(): Promise<void>
}

/** The broker takes no batch of this size, or not one of its records; what went to other partitions may be stored. */
export class KafkaRefusal extends PartialWriteError {}

export interface ProducerOptions {
  readonly topic: string
  readonly clock: Clock
  readonly log: Logger
}

export function createKafkaProducer(settings: KafkaSettings, {topic, clock, log}: ProducerOptions): KafkaProducer {
  const doing = `writing to topic "${topic}"`
  const brokers = settings.brokers.join(', ')
  let pending = 0
  let running: Promise<Producer> | undefined
  let connected: Producer | undefined
  let isClosed = false

  return {
    target: `topic "${topic}" at ${brokers}`,
    async connect(signal) {
      const kafka = await createKafka(settings, 'one attempt', log)
      for (const step of [reachBroker, findTopic]) await orAborted(() => promptly(() => step(kafka)), signal)
    },
    async send(records) {
      pending++
      try {
        running ??= start().catch((cause: unknown) => {
          running = undefined
          throw cause
        })
        await sendAll(await running, records)
      } catch (error) {
        const cause = innermost(error)
        if (/MESSAGE_TOO_LARGE|RECORD_LIST_TOO_LARGE|INVALID_RECORD/.test(String(cause.type)))
          throw new KafkaRefusal(cause.message, {cause: error})
        throw translateKafkaError(error, doing, settings)
      } finally {
        pending--
      }
    },
    async close() {
      isClosed = true
      const closing = connected?.disconnect() // which waits for all answers
      if (pending === 0) await closing
      else closing?.catch(() => {})
    },
  }

  /** kafkajs bounds each request, but not a handshake of many with a port that never answers. */
  function promptly(step: () => Promise<void>): Promise<void> {
    const limit = settings.connectTimeoutMilliseconds * settings.brokers.length // each of them may be the one that does not answer
    const suggestion = 'Is the broker running? Check --broker or KAFKA_BROKER'
    const late = () => new UnavailableError(`${doing}: ${brokers} did not answer within ${limit / 1000} s`, {suggestion})
    return within(limit, step, clock, late)
  }

  /**
   * kafkajs asks no broker twice that has answered. Where another failed, and its partitions have moved there, it reports success
   * without having sent them: so what no partition has answered for is sent again.
   */
  async function sendAll(producer: Producer, records: readonly OutgoingRecord[]): Promise<void> {
    let messages: Message[] = records.map((record) => ({...record}))
    while (messages.length > 0) {
      const answers = await producer.send({topic, acks: -1, messages})
      const answered = new Set(answers.map(({partition}) => partition))
      const left = messages.filter(({partition}) => !answered.has(partition!))
      if (left.length === messages.length) throw new UnavailableError(`${doing}: no partition answered`)
      messages = left
    }
  }

  async function start(): Promise<Producer> {
    const {Partitioners} = await loadKafkaJs()
    const kafka = await createKafka(settings, 'few attempts', log)
    await findTopic(kafka)
    const createPartitioner = decidingOnce(rememberingKeys(Partitioners.DefaultPartitioner))
    const producer = kafka.producer({createPartitioner, allowAutoTopicCreation: true})
    await producer.connect()
    if (isClosed) await producer.disconnect()
    connected = producer
    return producer
  }

  async function reachBroker(kafka: Kafka): Promise<void> {
    const admin = kafka.admin()
    try {
      await admin.connect()
      await admin.describeCluster()
    } catch (error) {
      throw translateKafkaError(error, doing, settings)
    } finally {
      await admin.disconnect()
    }
  }

  /** Asking for a topic's metadata is what creates it; a new one takes a moment to have a leader. */
  async function findTopic(kafka: Kafka): Promise<void> {
    const {Partitioners} = await loadKafkaJs()
    const retry = {retries: 8, initialRetryTime: 100, maxRetryTime: 500}
    const producer = kafka.producer({
      createPartitioner: Partitioners.DefaultPartitioner,
      allowAutoTopicCreation: true,
      retry,
    })
    try {
      await producer.connect()
      await producer.send({topic, messages: []})
    } catch (error) {
      throw translateKafkaError(error, doing, settings)
    } finally {
      await producer.disconnect()
    }
  }
}
