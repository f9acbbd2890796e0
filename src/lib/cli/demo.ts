import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {createWriteStream} from 'node:fs'
import {join} from 'node:path'
import {pipeline} from 'node:stream/promises'
import type {ClickHouse} from '../clients/clickhouse.ts'
import type {JsonResult} from './report.ts'
import {IoError, UsageError} from '../errors.ts'
import {sampleLines} from '../jobs/sample-data.ts'
import {makeFolder} from '../runtime/folder.ts'
import {formatTable} from './table.ts'
import {writeLines} from './write-lines.ts'

export interface DemoOptions {
  /** Where everything goes. */
  readonly folder: string
  readonly rows: number
  /** How to start this program again: its executable and first arguments. */
  readonly program: readonly [string, ...string[]]
  readonly environment: Readonly<Record<string, string | undefined>>
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
const CSV = 'sensor_data.csv'
const ENGINE = 'clickhouse'
const PRODUCE = ['produce', '--file', CSV, '--device', 'all', '--rows', 'all', '--pause', '0', '--output', '-', '--quiet']
const TO_ENGINE = ['kafka-to-clickhouse', '--input', '-', '--embedded', ENGINE, '--json', '--quiet']
const TO_LINES = ['kafka-to-influx', '--preset', 'sensors', '--input', '-', '--dry-run', '--quiet']

/**
 * The seed's scenario without a server: a synthetic CSV, its events down a pipe, and rows in the embedded engine.
 * Where that engine has no build, the events and the points they make are left in files instead.
 */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const {folder, rows, name, say, signal} = options
  try {
    makeFolder(folder)
  } catch (cause) {
    throw new IoError(`cannot make the folder ${folder}: ${(cause as Error).message}`, {cause})
  }

  const [csv, data] = [join(folder, CSV), join(folder, ENGINE)]
  await writeLines(csv, sampleLines('sensors', rows, SEED))
  say(`1  ${csv}: ${rows} synthetic readings of three devices`)

  const client = await openEngine(data).catch((error: unknown) => {
    if (!(error instanceof UsageError)) throw error
    say(`   ${error.message}: files instead`)
    return undefined
  })
  if (!client) return withoutEngine(options)

  await client.command('DROP TABLE IF EXISTS `default`.`sensor_data`', signal)
  await client.close()
  say('2  ucs produce … --output - | ucs kafka-to-clickhouse --input - --embedded …')
  const {ledger} = JSON.parse(await pipe(options, PRODUCE, TO_ENGINE)) as JsonResult
  say(`3  ledger: read ${ledger?.read} written ${ledger?.written} rejected ${ledger?.rejected}`)
  say(await deviceTable(data, signal))
  say(`4  the data lies in ${data}; try next:`)
  say(`   ${name} produce --file ${csv} --device A --rows 3 --dry-run`)
  say(`   ${name} produce --file ${csv} --rows 3 --pause 0 --output - | ${name} kafka-to-influx --preset sensors --input - --dry-run`)
  say(`   ${name} sample swat --rows 86400 --output swat.csv`)
  return {engine: 'embedded', folder, ledger}
}

async function openEngine(folder: string): Promise<ClickHouse> {
  const {openEmbeddedClickHouse} = await import('../clients/clickhouse-embedded.ts')
  return openEmbeddedClickHouse(folder)
}

async function withoutEngine(options: DemoOptions): Promise<DemoResult> {
  const {folder, name, say} = options
  const [events, points] = [join(folder, 'events.ndjson'), join(folder, 'points.lp')]
  await pipe(options, PRODUCE, undefined, events)
  say(`2  ${events}: the events as they would go to Kafka`)
  await pipe(options, PRODUCE, TO_LINES, points)
  say(`3  ${points}: the same as line protocol for InfluxDB`)
  say('4  try next:')
  say(`   head -2 ${events} ${points}`)
  say(`   ${name} sample swat --rows 86400 --output swat.csv`)
  say(`   ${name} kafka-to-clickhouse --print-ddl`)
  return {engine: 'none', folder, ledger: undefined}
}

/** Runs one or two of our own commands in the folder, the second reading what the first prints. What the last one prints is returned, or goes to a file. */
async function pipe(options: DemoOptions, first: readonly string[], second?: readonly string[], file?: string): Promise<string> {
  const [node, ...start] = options.program
  const own = {cwd: options.folder, env: onlyNeeded(options.environment)}
  const producer = spawn(node, [...start, ...first], {...own, stdio: ['ignore', 'pipe', 'inherit']})
  const consumer = second && spawn(node, [...start, ...second], {...own, stdio: [producer.stdout, 'pipe', 'inherit']})
  if (consumer) producer.stdout.destroy() // the consumer has it now; held open here, a producer would outlive its reader
  const output = (consumer ?? producer).stdout
  const [text, ...codes] = await Promise.all([
    file === undefined ? readAll(output) : writeAll(output, file),
    ...[producer, ...(consumer ? [consumer] : [])].map(async (child) => (await once(child, 'close'))[0] as number | null),
  ])
  const failed = codes.findLast((code) => code !== 0) // a producer fails as well whose consumer went away
  if (failed === undefined) return text
  throw new IoError(`a part of the demo ended with exit code ${failed}: ${reasonIn(text) ?? 'what it said stands above'}`)
}

/** What a process needs to run. A variable of the user's, or an .env, must not change what the demo shows. */
function onlyNeeded(environment: DemoOptions['environment']): NodeJS.ProcessEnv {
  const isNeeded = /^(PATH|HOME|USERPROFILE|SYSTEMROOT|TE?MP|TMPDIR|NODE_\w+|LD_\w+|DYLD_\w+)$/i
  return Object.fromEntries(Object.entries(environment).filter(([name]) => isNeeded.test(name)))
}

async function readAll(output: AsyncIterable<Buffer | string>): Promise<string> {
  let text = ''
  for await (const piece of output) text += String(piece)
  return text
}

async function writeAll(output: NodeJS.ReadableStream, file: string): Promise<string> {
  await pipeline(output, createWriteStream(file)).catch((cause: Error) => {
    throw new IoError(`writing to ${file} failed: ${cause.message}`, {cause})
  })
  return ''
}

/** A command with --json says on standard output why it failed. */
function reasonIn(printed: string): string | undefined {
  return printed.startsWith('{') ? (JSON.parse(printed) as JsonResult).error?.message : undefined
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
