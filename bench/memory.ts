import type {Bench} from './bench.ts'
import {createBucket} from './influx.ts'
import {runUcs} from './kafka-to-influx.ts'
import {row} from './measure.ts'
import {fillTopic} from './swat-topic.ts'

const LAGS = (process.env['LAGS'] ?? '100000,1000000').split(',').map(Number)

/** The most memory that kafka-to-influx takes, by how many messages wait for it: it should not grow with them. */
export async function benchMemory(bench: Bench): Promise<void> {
  row(['messages waiting', 'seconds', 'messages/s', 'peak MB'])
  for (const messages of LAGS) {
    const topic = `bench-memory-${messages}-${Date.now()}`
    await fillTopic(bench.kafka, topic, messages)
    const bucket = await createBucket(bench.influx, topic)
    const {seconds, peakMegabytes} = await runUcs(bench, {topic, group: topic, bucket, messages})
    row([messages, seconds.toFixed(1), Math.round(messages / seconds), Math.round(peakMegabytes)])
  }
}
