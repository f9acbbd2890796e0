import {randomUUID} from 'node:crypto'
import {Writable} from 'node:stream'
import {afterAll, beforeAll} from 'vitest'
import type {ClickHouse} from '../../src/lib/clients/clickhouse.ts'
import type {OutgoingRecord} from '../../src/lib/clients/kafka/producer.ts'
import type {Sink} from '../../src/lib/core/types.ts'
import type {Line} from '../../src/lib/format/line-protocol.ts'
import type {MessageRows} from '../../src/lib/transforms/to-row.ts'
import {openEmbeddedClickHouse} from '../../src/lib/clients/clickhouse-embedded.ts'
import {createKafkaProducer} from '../../src/lib/clients/kafka/producer.ts'
import {AuthError, IoError, NotFoundError, PartialWriteError, UnavailableError} from '../../src/lib/errors.ts'
import {encodePoint} from '../../src/lib/format/line-protocol.ts'
import {createKafkaSink} from '../../src/lib/sinks/kafka.ts'
import {createLinesSink} from '../../src/lib/sinks/lines.ts'
import {systemClock} from '../../src/lib/runtime/clock.ts'
import {serveSilence} from '../clients/servers.ts'
import {describeSink, type Promises, type SinkHarness} from '../contract/sink.ts'
import {silentLogger} from '../fakes/logger.ts'
import {describeWith, useKafka} from '../services/use.ts'
import {type Bucket, influxSink, newBucket} from './influx-bucket.ts'
import {connectRecords, type Records} from './records.ts'
import {type Engine, messageOf, newTableName, sensorRow, sensorSink, startEngine, storedNumbers} from './sensor-table.ts'

/** A port of this machine on which nobody listens. */
const NOBODY = 'http://127.0.0.1:1'

describeWith('influx')('InfluxDB', () => {
  let bucket: Bucket
  beforeAll(async () => {
    bucket = await newBucket()
  })

  const open = (compresses: boolean) => async () => {
    const {name, stored} = await newBucket()
    return {sink: influxSink(name, {compresses}), stored: async () => (await stored()).map(({_value}) => Number(_value))}
  }
  const harness: SinkHarness<Line> = {
    open: open(false),
    row: (number) => encodePoint({measurement: 'm', tags: {}, fields: {f: number}, time: 1_700_000_000_000_000_000n + BigInt(number)}),
    openSilent: async () => influxSink(bucket.name, {url: (await serveSilence()).url}),
    faults: {
      'a wrong token': fault(AuthError, async () => influxSink(bucket.name, {token: 'wrong'})),
      'a token that may only read': fault(AuthError, async () => influxSink(bucket.name, {token: await bucket.readOnlyToken()})),
      'a missing bucket': fault(NotFoundError, async () => influxSink(randomUUID())),
      'a missing organisation': fault(NotFoundError, async () => influxSink(bucket.name, {org: randomUUID()})),
      'a server that is not there': fault(UnavailableError, async () => influxSink(bucket.name, {url: NOBODY})),
    },
    promises: {prints: false, keepsOrder: false, storesOnce: 'by row'},
  }
  describeSink('as it is', harness)
  describeSink('compressed', {...harness, open: open(true), faults: {}})
})

