import {mkdtemp} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import type {Clock} from '../../src/lib/core/types.ts'
import type {ClickHouse} from '../../src/lib/clients/clickhouse.ts'
import type {MessageRows, SensorRow} from '../../src/lib/transforms/to-row.ts'
import {connectClickHouse, quoteName} from '../../src/lib/clients/clickhouse.ts'
import {prepareSensorTable, qualifiedName} from '../../src/lib/jobs/prepare-sensor-table.ts'
import {createClickHouseSink} from '../../src/lib/sinks/clickhouse.ts'
import {createStoredPositions} from '../../src/lib/sinks/clickhouse-positions.ts'
import {rememberingLogger, silentLogger} from '../fakes/logger.ts'
import {removeFolder} from '../services/fresh-folder.ts'
import {type Facade, type FacadeHook, startFacade} from '../services/clickhouse-facade.ts'

const never = new AbortController().signal
/** 2026-11-25 01:02:03.456 UTC */
export const NOW = Date.UTC(2026, 10, 25, 1, 2, 3, 456)
const clock: Clock = {now: () => NOW, sleep: async () => {}}

export interface Engine {
  readonly facade: Facade
  readonly folder: string
  /** For what a test looks at or prepares by itself. */
  readonly client: ClickHouse
  /** Until the next call. */
  setHook(hook: FacadeHook | undefined): void
  connect(options?: {url?: string; password?: string}): Promise<ClickHouse>
  close(): Promise<void>
}

/** The engine behind HTTP, and a client of its own. */
export async function startEngine(): Promise<Engine> {
  const folder = await mkdtemp(join(tmpdir(), 'ucs-test-'))
  let hook: FacadeHook | undefined
  const facade = await startFacade({folder, password: 'secret', hook: async (exchange) => (await hook?.(exchange)) ?? false})
  const connect: Engine['connect'] = ({url = facade.url, password = 'secret'} = {}) =>
    connectClickHouse({url: new URL(url), user: 'default', password, timeoutMilliseconds: 10_000})
  const client = await connect()
  return {
    facade,
    folder,
    client,
    connect,
    setHook: (next) => (hook = next),
    async close() {
      await client.close()
      await facade.close()
      await removeFolder(folder)
    },
  }
}

let made = 0
export const newTableName = () => `sensors_${++made}`

export interface SinkOptions {
  readonly table: string
  readonly database?: string
  readonly hasPositions?: boolean
  readonly mayCreate?: boolean
  readonly runId?: string
}

/** As the command wires it. */
export function sensorSink(
  client: ClickHouse,
  {table, database = 'default', hasPositions = false, mayCreate = true, runId = 'run'}: SinkOptions,
) {
  const target = {database, table, hasPositions}
  return createClickHouseSink({
    client,
    table: qualifiedName(target),
    maxInFlight: 2,
    clock,
    runId,
    positions: hasPositions ? createStoredPositions(client, qualifiedName(target)) : undefined,
    check: (signal) => prepareSensorTable(client, {...target, mayCreate, signal, log: silentLogger}),
  })
}

/** What was warned of. */
export async function prepare(client: ClickHouse, {table, database = 'default', hasPositions = false, mayCreate = true}: SinkOptions) {
  const {log, events} = rememberingLogger()
  await prepareSensorTable(client, {database, table, hasPositions, mayCreate, signal: never, log})
  return events.filter(([level]) => level === 'warn')
}

export function sensorRow(number: number, values: Partial<SensorRow> = {}): SensorRow {
  const row = {device_id: `device-${number}`, ts: `${1_594_512_000 + number}.125`}
  return {...row, co: number, humidity: 1, light: 0, lpg: 1, motion: 1, smoke: 1, temp: 1, ...values}
}

/** Messages `first`, `first` + 1, … of partition 0, one row each. */
export function messagesOf(first: number, count: number, partition = 't/0@1'): MessageRows[] {
  return Array.from({length: count}, (_, index) => messageOf(first + index, [sensorRow(first + index)], partition))
}

export function messageOf(offset: number, rows: readonly SensorRow[], partition = 't/0@1'): MessageRows {
  return {position: {partition, offset: BigInt(offset)}, receivedAt: 1_700_000_000_000 + offset, rows}
}

/** Numbers of the rows. */
export async function storedNumbers(client: ClickHouse, table: string): Promise<readonly number[]> {
  const rows = await client.query<{co: number}>(`SELECT co FROM ${quoteName(table)} ORDER BY co`, {}, never)
  return rows.map(({co}) => co)
}
