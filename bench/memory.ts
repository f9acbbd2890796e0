import type {Bench} from './bench.ts'
import {createBucket} from './influx.ts'
import {runUcs} from './kafka-to-influx.ts'
import {row} from './measure.ts'
import {startSlowServer} from './slow-server.ts'
import {fillTopic, largeEvents, swatEvents} from './topic.ts'

const LAGS = (process.env['LAGS'] ?? '100000,1000000').split(',').map(Number)
const SLOW_MESSAGES = Number(process.env['SLOW_MESSAGES'] ?? 2_000_000)
const LARGE_MESSAGES = Number(process.env['LARGE_MESSAGES'] ?? 2000)
const LARGE_BYTES = 1_000_000
const SLOW_MILLISECONDS = 400
/** Some 25,000 messages a second, with two writes of 5000 under way. */
const SLOW = `${SLOW_MILLISECONDS} ms a write`

/** The most memory that kafka-to-influx takes: it should not grow with what waits in the topic, how slow the server is, or what a message weighs. */
export async function benchMemory(bench: Bench): Promise<void> {
  row(['', 'messages', 'seconds', 'messages/s', 'peak MB'])
  for (const messages of LAGS) {
    const topic = await newTopic('lag', messages, swatEvents(messages))
    const bucket = await createBucket(bench.influx, topic)
    await measure('InfluxDB', bench, {topic, bucket, messages})
  }

  const slow = await startSlowServer(SLOW_MILLISECONDS)
  const beside = {...bench, influx: {...bench.influx, url: slow.url}}
  const topic = await newTopic('slow', SLOW_MESSAGES, swatEvents(SLOW_MESSAGES))
  await measure(SLOW, beside, {topic, bucket: topic, messages: SLOW_MESSAGES})
  const large = await newTopic('large', LARGE_MESSAGES, largeEvents(LARGE_MESSAGES, LARGE_BYTES))
  await measure(`${SLOW}, 1 MB a message`, beside, {topic: large, bucket: large, messages: LARGE_MESSAGES})
  await slow.close()

  async function newTopic(name: string, messages: number, events: Iterable<string>): Promise<string> {
    const topic = `bench-memory-${name}-${messages}-${Date.now()}`
    await fillTopic(bench.kafka, topic, events)
    return topic
  }
}

async function measure(title: string, bench: Bench, run: {topic: string; bucket: string; messages: number}): Promise<void> {
  const {seconds, peakMegabytes} = await runUcs(bench, {...run, group: run.topic})
  row([title, run.messages, seconds.toFixed(1), Math.round(run.messages / seconds), Math.round(peakMegabytes)])
}
