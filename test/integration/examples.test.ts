import {readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {expect, onTestFinished, test} from 'vitest'
import {runScript} from '../commands/shell.ts'
import {describeWith, useInflux, useKafka, usePrometheus} from '../services/use.ts'
import {newBucket} from './influx-bucket.ts'
import {newOrg} from './influx-org.ts'
import {connectRecords} from './records.ts'

const EXAMPLES = fileURLToPath(new URL('../../examples', import.meta.url))
const run = (example: string, env?: Readonly<Record<string, string>>) => runScript(`bash "${join(EXAMPLES, example, 'run.sh')}"`, env)

describeWith('kafka', 'influx')('the example swat-to-influx', () => {
  test('stores every reading', async () => {
    const {url, org, token} = useInflux()
    const records = await connectRecords(useKafka().address)
    onTestFinished(() => records.close())
    const topic = await records.newTopic()
    const kafka = {KAFKA_BROKER: useKafka().address, KAFKA_TOPIC: topic, UCS_GROUP: topic}
    const influx = {INFLUX_URL: url, INFLUX_ORG: org, INFLUX_TOKEN: token, INFLUX_BUCKET: (await newBucket()).name}
    expect(run('swat-to-influx', {...kafka, ...influx})).toMatchObject({status: 0, stdout: 'stored: "written":10000\n'})
  })
})

describeWith('clickhouse')('the example sensors-to-clickhouse', () => {
  test('stores all rows but the broken one, and shows that', () => {
    const {status, stdout, stderr} = run('sensors-to-clickhouse')
    expect(status).toBe(0)
    expect(stderr).toContain('kafka-to-clickhouse: read 3000 written 3000')
    expect(JSON.parse(stdout)).toMatchObject({reason: {code: 'ragged row'}})
  })
})

describeWith('prometheus', 'influx')('the example prometheus-etl', () => {
  test('shows where each value comes from, and stores one cycle', async () => {
    const {url, org, token} = useInflux()
    const bucket = await newBucket()
    const influx = {INFLUXDB_URL: url, INFLUXDB_ORG: org, INFLUXDB_TOKEN: token, INFLUXDB_BUCKET: bucket.name, UCS_LOG_FILE: '/dev/null'}
    const {status, stdout} = run('prometheus-etl', {PROMETHEUS_URL: usePrometheus().url, ...influx})
    expect(status).toBe(0)
    expect(stdout).toMatch(/^interval +300 +config file etl\.yaml:\d+:3$/m)
    expect((await bucket.stored()).map(({_measurement}) => _measurement)).toContain('up')
  })
})

describeWith('influx')('the example buckets', () => {
  test('makes what is missing, finds it the next time, and keeps it as a file', async () => {
    const org = await newOrg()
    const {status, stdout} = run('buckets', org.env)
    expect(status).toBe(0)
    expect(stdout).toMatch(/^create +CO2 +retention 90d, shardDuration 7d, description "ppm"$/m)
    expect(stdout).toMatch(/^"skipped":\["Power Consumption",.*"Water"\]$/m)
    expect(await org.buckets()).toHaveLength(7)
  })
})

test('the example one-config shows whose value counts', () => {
  const {status, stdout} = run('one-config')
  expect(status).toBe(0)
  expect(stdout).toMatch(/^topic +north-line-1 +config file ucs\.yaml:5:3$/m)
  expect(stdout).toMatch(/^batch-size +500 +environment BATCH_SIZE$/m)
  expect(stdout).toMatch(/^topic +line-2 +flag --topic$/m)
})

test('every example is listed', () => {
  const folders = readdirSync(EXAMPLES, {withFileTypes: true}).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
  const page = readFileSync(join(EXAMPLES, 'README.md'), 'utf8')
  for (const folder of folders) expect(page).toContain(`[${folder}](${folder}/run.sh)`)
})