describeWith('clickhouse')('ClickHouse', () => {
  let engine: Engine
  beforeAll(async () => {
    engine = await startEngine()
  })
  afterAll(() => engine.close())

  const row = (number: number) => messageOf(number, [sensorRow(number)])
  const promises: Promises = {prints: false, keepsOrder: false, storesOnce: 'by token'}
  const open =
    (connect: () => Promise<ClickHouse>, hasPositions = false) =>
    async () => {
      const table = newTableName()
      const sink = sensorSink(await connect(), {table, hasPositions})
      await sink.check(new AbortController().signal)
      return {sink, stored: () => storedNumbers(engine.client, table)}
    }
  const faultsOf = (connect: () => Promise<ClickHouse>): SinkHarness<MessageRows>['faults'] => ({
    'a missing table': fault(NotFoundError, async () => sensorSink(await connect(), {table: 'absent', mayCreate: false})),
    'a missing database': fault(NotFoundError, async () => sensorSink(await connect(), {table: 'absent', database: 'absent'})),
  })

  const byHttp = () => engine.connect()
  describeSink('over HTTP', {
    open: open(byHttp),
    row,
    openSilent: async () => sensorSink(await engine.connect(await serveSilence()), {table: 'silent'}),
    faults: {
      ...faultsOf(byHttp),
      'a wrong password': fault(AuthError, async () => sensorSink(await engine.connect({password: 'wrong'}), {table: 'absent'})),
      'a server that is not there': fault(UnavailableError, async () => sensorSink(await engine.connect({url: NOBODY}), {table: 'absent'})),
    },
    promises,
  })

  describeSink('exactly once', {
    open: open(byHttp, true),
    row,
    openSilent: async () => sensorSink(await engine.connect(await serveSilence()), {table: 'silent', hasPositions: true}),
    faults: {
      'a table without positions': {
        async open() {
          const table = newTableName()
          await sensorSink(engine.client, {table}).check(new AbortController().signal)
          return sensorSink(await byHttp(), {table, hasPositions: true, mayCreate: false})
        },
        error: NotFoundError,
        foundBy: ['check'],
      },
    },
    promises,
  })

  // In the same folder, because a process can have no other one open.
  const embedded = () => openEmbeddedClickHouse(engine.folder)
  describeSink('embedded', {
    open: open(embedded),
    row,
    async openSilent() {
      const table = newTableName()
      await engine.client.command(
        `CREATE TABLE \`${table}\` (ts DateTime64(3), slow UInt8 MATERIALIZED sleep(1)) ENGINE = Null`,
        new AbortController().signal,
      )
      return sensorSink(await embedded(), {table})
    },
    faults: faultsOf(embedded),
    promises,
  })
})

describeWith('kafka')('Kafka', () => {
  let records: Records
  beforeAll(async () => {
    records = await connectRecords(useKafka().address)
  })
  afterAll(() => records.close())

  const sinkTo = (topic: string, address = useKafka().address) => {
    const settings = {brokers: [address], connectTimeoutMilliseconds: 2000, tls: undefined, sasl: undefined}
    return createKafkaSink<OutgoingRecord>(createKafkaProducer(settings, {topic, clock: systemClock, log: silentLogger}))
  }
  describeSink('a topic', {
    async open() {
      const topic = await records.newTopic()
      return {sink: sinkTo(topic), stored: async () => (await records.read(topic)).map(({value}) => Number(value))}
    },
    row: (number) => ({key: null, value: String(number)}),
    openSilent: async () => sinkTo('silent', `127.0.0.1:${(await serveSilence()).port}`),
    faults: {
      'a topic that takes no message of this size': {
        open: async () => sinkTo(await records.newTopic({settings: {'max.message.bytes': '50'}})),
        error: PartialWriteError,
        foundBy: ['send'],
      },
      'a broker that is not there': {open: async () => sinkTo('absent', '127.0.0.1:1'), error: UnavailableError, foundBy: ['check']},
    },
    promises: {prints: false, keepsOrder: true, storesOnce: false},
  })
})

describeSink('lines on a stream', linesHarness(false))
describeSink('lines of a dry run', linesHarness(true))

function linesHarness(prints: boolean): SinkHarness<string> {
  const sinkTo = (output: Writable) => createLinesSink<string>({output, name: 'standard output', toText: (row) => row, prints})
  const failing = (code: string) => {
    const output = new Writable({write: (_chunk, _encoding, done) => done(Object.assign(new Error(code), {code}))})
    return async () => sinkTo(output)
  }
  return {
    async open() {
      let text = ''
      const output = new Writable({
        write(chunk, _encoding, done) {
          setImmediate(() => {
            text += String(chunk)
            done()
          })
        },
      })
      return {sink: sinkTo(output), stored: async () => text.split('\n').slice(0, -1).map(Number)}
    },
    row: String,
    openSilent: async () => sinkTo(new Writable({write() {}})),
    faults: {
      'a reader that went away': {open: failing('EPIPE'), error: IoError, foundBy: ['send']},
      'a disk that is full': {open: failing('ENOSPC'), error: IoError, foundBy: ['send']},
    },
    promises: {prints, keepsOrder: true, storesOnce: false},
  }
}

function fault<R>(error: SinkHarness<R>['faults'][string]['error'], open: () => Promise<Sink<R>>): SinkHarness<R>['faults'][string] {
  return {open, error, foundBy: ['check', 'send']}
}
