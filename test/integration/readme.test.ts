import {existsSync, readdirSync, readFileSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {expect, onTestFinished, test} from 'vitest'
import {ucs} from '../commands/cli.ts'
import {runScript} from '../commands/shell.ts'
import {describeWith, useInflux, useKafka, usePrometheus} from '../services/use.ts'
import {newBucket} from './influx-bucket.ts'
import {connectRecords} from './records.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')

/** The block that follows a mark of the README: `<!-- run: kafka influx -->`. */
function blockAfter(mark: string): string {
  const [, block] = new RegExp(`<!-- ${mark} -->\\s+\`\`\`\\w*\\n([\\s\\S]*?)\`\`\``).exec(readme) ?? []
  if (block === undefined) throw new Error(`the README has no block marked "${mark}"`)
  return block
}

describeWith('kafka', 'influx')("the README's way from Kafka to InfluxDB", () => {
  test('stores all readings', async () => {
    const {url, org, token} = useInflux()
    const records = await connectRecords(useKafka().address)
    onTestFinished(() => records.close())
    const topic = await records.newTopic()
    const kafka = {KAFKA_BROKER: useKafka().address, KAFKA_TOPIC: topic, UCS_GROUP: topic}
    const influx = {INFLUX_URL: url, INFLUX_ORG: org, INFLUX_TOKEN: token, INFLUX_BUCKET: (await newBucket()).name}
    const {status, stderr} = runScript(blockAfter('run: kafka influx'), {...kafka, ...influx})
    expect(status).toBe(0)
    expect(stderr).toContain('kafka-to-influx: read 20000 written 20000')
  })
})

describeWith('prometheus', 'influx')("the README's way from Prometheus to InfluxDB", () => {
  test('stores what the six queries of the seed find', async () => {
    const {url, org, token} = useInflux()
    const bucket = await newBucket()
    const env = {PROMETHEUS_URL: usePrometheus().url, INFLUX_URL: url, INFLUX_ORG: org, INFLUX_TOKEN: token, INFLUX_BUCKET: bucket.name}
    const {status, stdout} = runScript(blockAfter('run: prometheus influx'), env)
    expect({status, stdout}).toEqual({status: 0, stdout: expect.stringMatching(/^up,.* value=1 \d+$/m) as string})
    expect((await bucket.stored()).map(({_measurement}) => _measurement)).toContain('up')
  })
})

describeWith('clickhouse')("the README's output of the demo", () => {
  test('is what it prints', async () => {
    const {stdout} = await ucs(['demo'])
    expect(blockAfter('demo').replaceAll('npx ucs', 'ucs')).toBe(stdout)
  })
})

test("the README's look before writing needs no server", () => {
  const {status, stdout} = runScript(blockAfter('run'))
  expect(status).toBe(0)
  expect(stdout.trim().split('\n')).toHaveLength(2)
})

test('every link from one page to another leads somewhere', () => {
  const pages = readdirSync(ROOT, {recursive: true, encoding: 'utf8'}).filter(
    (path) => path.endsWith('.md') && !/(^|\/)(node_modules|dist|\.[^/]+)\//.test(path),
  )
  for (const page of pages) {
    const text = readFileSync(join(ROOT, page), 'utf8')
    for (const [, target] of text.matchAll(/\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)/g))
      expect(existsSync(join(ROOT, dirname(page), target!)), `${page}: ${target}`).toBe(true)
  }
})
