import {mkdtemp, readdir, readFile, rename, rm, symlink, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'
import type {DeadLetterRecord} from '../../src/lib/sinks/dead-letter-record.ts'
import {createKafkaProducer, type OutgoingRecord} from '../../src/lib/clients/kafka/producer.ts'
import {withRetry} from '../../src/lib/core/retry.ts'
import {isBalanced} from '../../src/lib/core/ledger.ts'
import {systemClock} from '../../src/lib/runtime/clock.ts'
import {silentLogger} from '../fakes/logger.ts'
import {plainSettings} from '../integration/kafka-member.ts'
import {removeFolder} from '../services/fresh-folder.ts'
import type {ServerProcess} from '../services/server-process.ts'
import {until} from '../services/until.ts'
import {startConsumers} from './consumers.ts'
import type {Act, Plan} from './plan.ts'
import type {World} from './world.ts'

export interface Verdict {
  readonly sent: number
  /** Numbers that are neither stored nor in the dead letters. */
  readonly lost: readonly number[]
  /** Stored more than once. */
  readonly duplicates: readonly string[]
  /** In the dead letters although nothing was wrong with them. */
  readonly wronglyRejected: readonly number[]
  /** Runs whose ledger does not balance. */
  readonly unbalanced: number
  readonly exits: readonly (number | null)[]
}

const MESSAGES = 3000
const MESSAGES_AT_ONCE = 20
const PARTITIONS = 3
const SETTLE_MILLISECONDS = 120_000
const FIRST = Date.UTC(2020, 0, 1)

const isMalformed = (number: number) => number % 500 === 13
/** InfluxDB has it as an integer already; ClickHouse wants it and finds it missing. */
const isUnfit = (number: number) => number % 500 === 14
const isBad = (number: number) => isMalformed(number) || isUnfit(number)

export async function runRound(world: World, plan: Plan, name: string, acksBeforeWrite: boolean): Promise<Verdict> {
  const topic = await world.records.newTopic({partitions: PARTITIONS})
  const cwd = await mkdtemp(join(tmpdir(), 'ucs-chaos-round-'))
  const tokenFile = join(cwd, 'token')
  const bucket = plan.target === 'influx' ? await world.newBucket(name) : undefined
  let token = await bucket?.newToken()
  if (token) await writeFile(tokenFile, token.token)
  if (bucket) await world.writeLine(name, `chaos conflicting=1i ${FIRST}000000`)
  const consumers = startConsumers({...commandFor(world, plan, {topic, name, tokenFile}), cwd, acksBeforeWrite})
  const pending: Promise<void>[] = []
  /** The group would wait for it until its session is over. */
  const bury = async (member: string | undefined) => {
    if (member) await patiently(() => world.records.bury(topic, [member]))
  }

  try {
    for (let count = 0; count < plan.consumers; count++) consumers.add()
    const sending = sendNumbers(world.kafka.address, topic)
    const begun = Date.now()
    for (const [index, {atMilliseconds, act, forMilliseconds}] of plan.acts.entries()) {
      await sleep(Math.max(0, begun + atMilliseconds - Date.now()))
      pending.push(perform(act, forMilliseconds, index))
    }

    await Promise.all(pending)
    await sending
    await untilCommitted(world, topic)
  } finally {
    for (const proxy of Object.values(world.proxies)) proxy.setFault(undefined)
  }

  const results = await consumers.stop()
  const verdict = await judge(world, plan, {topic, name, cwd})
  await removeFolder(cwd)
  return {...verdict, unbalanced: results.filter(({ledger}) => ledger && !isBalanced(ledger)).length, exits: consumers.exits}

  async function perform(act: Act, milliseconds: number, index: number): Promise<void> {
    switch (act.kind) {
      case 'http':
        world.proxies[plan.target].setFault(act.fault)
        await sleep(milliseconds)
        return world.proxies[plan.target].setFault(undefined)
      case 'kill a consumer':
        return bury(await consumers.kill(index))
      case 'add a consumer':
        return consumers.add()
      case 'kill the broker':
      case 'kill the server':
        return crash(act.kind === 'kill the broker' ? world.kafka : world.influx, milliseconds)
      case 'fill the disk':
        return fillDisk(join(cwd, 'dead-letters'), milliseconds)
      case 'revoke the token': {
        const next = await patiently(() => bucket!.newToken())
        await patiently(() => token!.revoke())
        await sleep(milliseconds)
        await writeFile(tokenFile, next.token)
        token = next
      }
    }
  }
}

/** What an act needs may be down by another. */
const patiently = <T>(work: () => Promise<T>) => until(work, 30_000)

const crashes = new WeakMap<ServerProcess, Promise<void>>()

/** One crash of a server after the other. */
function crash(server: ServerProcess, milliseconds: number): Promise<void> {
  const crashed = (crashes.get(server) ?? Promise.resolve()).then(() =>
    server.restart({signal: 'SIGKILL', whileDown: () => sleep(milliseconds)}),
  )
  crashes.set(server, crashed)
  return crashed
}

/** The folder for dead letters is one in which every file is always full, for a while. */
async function fillDisk(folder: string, milliseconds: number): Promise<void> {
  const aside = `${folder}-aside-${Date.now()}`
  await rename(folder, aside).catch(() => {})
  await symlink('/dev/full', folder).catch(() => {})
  await sleep(milliseconds)
  await rm(folder, {force: true}).catch(() => {})
  await rename(aside, folder).catch(() => {})
}

function commandFor(world: World, plan: Plan, {topic, name, tokenFile}: {topic: string; name: string; tokenFile: string}) {
  const common = [
    '--topic',
    topic,
    '--group',
    topic,
    '--batch-size',
    '200',
    '--flush-interval',
    '200ms',
    '--shutdown-timeout',
    '60s',
    '--json',
    ...['--log-level', 'debug', '--log-format', 'json'], // it tells what the member is called
  ]
  const influx = [
    'kafka-to-influx',
    '--preset',
    'flat',
    '--timestamp-field',
    'ts',
    '--measurement',
    'chaos',
    '--influx-timeout',
    '2s',
    '--token-file',
    tokenFile,
  ]
  const clickhouse = ['kafka-to-clickhouse', '--delivery', 'exactly-once', '--table', name]
  return {
    args: [...(plan.target === 'influx' ? influx : clickhouse), ...common],
    env: {
      KAFKA_BROKER: world.kafka.address,
      INFLUX_URL: world.proxies.influx.url,
      INFLUX_ORG: world.influx.org,
      INFLUX_BUCKET: name,
      CLICKHOUSE_URL: world.proxies.clickhouse.url,
    },
  }
}

/** Fit for both commands. */
function messageOf(number: number): string {
  if (isMalformed(number)) return `{"number":${number},`
  const values = isUnfit(number) ? {conflicting: 1.5} : {co: number}
  const rest = {humidity: 1, light: 0, lpg: 1, motion: 1, smoke: 1, temp: 1}
  return JSON.stringify({device_id: 'd', ts: FIRST / 1000 + number, number, ...values, ...rest})
}

/** Over about as long as a round lasts; the broker may be killed meanwhile, and what it did not acknowledge is sent again. */
async function sendNumbers(address: string, topic: string): Promise<void> {
  const producer = createKafkaProducer(plainSettings(address), {topic, clock: systemClock, log: silentLogger})
  const runtime = {clock: systemClock, log: silentLogger, random: Math.random}
  const policy = {forMilliseconds: 60_000, baseMilliseconds: 100, capMilliseconds: 1000}
  for (let first = 0; first < MESSAGES; first += MESSAGES_AT_ONCE) {
    const records = Array.from({length: MESSAGES_AT_ONCE}, (_, index): OutgoingRecord => ({
      key: String(first + index),
      value: messageOf(first + index),
    }))
    await withRetry({work: () => producer.send(records), policy, signal: new AbortController().signal}, runtime)
    await sleep(15)
  }

  await producer.close()
}

/** Every fault is over by then, so that this must come true. */
async function untilCommitted(world: World, topic: string): Promise<void> {
  const deadline = Date.now() + SETTLE_MILLISECONDS
  for (;;) {
    const [total, committed] = await Promise.all([world.records.count(topic), world.records.committed(topic, topic)]).catch(
      () => [1, []] as const,
    )
    if (committed.reduce((sum, offset) => sum + Math.max(offset, 0), 0) === total) return
    if (Date.now() > deadline) throw new Error(`the group has not come to the end: ${committed.join(' ')} of ${total}`)
    await sleep(200)
  }
}

async function judge(world: World, plan: Plan, {topic, name, cwd}: {topic: string; name: string; cwd: string}) {
  const stored = plan.target === 'influx' ? await world.numbersIn(name) : storedInEngine(world, name)
  const duplicates = plan.target === 'influx' ? [] : positionsStoredTwice(world, name)
  const letters = await lettersIn(cwd)
  const known = new Set([...stored, ...letters])
  const numbers = Array.from({length: MESSAGES}, (_, number) => number)
  return {
    sent: await world.records.count(topic),
    lost: numbers.filter((number) => !known.has(number)),
    duplicates,
    wronglyRejected: [...new Set(letters)].filter((number) => !isBad(number)),
  }
}

const rowsOf = (world: World, query: string) =>
  world.facade.session
    .query(query, 'TabSeparated')
    .trim()
    .split('\n')
    .filter((row) => row !== '')

const storedInEngine = (world: World, table: string) => rowsOf(world, `SELECT co FROM default.\`${table}\``).map(Number)

const positionsStoredTwice = (world: World, table: string) =>
  rowsOf(
    world,
    `SELECT concat(toString(_partition), '/', toString(_offset), '/', toString(_index)) FROM default.\`${table}\` GROUP BY ALL HAVING count() > 1`,
  )

/** Numbers of the messages that were put aside. */
async function lettersIn(cwd: string): Promise<readonly number[]> {
  const folders = (await readdir(cwd)).filter((folder) => folder.startsWith('dead-letters'))
  const numbers: number[] = []
  for (const folder of folders) {
    for (const file of (await readdir(join(cwd, folder))).filter((each) => each.endsWith('.ndjson'))) {
      for (const line of (await readFile(join(cwd, folder, file), 'utf8')).split('\n').filter((text) => text !== '')) {
        const value = parsed(line)?.value
        if (value) numbers.push(Number(/"number":(\d+)/.exec(value)![1]))
      }
    }
  }

  return numbers
}

/** A run that was killed as it wrote leaves half a line. */
function parsed(line: string): DeadLetterRecord | undefined {
  try {
    return JSON.parse(line) as DeadLetterRecord
  } catch {
    return undefined
  }
}
