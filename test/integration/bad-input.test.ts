import {readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {flux} from '@influxdata/influxdb-client'
import {afterAll, beforeAll, describe, expect, test} from 'vitest'
import {type CliOptions, ucs} from '../commands/cli.ts'
import {describeWith, useInflux, useKafka} from '../services/use.ts'
import {fluxRows} from './flux-rows.ts'
import {useFolders} from './folders.ts'
import {newBucket} from './influx-bucket.ts'
import {connectRecords, type Records, type TestValue} from './records.ts'
import {type Engine, newTableName, startEngine} from './sensor-table.ts'

const never = new AbortController().signal
const linesOf = (text: string) => text.split('\n').filter((line) => line !== '')
const lettersIn = (cwd: string, command: string) =>
  linesOf(readFileSync(join(cwd, `dead-letters/${command}.ndjson`), 'utf8')).map(
    (line) => JSON.parse(line) as {offset: string; reason: {code: string}; value?: string; valueBase64?: string},
  )
/** Offsets of the messages in the dead letters, by reason. */
const offsetsByReason = (cwd: string, command: string) => {
  const letters = Map.groupBy(lettersIn(cwd, command), ({reason}) => reason.code)
  return Object.fromEntries([...letters].map(([reason, group]) => [reason, group.map(({offset}) => Number(offset))]))
}

describeWith(
  'kafka',
  'influx',
  'clickhouse',
)('of messages that are not as they should be', () => {
  const newFolder = useFolders()
  let records: Records
  let engine: Engine
  beforeAll(async () => {
    ;[records, engine] = await Promise.all([connectRecords(useKafka().address), startEngine()])
  })
  afterAll(async () => {
    await records.close()
    await engine.close()
  })

  /** Runs over a topic with these messages up to its end. */
  async function consume(command: string, values: readonly TestValue[], args: readonly string[], env: Readonly<Record<string, string>>) {
    const settings = {'max.message.bytes': '30000000'}
    const [topic, cwd] = [await records.newTopic({settings}), newFolder()]
    const isLarge = values.some((value) => typeof value === 'string' && value.length > 1_000_000)
    for (const batch of isLarge ? values.map((value) => [value]) : [values]) await records.send(topic, batch)
    const own = {KAFKA_BROKER: useKafka().address, KAFKA_TOPIC: topic, UCS_GROUP: topic}
    const result = await ucs([command, '--until-end', '--json', ...args], {env: {...own, ...env}, cwd})
    return {...result, cwd, committed: await records.committed(topic, topic)}
  }

  async function toInflux(values: readonly TestValue[], ...args: readonly string[]) {
    const bucket = await newBucket()
    const {url, org, token} = useInflux()
    const env = {INFLUX_URL: url, INFLUX_ORG: org, INFLUX_TOKEN: token, INFLUX_BUCKET: bucket.name}
    return {...(await consume('kafka-to-influx', values, args, env)), bucket}
  }

  async function toClickHouse(values: readonly TestValue[], ...args: readonly string[]) {
    const table = newTableName()
    const env = {CLICKHOUSE_URL: engine.facade.url, CLICKHOUSE_PASSWORD: 'secret', UCS_TABLE: table}
    return {...(await consume('kafka-to-clickhouse', values, args, env)), table}
  }

  describe.concurrent('each is written, filtered or rejected, and counted:', () => {
    test('kafka-to-influx', async () => {
      const time = (second: number) => `28/12/2015 10:00:0${second} AM`
      const {code, json, cwd, bucket, committed} = await toInflux([
        JSON.stringify({Timestamp: time(0), MV101: '1', Normal_Attack: 'Normal'}),
        JSON.stringify({' Timestamp': ` ${time(1)}`, ' MV101': ' 1', 'Normal/Attack': 'A ttack'}), // raw headers
        JSON.stringify(JSON.stringify({Timestamp: time(2), MV101: '1', label: '1'})), // double-encoded
        JSON.stringify([3, 4, 5].map((second) => ({Timestamp: time(second), MV101: 1, label: 0}))), // an array of rows
        JSON.stringify({timestamp: time(6), sensors: {MV101: 1}, label: 0}), // nested sensors
        `{"Timestamp":"${time(7)}","MV101":1,"FIT101":NaN,"Normal_Attack":"Normal"}`,
        JSON.stringify({Timestamp: time(8), MV101: 1, Normal_Attack: 'maybe'}), // a wrong label
        JSON.stringify({Timestamp: time(9), MV101: 1, P101: 'Active'}), // no label
        null, // 8
        '[]',
        '[null, null]',
        '{"Timestamp":"28/12/2015', // 11
        'hello',
        Buffer.from([0xff, 0xfe]),
        '42', // 14
        JSON.stringify({Timestamp: 'yesterday', MV101: 1, label: 0}), // 15
        JSON.stringify({Timestamp: '12/28/2015 10:00:00 AM', MV101: 1, label: 0}),
        JSON.stringify({MV101: 1, label: 0}),
        JSON.stringify({Timestamp: time(0), P101: 'Active'}), // 18
        '', // 19
        JSON.stringify([
          {Timestamp: '28/12/2015 10:00:10 AM', MV101: 1, label: 0},
          {Timestamp: 'yesterday', MV101: 1, label: 0},
        ]),
      ])
      expect(code).toBe(3)
      expect(json().ledger).toEqual({
        read: 21,
        written: 8,
        rows: 11, // the good one of the last message as well
        filtered: 3,
        filteredBy: {tombstone: 1, 'no rows': 2},
        rejected: 10,
        rejectedBy: {'malformed JSON': 4, 'not an object': 1, 'bad timestamp': 4, 'no fields': 1},
        printed: 0,
        unacknowledged: 0,
        collapsed: 0,
      })
      expect(json()['observations']).toEqual({
        'field.skipped': {FIT101: 1, P101: 2},
        'label.unknown': {Normal_Attack: 1},
        'label.missing': {'': 1},
      })
      expect(committed).toEqual([21])
      expect(offsetsByReason(cwd, 'kafka-to-influx')).toEqual({
        'malformed JSON': [11, 12, 13, 19],
        'not an object': [14],
        'bad timestamp': [15, 16, 17, 20],
        'no fields': [18],
      })
      expect(lettersIn(cwd, 'kafka-to-influx').at(-1)).toMatchObject({offset: '20', index: 1})
      const stored = (await bucket.stored()).toSorted((a, b) => (a._time < b._time ? -1 : 1))
      expect(stored.map(({_time, status}) => `${_time.slice(17, 19)} ${status}`)).toEqual([
        ...['00 Normal', '01 Attack', '02 Attack', '03 Normal', '04 Normal', '05 Normal', '06 Normal', '07 Normal'],
        ...['08 undefined', '09 undefined', '10 Normal'],
      ])
      expect(new Set(stored.map(({_field, _value}) => `${_field}=${_value}`))).toEqual(new Set(['MV101=1']))
    })

    test('kafka-to-clickhouse', async () => {
      const data = {co: 1, humidity: 1, light: false, lpg: 1, motion: true, smoke: 1, temp: 1}
      const event = {data, device_id: 'a', ts: 1594512106.5}
      const {code, json, cwd, table, committed} = await toClickHouse([
        JSON.stringify(event),
        JSON.stringify(JSON.stringify(event)), // double-encoded
        JSON.stringify([event, event, null]), // an array of rows
        JSON.stringify({...data, device_id: 'a', ts: '1594512106.5'}), // flat
        JSON.stringify({...event, more: {than: 'expected'}}),
        null, // 5
        '[]',
        '{"data":', // 7
        '"text"', // 8
        JSON.stringify({...event, ts: '2016-02-11 17:47:27'}), // 9, without a zone
        JSON.stringify({...event, ts: 'yesterday'}),
        JSON.stringify({...event, ts: 1594512106500}), // milliseconds
        JSON.stringify({...event, ts: -1}),
        JSON.stringify({...event, ts: null}),
        JSON.stringify({data, ts: 1}), // 14
        `{"data":{"co":NaN,"humidity":1,"light":0,"lpg":1,"motion":1,"smoke":1,"temp":1},"device_id":"a","ts":1}`, // 15
        JSON.stringify({...event, data: {...data, humidity: 'damp'}}),
        JSON.stringify({...event, data: {...data, temp: null}}), // 17
        JSON.stringify({device_id: 'a', ts: 1}),
      ])
      expect(code).toBe(3)
      expect(json().ledger).toMatchObject({
        read: 19,
        written: 5,
        filtered: 2,
        filteredBy: {tombstone: 1, 'no rows': 1},
        rejected: 12,
        unacknowledged: 0,
      })
      expect(offsetsByReason(cwd, 'kafka-to-clickhouse')).toEqual({
        'malformed JSON': [7, 8],
        'bad timestamp': [9, 10, 11, 12, 13],
        'missing device_id': [14],
        'bad value': [16],
        'missing value': [15, 17, 18],
      })
      expect(committed).toEqual([19])
      expect(await engine.client.query(`SELECT count() AS rows, uniq(ts) AS times FROM ${table}`, {}, never)).toEqual([{rows: 6, times: 1}])
    })
  })

  describe.concurrent('none is too large, and none too small:', () => {
    test('a message of 20 MB is written, and a broken one of 20 MB is a dead letter to its last byte', async () => {
      const padding = 'x'.repeat(20_000_000)
      const [first, large, last] = [0, 1, 2].map((at) => JSON.stringify({at, x: 1, ...(at === 1 ? {padding} : {})})) as [
        string,
        string,
        string,
      ]
      const broken = `{"at":1,"x":"${padding}`
      const {code, json, cwd, bucket} = await toInflux([first, large, broken, last], '--preset', 'flat', '--timestamp-field', 'at')
      expect(code).toBe(3)
      expect(json()).toMatchObject({
        ledger: {read: 4, written: 3, rejected: 1, rejectedBy: {'malformed JSON': 1}},
        observations: {'field.skipped': {padding: 1}},
      })
      expect((await bucket.stored()).map(({_time}) => _time)).toEqual([
        '1970-01-01T00:00:00Z',
        '1970-01-01T00:00:01Z',
        '1970-01-01T00:00:02Z',
      ])
      const [letter] = lettersIn(cwd, 'kafka-to-influx')
      expect(letter!.offset).toBe('2')
      expect(letter!.value === broken).toBe(true)
    })

    test('100,000 tiny messages in one fetch are all written', async () => {
      const values = Array.from({length: 100_000}, (_, index) => `{"t":${index},"x":1}`)
      const {code, json, bucket, committed} = await toInflux(values, '--preset', 'flat', '--timestamp-field', 't', '--measurement', 'tiny')
      expect(code).toBe(0)
      expect(json().ledger).toMatchObject({read: 100_000, written: 100_000, rows: 100_000, collapsed: 0})
      expect(committed).toEqual([100_000])
      expect(await countOf(bucket.name)).toBe(100_000)
    })
  })
})

describe('of a CSV that is not as it should be', () => {
  const newFolder = useFolders()
  const HEADER = 'ts,device,co,humidity,light,lpg,motion,smoke,temp'
  const A = '00:0f:00:70:91:0a'
  const cells = (ts: string | number, co = '0.5') => [ts, A, co, '76.0', 'false', '0.5', 'true', '0.5', '19.7']

  async function events(text: string | Buffer, args: readonly string[] = [], options: CliOptions = {}) {
    const cwd = newFolder()
    writeFileSync(join(cwd, 'data.csv'), text)
    const all = ['--file', 'data.csv', '--rows', 'all', '--pause', '0', '--output', '-']
    const {code, stdout, stderr} = await ucs(['produce', ...all, ...args], {cwd, ...options})
    return {code, stderr, cwd, events: linesOf(stdout).map((line) => JSON.parse(line) as {data: Record<string, unknown>; ts: number})}
  }

  describe.concurrent('produce', () => {
    test.for<[what: string, text: string]>([
      ['commas', `${HEADER}\n${cells(1).join(',')}\n${cells(2).join(',')}\n`],
      ['quotes', `${quoted(HEADER.split(','))}\n${quoted(cells(1))}\n${quoted(cells(2))}\n`],
      ['a byte order mark and CRLF', `\uFEFF${HEADER}\r\n${cells(1).join(',')}\r\n${cells(2).join(',')}`],
      ['semicolons and decimal commas', [HEADER.split(','), cells(1, '0,5'), cells(2, '0,5')].map((row) => `${row.join(';')}\n`).join('')],
      ['spaces about names and values', [HEADER.split(','), cells(1), cells(2)].map((row) => ` ${row.join(' , ')} \n`).join('')],
      ['a row of stage names above', `P1,P1,P1,P1,P1,P1,P1,P1,P1\n${HEADER}\n${cells(1).join(',')}\n${cells(2).join(',')}\n`],
      ['a trailing delimiter in each row', `${HEADER},\n${cells(1).join(',')},\n${cells(2).join(',')},\n`],
      ['blank lines', `${HEADER}\n\n${cells(1).join(',')}\n\n\n${cells(2).join(',')}\n\n`],
      [
        'other columns in another order',
        `x,${HEADER.split(',').reverse().join(',')}\n-,${cells(1).reverse().join(',')}\n-,${cells(2).reverse().join(',')}`,
      ],
    ])('reads one with %s', async ([, text]) => {
      const {code, events: read} = await events(text)
      expect(code).toBe(0)
      const data = {co: 0.5, humidity: 76, light: false, lpg: 0.5, motion: true, smoke: 0.5, temp: 19.7}
      expect(read).toEqual([1, 2].map((ts) => ({data, device_id: A, ts})))
    })

    test('makes null of an empty cell and of NaN, and rejects rows that it cannot read, one by one', async () => {
      const rows = [cells(1, ''), cells(2, 'NaN'), cells(3, 'wet'), cells('four'), cells(5).slice(0, 4), [...cells(6), 'more'], cells(7)]
      const {code, stderr, cwd, events: read} = await events(`${HEADER}\n${rows.map((row) => row.join(',')).join('\n')}\n"8,open`)
      expect(code).toBe(3)
      expect(read.map(({ts, data}) => [ts, data['co']])).toEqual([
        [1, null],
        [2, null],
        [7, 0.5],
      ])
      expect(stderr).toContain('read 8 written 3 rejected 5 (')
      expect(
        Object.fromEntries(Object.entries(offsetsByReason(cwd, 'produce')).map(([reason, offsets]) => [reason, offsets.length])),
      ).toEqual({
        'bad value': 1,
        'bad timestamp': 1,
        'ragged row': 2,
        'malformed CSV': 1,
      })
      expect(lettersIn(cwd, 'produce').map(({value}) => value)).toContain(cells('four').join(','))
    })

    test.for<[what: string, text: string, message: string]>([
      [
        'a column twice, once the spaces are trimmed',
        `${HEADER}, temp\n`,
        'data.csv has two columns named "temp" once the spaces are trimmed',
      ],
      ['no header', `${cells(1).join(',')}\n`, 'data.csv has no header with the columns ts, device, co'],
      [
        'nothing in it',
        '',
        'data.csv has no header with the columns ts, device, co, humidity, light, lpg, motion, smoke, temp: it is empty',
      ],
    ])('refuses one with %s', async ([, text, message]) => {
      const {code, stderr, events: read} = await events(text)
      expect({code, read}).toEqual({code: 2, read: []})
      expect(stderr).toContain(`error: ${message}`)
    })

    test('warns of one with a header alone, and exits 0', async () => {
      const {code, stderr, events: read} = await events(`${HEADER}\n`)
      expect({code, read}).toEqual({code: 0, read: []})
      expect(stderr).toContain(`data.csv has no rows for device ${A}`)
    })
  })
})

const quoted = (row: readonly (string | number)[]) => row.map((cell) => `"${cell}"`).join(',')

async function countOf(bucket: string): Promise<number> {
  const count = flux`from(bucket: ${bucket}) |> range(start: 0) |> count() |> keep(columns: ["_value"])`
  const [row] = await fluxRows(useInflux(), count.toString())
  return Number(row!._value)
}
