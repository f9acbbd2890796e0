import {execFileSync} from 'node:child_process'
import {Kafka, type KafkaConfig, logLevel} from 'kafkajs'
import {expect, test} from 'vitest'
import {describeWith, useInflux, useKafka, usePrometheus} from '../services/use.ts'

test('a process that is started as "node" is the one that runs the tests', () => {
  expect(execFileSync('node', ['--version'], {encoding: 'utf8'}).trim()).toBe(process.version)
})

describeWith('kafka')('Kafka', () => {
  test('answers', async () => {
    expect(await brokersSeen({brokers: [useKafka().address]})).toBe(1)
  })
})

describeWith('influx')('InfluxDB', () => {
  test('is set up', async () => {
    const {url} = useInflux()
    const answer = await fetch(`${url}/api/v2/setup`)
    expect(await answer.json()).toEqual({allowed: false})
  })

  test('lets the token in', async () => {
    const {url, org, token} = useInflux()
    const answer = await fetch(`${url}/api/v2/buckets?org=${org}`, {headers: {authorization: `Token ${token}`}})
    expect(answer.status).toBe(200)
  })
})

describeWith('prometheus')('Prometheus', () => {
  test('has samples', async () => {
    const answer = await fetch(`${usePrometheus().url}/api/v1/query?query=up`)
    const {data} = (await answer.json()) as {data: {result: unknown[]}}
    expect(data.result).not.toEqual([])
  })
})

const clientOf = (config: KafkaConfig) => new Kafka({retry: {retries: 0}, logLevel: logLevel.NOTHING, ...config})

async function brokersSeen(config: KafkaConfig): Promise<number> {
  const admin = clientOf(config).admin()
  try {
    await admin.connect()
    return (await admin.describeCluster()).brokers.length
  } finally {
    await admin.disconnect()
  }
}
