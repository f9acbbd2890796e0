import {mkdir, mkdtemp, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'
import {createKafkaProducer, type OutgoingRecord} from '../../src/lib/clients/kafka/producer.ts'
import {withRetry} from '../../src/lib/core/retry.ts'
import {systemClock} from '../../src/lib/runtime/clock.ts'
import {silentLogger} from '../fakes/logger.ts'
import {plainSettings} from '../integration/kafka-member.ts'
import {removeFolder} from '../services/fresh-folder.ts'
import {performActs} from './acts.ts'
import {startConsumers} from './consumers.ts'
import {CONFLICTING_LINE, MESSAGES, messageOf} from './messages.ts'
import type {Plan} from './plan.ts'
import {judge, lettersIn, type Verdict} from './verdict.ts'
import type {World} from './world.ts'

export interface Round {
  readonly plan: Plan
  /** Of its bucket or table. */
  readonly name: string
  readonly acksBeforeWrite: boolean
  /** Also when nothing was found. */
  readonly keepsLogs: boolean
}

export interface RoundResult extends Verdict {
  readonly inTopic: number
  readonly letters: number
  readonly exits: readonly (number | null)[]
  /** The folder of the consumers' logs, which is kept when something was found. */
  readonly logs: string
}

const MESSAGES_AT_ONCE = 20
/** So that there is something to read as long as acts begin. */
const SEND_EVERY_MILLISECONDS = 27
const PARTITIONS = 3
const SETTLE_MILLISECONDS = 120_000

/** Sends numbered messages, lets what is planned happen, and counts what is stored once the group has come to the end of its topic. */
export async function runRound(world: World, {plan, name, acksBeforeWrite, keepsLogs}: Round): Promise<RoundResult> {
  const {records, disk, servers, proxies} = world
  const topic = await records.newTopic({partitions: PARTITIONS})
  const cwd = await mkdtemp(join(tmpdir(), 'ucs-chaos-round-'))
  const letterFolder = join(disk, name)
  await mkdir(letterFolder)
  const access = plan.target === 'influx' ? await giveAccess() : undefined
  if (plan.target === 'clickhouse') await world.newTable(name)
  const args = [...commandFor(plan, name), '--topic', topic, '--group', topic, '--dead-letter', join(letterFolder, 'letters.ndjson')]
  const consumers = startConsumers({args, env: environment(), cwd, acksBeforeWrite})

  try {
    for (let count = 0; count < plan.consumers; count++) consumers.add()
    const sending = sendNumbers(servers.kafka.address, topic)
    await performActs({world, plan, topic, consumers, access})
    await sending
    await untilCommitted()
  } finally {
    for (const proxy of Object.values(proxies)) proxy.setFault(undefined)
    await consumers.stop()
  }

  await Promise.all([proxies.influx.idle(), proxies.clickhouse.idle()])
  const [inTopic, stored, letters] = await Promise.all([records.read(topic), world.storedIn(plan.target, name), lettersIn(letterFolder)])
  const {results, exits} = consumers
  const verdict = judge({target: plan.target, records: inTopic, stored, letters, results, exits})
  await removeFolder(letterFolder)
  if (Object.values(verdict).every((findings) => findings.length === 0) && !keepsLogs) await removeFolder(cwd)
  return {...verdict, inTopic: inTopic.length, letters: letters.length, exits, logs: cwd}

  async function giveAccess() {
    const bucket = await world.newBucket(name)
    const [token, file] = [await bucket.newToken(), join(cwd, 'token')]
    await writeFile(file, token.text)
    await bucket.write(CONFLICTING_LINE)
    return {bucket, token, file}
  }

  function environment() {
    return {
      KAFKA_BROKER: world.kafkaBehindProxy,
      INFLUX_URL: proxies.influx.url,
      INFLUX_ORG: servers.influx.org,
      INFLUX_BUCKET: name,
      UCS_TOKEN_FILE: access?.file ?? '',
      CLICKHOUSE_URL: proxies.clickhouse.url,
    }
  }

  /** Every fault is over by then, so that this must come true. */
  async function untilCommitted(): Promise<void> {
    const deadline = Date.now() + SETTLE_MILLISECONDS
    for (;;) {
      const [total, committed] = await Promise.all([records.count(topic), records.committed(topic, topic)]).catch(() => [1, []] as const)
      if (committed.reduce((sum, offset) => sum + Math.max(offset, 0), 0) === total) return
      if (Date.now() > deadline) throw new Error(`the group has not come to the end: ${committed.join(' ')} of ${total}; see ${cwd}`)
      await sleep(200)
    }
  }
}

function commandFor({target}: Plan, name: string): readonly string[] {
  const common = [
    ...['--batch-size', '200', '--flush-interval', '200ms', '--shutdown-timeout', '60s', '--json'],
    ...['--log-level', 'debug', '--log-format', 'json'], // it tells what the member is called
  ]
  const influx = ['--preset', 'flat', '--timestamp-field', 'ts', '--measurement', 'chaos', '--influx-timeout', '2s']
  return target === 'influx'
    ? ['kafka-to-influx', ...influx, ...common]
    : ['kafka-to-clickhouse', '--delivery', 'exactly-once', '--table', name, ...common]
}

/** Over about as long as the acts take; the broker may be killed meanwhile, and what it did not acknowledge is sent again. */
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
    await sleep(SEND_EVERY_MILLISECONDS)
  }

  await producer.close()
}
