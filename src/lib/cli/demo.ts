import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {createWriteStream} from 'node:fs'
import {mkdir} from 'node:fs/promises'
import {join} from 'node:path'
import type {ClickHouse} from '../clients/clickhouse.ts'
import type {JsonResult} from './report.ts'
import {IoError, UsageError} from '../errors.ts'
import {sampleLines} from '../jobs/sample-data.ts'
import {createLinesSink} from '../sinks/lines.ts'
import {formatTable} from './table.ts'

export interface DemoOptions {
  /** Where everything goes. */
  readonly folder: string
  readonly rows: number
  /** How to start this program again: its executable and first arguments. */
  readonly program: readonly [string, ...string[]]
  /** How a person starts it: "ucs", or "npx ucs" where it is not installed. */
  readonly name: string
  say(line: string): void
  readonly signal: AbortSignal
}

export interface DemoResult {
  readonly engine: 'embedded' | 'none'
  readonly folder: string
  readonly ledger: JsonResult['ledger']
}

const SEED = 1

/**
 * The seed's scenario without a server: a synthetic CSV, its events down a pipe, and rows in the embedded engine.
 * Where that engine has no build, the events and the points they make are left in files instead.
 */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const {folder, rows, name, say, signal} = options
  await mkdir(folder, {recursive: true}).catch((cause: Error) => {
    throw new IoError(`cannot make the folder ${folder}: ${cause.message}`, {cause})
  })
  const csv = join(folder, 'sensor_data.csv')
  await writeSample(csv, rows)
  say(`1  ${csv}: ${rows} synthetic readings of three devices`)
  const produce = ['produce', '--file', csv, '--device', 'all', '--rows', 'all', '--pause', '0', '--output', '-', '--quiet']

  const data = join(folder, 'clickhouse')
  const client = await openEngine(data).catch((error: unknown) => {
    if (!(error instanceof UsageError)) throw error
    say(`   ${error.message}: files instead`)
    return undefined
  })
  if (!client) return withoutEngine(options, produce)

  await client.command('DROP TABLE IF EXISTS `default`.`sensor_data`', signal)
  await client.close()
  say('2  ucs produce … --output - | ucs kafka-to-clickhouse --input - --embedded …')
  const consume = ['kafka-to-clickhouse', '--input', '-', '--embedded', data, '--json', '--quiet']
  const {ledger} = await pipe(options.program, produce, consume)
  say(`3  ledger: read ${ledger?.read} written ${ledger?.written} rejected ${ledger?.rejected}`)
  say(await deviceTable(data, signal))
  say(`4  the data lies in ${data}; try next:`)
  say(`   ${name} produce --file ${csv} --device A --rows 3 --dry-run`)
  say(`   ${name} produce --file ${csv} --rows 3 --pause 0 --output - | ${name} kafka-to-influx --preset sensors --input - --dry-run`)
  say(`   ${name} sample swat --rows 86400 --output swat.csv`)
  return {engine: 'embedded', folder, ledger}
}

async function writeSample(path: string, rows: number): Promise<void> {
  const output = createWriteStream(path)
  const sink = createLinesSink<string>({output, name: path, toText: (line) => line, prints: false})
  for (const lines of sampleLines('sensors', rows, SEED)) await sink.send(lines, {token: '', signal: new AbortController().signal})
  output.end()
  await once(output, 'close')
}

async function openEngine(folder: string): Promise<ClickHouse> {
  const {openEmbeddedClickHouse} = await import('../clients/clickhouse-embedded.ts')
  return openEmbeddedClickHouse(folder)
}

async function withoutEngine({folder, program, name, say}: DemoOptions, produce: readonly string[]): Promise<DemoResult> {
  const [events, points] = [join(folder, 'events.ndjson'), join(folder, 'points.lp')]
  await pipe(program, produce, undefined, events)
  say(`2  ${events}: the events as they would go to Kafka`)
  const {ledger} = await pipe(program, produce, ['kafka-to-influx', '--preset', 'sensors', '--input', '-', '--dry-run', '--quiet'], points)
  say(`3  ${points}: the same as line protocol for InfluxDB`)
  say('4  try next:')
  say(`   head -2 ${events} ${points}`)
  say(`   ${name} sample swat --rows 86400 --output swat.csv`)
  say(`   ${name} kafka-to-clickhouse --print-ddl`)
  return {engine: 'none', folder, ledger}
}

/** Runs one or two of our own commands, the second reading what the first prints. Its result is JSON, unless its output goes to a file. */
async function pipe(
  [node, ...start]: readonly [string, ...string[]],
  first: readonly string[],
  second?: readonly string[],
  file?: string,
): Promise<Partial<JsonResult>> {
  const producer = spawn(node, [...start, ...first], {stdio: ['ignore', 'pipe', 'inherit']})
  const consumer = second && spawn(node, [...start, ...second], {stdio: [producer.stdout, 'pipe', 'inherit']})
  if (consumer) producer.stdout.destroy() // the consumer has it now; held open here, a producer would outlive its reader
  const output = (consumer ?? producer).stdout
  const text = file === undefined ? readAll(output) : writeAll(output, file)
  const codes = await Promise.all(
    [producer, ...(consumer ? [consumer] : [])].map(async (child) => (await once(child, 'close'))[0] as number | null),
  )
  const failed = codes.find((code) => code !== 0)
  if (failed !== undefined) throw new IoError(`a part of the demo ended with exit code ${failed}: what it said stands above`)
  const printed = await text
  return printed === '' ? {} : (JSON.parse(printed) as JsonResult)
}

async function readAll(output: AsyncIterable<Buffer | string>): Promise<string> {
  let text = ''
  for await (const piece of output) text += String(piece)
  return text
}

async function writeAll(output: NodeJS.ReadableStream, file: string): Promise<string> {
  await once(output.pipe(createWriteStream(file)), 'close')
  return ''
}

async function deviceTable(folder: string, signal: AbortSignal): Promise<string> {
  const client = await openEngine(folder)
  try {
    const devices = await client.query<Record<string, string | number>>(
      `SELECT device_id, count() AS rows, round(avg(temp), 2) AS temp, round(avg(humidity), 2) AS humidity, round(avg(co), 5) AS co,
              sum(motion) AS motion, min(ts) AS first, max(ts) AS last
       FROM default.sensor_data GROUP BY device_id ORDER BY device_id`,
      {},
      signal,
    )
    const header = ['device', 'rows', 'avg temp', 'avg humidity', 'avg co', 'motion', 'first', 'last']
    const rows = devices.map((device) => Object.values(device).map(String))
    return (await formatTable(header, rows, [1, 2, 3, 4, 5])).replace(/^/gm, '   ')
  } finally {
    await client.close()
  }
}
