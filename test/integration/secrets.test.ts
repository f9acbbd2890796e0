import {readdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterAll, beforeAll, expect, test} from 'vitest'
import {startUcs, ucs} from '../commands/cli.ts'
import {freePorts} from '../services/free-ports.ts'
import {type KafkaServer, type SecureKafkaAddress, startSecureKafka} from '../services/kafka.ts'
import {describeWith, describeWithOwn, useInflux} from '../services/use.ts'
import {useFolders} from './folders.ts'
import {untilMetric} from './health.ts'
import {newBucket} from './influx-bucket.ts'
import {connectRecords, type Records} from './records.ts'
import {type Engine, newTableName, startEngine} from './sensor-table.ts'

/** Those of the servers, and wrong ones. None of these texts is a word of ours. */
const PASSWORD = {kafka: 'bob-pw', clickhouse: 'secret'}
const WRONG = 'Wr0ng+S3cret/#=='

const READINGS = [
  {Timestamp: '28/12/2015 10:00:00 AM', FIT101: 1.5},
  {Timestamp: '28/12/2015 10:00:01 AM', FIT101: 2.5},
].map((reading) => JSON.stringify(reading))
const EVENT = JSON.stringify({
  data: {co: 1, humidity: 1, light: false, lpg: 1, motion: true, smoke: 1, temp: 1},
  device_id: 'a',
  ts: 1_594_512_000,
})

describeWith('influx', 'clickhouse')('a secret', () => {
  describeWithOwn('kafka')('of a run that uses it', () => {
    const newFolder = useFolders()
    let kafka: KafkaServer & SecureKafkaAddress
    let records: Records
    let engine: Engine
    beforeAll(async () => {
      ;[kafka, engine] = await Promise.all([startSecureKafka(), startEngine()])
      records = await connectRecords(kafka.address)
    })
    afterAll(async () => {
      await Promise.all([records.close(), engine.close()])
      await kafka.stop()
    })

    const sasl = (password: string = PASSWORD.kafka) => ({
      KAFKA_BROKER: kafka.sasl,
      UCS_KAFKA_SASL: 'scram-sha-256',
      UCS_KAFKA_USERNAME: 'bob',
      UCS_KAFKA_PASSWORD: password,
    })
    const loud = {UCS_LOG_LEVEL: 'debug', UCS_LOG_FILE: 'ucs.log'}

    /** All that a run has left, but for the files that were to hold secrets. */
    const traces = (cwd: string) =>
      readdirSync(cwd, {recursive: true, withFileTypes: true})
        .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
        .map(({parentPath, name}) => readFileSync(join(parentPath, name), 'utf8'))
        .join('\n')

    const expectNoneIn = (text: string, secrets: readonly string[]) => {
      for (const secret of secrets) {
        for (const form of [secret, encodeURIComponent(secret), ...['base64', 'base64url', 'hex'].map((code) => encoded(secret, code))]) {
          expect(text).not.toContain(form)
        }
      }
    }
    const encoded = (text: string, code: string) => Buffer.from(text).toString(code as BufferEncoding)

    test('is in no output, log, dead letter or answer of its health port, when all goes well but for a message', async () => {
      const {token} = useInflux()
      const [cwd, bucket, [port]] = [newFolder(), await newBucket(), (await freePorts(1)) as [number]]
      writeFileSync(join(cwd, '.token'), `${token}\n`)
      const topic = await records.newTopic({values: [...READINGS, 'broken']})
      const env = {...sasl(), ...loud, INFLUX_URL: useInflux().url, INFLUX_BUCKET: bucket.name, KAFKA_TOPIC: topic}
      const args = ['kafka-to-influx', '--token-file', '.token', '--group', topic, '--flush-interval', '10ms', '--json']
      const {child, result} = startUcs([...args, '--health-port', String(port)], {env, cwd})
      await untilMetric(port, 'ucs_messages_written_total', 2)
      await untilMetric(port, 'ucs_messages_rejected_total', 1)
      const pages = await Promise.all(['', 'healthz', 'readyz', 'metrics', 'health'].map(async (page) => text(port, page)))
      child.kill('SIGTERM')
      const {code, stdout, stderr} = await result
      const config = await ucs(['config', 'show', 'kafka-to-influx', '--origin', '--token-file', '.token'], {env, cwd})
      const letters = await ucs(['dead-letters', 'list', 'dead-letters/kafka-to-influx.ndjson', '--values'], {env, cwd})
      expect({code, config: config.code, letters: letters.code}).toEqual({code: 0, config: 0, letters: 0})
      expect(traces(cwd)).toContain('broken') // the letter is among them
      expectNoneIn([stdout, stderr, ...pages, config.stdout, config.stderr, letters.stdout, letters.stderr, traces(cwd)].join('\n'), [
        token,
        PASSWORD.kafka,
      ])
    })

    interface Refusal {
      readonly how: string
      readonly args: readonly string[]
      readonly env: () => Record<string, string>
      readonly secrets: () => readonly string[]
    }

    test.concurrent.for<Refusal & {json: boolean}>(
      [
        {
          how: 'by Kafka, to kafka-to-influx',
          args: ['kafka-to-influx', '--until-end'],
          env: () => ({...sasl(WRONG), INFLUX_URL: useInflux().url, INFLUX_TOKEN: useInflux().token, INFLUX_BUCKET: 'first'}),
          secrets: () => [WRONG, useInflux().token],
        },
        {
          how: 'by Kafka, to produce',
          args: ['produce', '--file', 'sensors.csv', '--no-dry-run-fallback'],
          env: () => sasl(WRONG),
          secrets: () => [WRONG],
        },
        {
          how: 'by InfluxDB',
          args: ['kafka-to-influx', '--until-end'],
          env: () => ({...sasl(), INFLUX_URL: useInflux().url, INFLUX_TOKEN: WRONG}),
          secrets: () => [WRONG, PASSWORD.kafka],
        },
        {
          how: 'by ClickHouse',
          args: ['kafka-to-clickhouse', '--until-end'],
          env: () => ({...sasl(), CLICKHOUSE_URL: engine.facade.url, CLICKHOUSE_PASSWORD: WRONG, UCS_TABLE: newTableName()}),
          secrets: () => [WRONG, `default:${WRONG}`, PASSWORD.kafka],
        },
        {
          how: 'by ClickHouse, within its address',
          args: ['kafka-to-clickhouse', '--until-end'],
          env: () => ({...sasl(), CLICKHOUSE_URL: engine.facade.url.replace('//', `//default:${encodeURIComponent(WRONG)}@`)}),
          secrets: () => [WRONG, `default:${WRONG}`, PASSWORD.kafka],
        },
      ].flatMap((refusal) => [true, false].map((json) => ({...refusal, json}))),
    )('is in no output, log or cause when it is refused $how (json: $json)', async ({args, env, secrets, json}) => {
      const cwd = newFolder()
      await ucs(['sample', 'sensors', '--rows', '5', '--output', 'sensors.csv'], {cwd})
      const topic = await records.newTopic({values: [EVENT]})
      const given = {...env(), ...loud, KAFKA_TOPIC: topic, UCS_RETRY_FOR: '0'}
      const {code, stdout, stderr} = await ucs([...args, ...(json ? ['--json'] : [])], {cwd, env: given})
      expect({code, stderr}).toEqual({code: 77, stderr: expect.any(String) as string})
      expectNoneIn([stdout, stderr, traces(cwd)].join('\n'), secrets())
    })
  })
})

async function text(port: number, page: string): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}/${page}`)).text()
}
