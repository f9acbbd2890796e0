/*
 * Compares ucs with its peers, each figure a ratio of runs that took turns.
 * Without names all but the outage, which takes seven minutes:
 *
 *   node bench/run.ts [start-up] [produce] [kafka-to-influx] [prom-to-influx] [prom-cycle] [collect] [memory] [outage]
 *
 * Starts a Kafka and an InfluxDB of its own. Peers are used where bench/peers/install.sh has put them.
 */
import {existsSync} from 'node:fs'
import {homedir} from 'node:os'
import {join} from 'node:path'
import {startInflux} from '../test/services/influxd.ts'
import {startKafka} from '../test/services/kafka.ts'
import type {Bench} from './bench.ts'
import {benchCollect} from './collect.ts'
import {benchKafkaToInflux} from './kafka-to-influx.ts'
import {benchMemory} from './memory.ts'
import {benchOutage} from './outage.ts'
import {benchProduce} from './produce.ts'
import {benchPromCycle} from './prom-cycle.ts'
import {benchPromToInflux} from './prom-to-influx.ts'
import {benchStartUp} from './start-up.ts'

const COMPARISONS: Readonly<Record<string, (bench: Bench) => Promise<void>>> = {
  'start-up': benchStartUp,
  produce: benchProduce,
  'kafka-to-influx': benchKafkaToInflux,
  'prom-to-influx': benchPromToInflux,
  'prom-cycle': benchPromCycle,
  collect: benchCollect,
  memory: benchMemory,
  outage: benchOutage,
}

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(COMPARISONS).filter((name) => name !== 'outage')
const unknown = names.find((name) => !(name in COMPARISONS))
if (unknown) throw new Error(`there is no comparison "${unknown}": ${Object.keys(COMPARISONS).join(', ')}`)

const [kafka, influx] = await Promise.all([startKafka(), startInflux()])
try {
  const {url, org, token} = influx
  const bench = {kafka: kafka.address, influx: {url, org, token}, telegraf: peer('telegraf'), python: peer('python/bin/python')}
  for (const name of names) {
    console.log(`\n# ${name}`)
    await COMPARISONS[name]!(bench)
  }
} finally {
  await Promise.all([kafka.stop(), influx.stop()])
}

function peer(path: string): string | undefined {
  const file = join(process.env['UCS_PEERS'] ?? join(homedir(), '.cache', 'ucs-peers'), path)
  return existsSync(file) ? file : undefined
}
