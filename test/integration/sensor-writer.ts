import {openEmbeddedClickHouse} from '../../src/lib/clients/clickhouse-embedded.ts'
import {messageOf, sensorRow, sensorSink} from './sensor-table.ts'

/* A process of its own, in a time zone of its own: writes a row to a table of ours and to one as the seed made it, and prints what is stored. */

const never = new AbortController().signal
const client = await openEmbeddedClickHouse(process.argv[2]!)
await client.command(
  `CREATE TABLE seeds (device_id String, ts DateTime64(3), co Float64, humidity Float64, light UInt8, lpg Float64, motion UInt8,
    smoke Float64, temp Float64, ingest_time DateTime64(3) DEFAULT now()) ENGINE = MergeTree ORDER BY (device_id, ts)`,
  never,
)
const found: unknown[] = []
for (const table of ['ours', 'seeds']) {
  const sink = sensorSink(client, {table})
  await sink.check(never)
  await sink.send([messageOf(0, [sensorRow(0, {ts: '1594512106.869'})])], {token: 't/0/0-0', signal: never})
  const times = 'toUnixTimestamp64Milli(ts) AS ts, toUnixTimestamp64Milli(ingest_time) AS ingest_time'
  const [row] = await client.query<Record<string, string>>(`SELECT timezone() AS zone, ${times} FROM ${table}`, {}, never)
  found.push({table, ...row, ts: Number(row!['ts']), ingest_time: Number(row!['ingest_time'])})
}

process.stdout.write(JSON.stringify(found))
await client.close()
