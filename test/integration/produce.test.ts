import {mkdirSync, readFileSync, writeFileSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {afterAll, beforeAll, describe, expect, test, vi} from 'vitest'
import {startUcs, ucs} from '../commands/cli.ts'
import {describeWith, describeWithOwn, useKafka} from '../services/use.ts'
import {useFolders} from './folders.ts'
import {type FragileBroker, startFragileBroker} from './fragile-broker.ts'
import {connectRecords, type Records, type StoredRecord} from './records.ts'

const HEADER = '"ts","device","co","humidity","light","lpg","motion","smoke","temp"'
const A = '00:0f:00:70:91:0a'
const B = '1c:bf:ce:15:ec:4d'
const C = 'b8:27:eb:bf:9d:51'
const DEVICES = [A, B, C]
const row = (ts: number | string, device = A, co = '0.0031') =>
  `"${ts}","${device}","${co}","76.0","false","0.0052","false","0.0136","19.7"`
/** So many rows of device A, a second apart. */
const rows = (count: number, device = A) => Array.from({length: count}, (_, index) => row(1_594_512_000 + index, device))

interface SensorEvent {
  readonly data: Readonly<Record<string, unknown>>
  readonly device_id: string
  readonly ts: number
}

const eventsOf = (records: readonly StoredRecord[]) => records.map(({value}) => JSON.parse(value!) as SensorEvent)
const secondsOf = (records: readonly StoredRecord[]) => eventsOf(records).map(({ts}) => ts - 1_594_512_000)
const upTo = (count: number) => Array.from({length: count}, (_, index) => index)

const newFolder = useFolders()

function folderWith(lines: readonly string[], name = 'data/sensor_data.csv'): string {
  const cwd = newFolder()
  mkdirSync(dirname(join(cwd, name)), {recursive: true})
  writeFileSync(join(cwd, name), `${lines.join('\n')}\n`)
  return cwd
}

describeWith('kafka')('produce', () => {
  let records: Records
  beforeAll(async () => {
    records = await connectRecords(useKafka().address)
  })
  afterAll(() => records.close())

  const produce = (args: readonly string[], cwd: string, topic: string, env: Readonly<Record<string, string>> = {}) =>
    ucs(['produce', ...args], {cwd, env: {KAFKA_BROKER: useKafka().address, KAFKA_TOPIC: topic, ...env}})

  describe.concurrent('to a broker', () => {
    test('ROW_LIMIT=all PRODUCER=producer_C.py sends every row of device C, and no other', async () => {
      const cwd = folderWith([HEADER, ...rows(6, C), ...rows(2, B)])
      const topic = await records.newTopic()
      const {code, stdout, stderr} = await produce([], cwd, topic, {ROW_LIMIT: 'all', PRODUCER: 'producer_C.py'})
      expect({code, stdout}).toEqual({code: 0, stdout: ''})
      expect(stderr).toContain('produce: read 6 written 6 ')
      const stored = await records.read(topic)
      expect(stored.map(({key}) => key)).toEqual(upTo(6).map(() => C))
      expect(secondsOf(stored)).toEqual(upTo(6))
    })

    test('sends the event that the seed documents, its keys in that order', async () => {
      const topic = await records.newTopic()
      await produce([], folderWith([HEADER, row('1.594512106869076E9')]), topic)
      const [stored] = await records.read(topic)
      const data = '"co":0.0031,"humidity":76.0,"light":false,"lpg":0.0052,"motion":false,"smoke":0.0136,"temp":19.7'
      expect(stored).toMatchObject({key: A, value: `{"data":{${data}},"device_id":"${A}","ts":1594512106.869076}`, headers: {}})
    })

    test('--device A --rows 4000 sends 4000 events, each acknowledged, and reports an exact ledger with --json', async () => {
      const cwd = folderWith([HEADER, ...rows(4100), ...rows(10, B)])
      const topic = await records.newTopic()
      const result = await produce(['--device', 'A', '--rows', '4000', '--pause', '0', '--json'], cwd, topic)
      expect(result.json()).toEqual({
        command: 'produce',
        ok: true,
        exitCode: 0,
        durationMilliseconds: expect.any(Number) as number,
        ledger: {
          read: 4000,
          written: 4000,
          filtered: 0,
          rejected: 0,
          printed: 0,
          unacknowledged: 0,
          rows: 4000,
          collapsed: 0,
          filteredBy: {},
          rejectedBy: {},
        },
        sent: 4000,
        observations: {},
      })
      expect(await records.count(topic)).toBe(4000)
    })

    test("keeps each device's events in order of time, in one partition, though its file is in none", async () => {
      const lines = upTo(90).map((index) => row(1_594_512_000 + ((index * 37) % 90), DEVICES[index % 3]))
      const topic = await records.newTopic({partitions: 3})
      await produce(['--device', 'all', '--rows', 'all', '--pause', '0', '--batch-size', '7'], folderWith([HEADER, ...lines]), topic)
      const stored = await records.read(topic)
      for (const device of DEVICES) {
        const own = stored.filter(({key}) => key === device)
        const seconds = secondsOf(own)
        expect(own).toHaveLength(30)
        expect(new Set(own.map(({partition}) => partition)).size).toBe(1)
        expect(seconds).toEqual(seconds.toSorted((a, b) => a - b))
      }
    })

    test('sends no key with --key none', async () => {
      const topic = await records.newTopic()
      await produce(['--key', 'none', '--pause', '0'], folderWith([HEADER, ...rows(3)]), topic)
      expect((await records.read(topic)).map(({key}) => key)).toEqual([undefined, undefined, undefined])
    })

    test('creates a topic that does not exist yet', async () => {
      const topic = `${await records.newTopic()}-new`
      const {code} = await produce(['--pause', '0'], folderWith([HEADER, ...rows(2)]), topic)
      expect(code).toBe(0)
      expect(await records.count(topic)).toBe(2)
    })

    test('puts a row that is no event into the dead letters of a topic, as it stands in the file, and exits 3', async () => {
      const [topic, rejects] = [await records.newTopic(), await records.newTopic()]
      const cwd = folderWith([HEADER, row(1), `"2","${A}","0.1"`, row(3)])
      const {code, stderr} = await produce(['--pause', '0', '--dead-letter', `kafka:${rejects}`], cwd, topic)
      expect(code).toBe(3)
      expect(stderr).toContain(`error: 1 of 3 records were rejected: they are in topic ${rejects}`)
      expect(await records.count(topic)).toBe(2)
      const [letter] = await records.read(rejects)
      expect(letter!.value).toBe(`"2","${A}","0.1"`)
      expect(letter!.headers).toMatchObject({
        'ucs-command': 'produce',
        'ucs-topic': 'data/sensor_data.csv',
        'ucs-reason': 'ragged row',
        'ucs-message': 'the row has 3 fields, the header 9',
      })
    })

    test('puts an event that is too large for the topic into the dead letters, and sends the others', async () => {
      const topic = await records.newTopic({settings: {'max.message.bytes': '2000'}})
      const swat = [
        'Timestamp,FIT101,Normal/Attack',
        '28/12/2015 10:00:00 AM,1,Normal',
        `28/12/2015 10:00:01 AM,${'9'.repeat(3000)},Normal`,
      ]
      const cwd = folderWith([...swat, '28/12/2015 10:00:02 AM,3,Normal'], 'swat.csv')
      const {code, stderr} = await produce(['--preset', 'swat', '--file', 'swat.csv', '--rows', 'all', '--pause', '0'], cwd, topic)
      expect(code).toBe(3)
      expect(stderr).toContain('read 3 written 2 rejected 1 (refused 1)')
      expect((await records.read(topic)).map(({value}) => (JSON.parse(value!) as {FIT101: string}).FIT101)).toEqual(['1', '3'])
      const [letter] = readFileSync(join(cwd, 'dead-letters/produce.ndjson'), 'utf8').trim().split('\n')
      expect(JSON.parse(letter!)).toMatchObject({topic: 'swat.csv', reason: {code: 'refused'}, value: swat[2]})
    })

    test('exits 2 on a header that it does not know, and sends nothing', async () => {
      const topic = await records.newTopic()
      const {code, stderr} = await produce([], folderWith(['a,b', '1,2']), topic)
      expect(code).toBe(2)
      expect(stderr).toContain('error: data/sensor_data.csv has no header with the columns ts, device, co')
      expect(await records.count(topic)).toBe(0)
    })

    test('ends with 130 on a signal, and --skip sends exactly the rest', async () => {
      const topic = await records.newTopic()
      const cwd = folderWith([HEADER, ...rows(300)])
      const env = {KAFKA_BROKER: useKafka().address, KAFKA_TOPIC: topic}
      const {child, result} = startUcs(['produce', '--rows', 'all', '--pause', '20ms'], {cwd, env})
      await vi.waitFor(async () => expect(await records.count(topic)).toBeGreaterThan(3), {timeout: 10_000})
      child.kill('SIGTERM')
      const {code, stderr} = await result
      expect(code).toBe(130)
      const sent = await records.count(topic)
      expect(stderr).toContain(`error: stopped by SIGTERM: what was read is written; sent ${sent} of 300; continue with --skip ${sent}`)
      expect((await produce(['--rows', 'all', '--pause', '0', '--skip', String(sent)], cwd, topic)).code).toBe(0)
      expect(secondsOf(await records.read(topic))).toEqual(upTo(300))
    })
  })
})

describeWithOwn('kafka')('produce, with a broker that is lost,', () => {
  let broker: FragileBroker
  let records: Records
  beforeAll(async () => {
    broker = await startFragileBroker()
    records = await connectRecords(broker.address)
  })
  afterAll(async () => {
    await records.close()
    await broker.stop()
  })

  test('sends five rows of device A to sensor_data when nothing is said, and to ics-sensor-data with --preset swat', async () => {
    const cwd = folderWith([HEADER, ...rows(7, B), ...rows(7)])
    writeFileSync(join(cwd, 'swat.csv'), 'Timestamp,FIT101,Normal/Attack\n28/12/2015 10:00:00 AM,2.5,Normal\n')
    const env = {KAFKA_BROKER: broker.address}
    expect((await ucs(['produce'], {cwd, env})).code).toBe(0)
    expect((await ucs(['produce', '--preset', 'swat', '--file', 'swat.csv'], {cwd, env})).code).toBe(0)
    expect(eventsOf(await records.read('sensor_data')).map(({device_id}) => device_id)).toEqual([A, A, A, A, A])
    expect((await records.read('ics-sensor-data')).map(({value}) => JSON.parse(value!) as unknown)).toEqual([
      {Timestamp: '28/12/2015 10:00:00 AM', FIT101: '2.5', Normal_Attack: 'Normal'},
    ])
  })

  test('goes on when it comes back, and has sent each event once', async () => {
    const topic = await records.newTopic()
    const cwd = folderWith([HEADER, ...rows(12)])
    const lost = broker.loseAt(5, 'after the answer')
    const {result} = startUcs(['produce', '--rows', 'all', '--pause', '50ms'], {
      cwd,
      env: {KAFKA_BROKER: broker.address, KAFKA_TOPIC: topic},
    })
    await lost
    broker.comeBack()
    const {code, stderr} = await result
    expect(code).toBe(0)
    expect(stderr).toContain('read 12 written 12 ')
    expect(secondsOf(await records.read(topic))).toEqual(upTo(12))
  })

  test('loses nothing when an answer is lost: that event is sent again', async () => {
    const topic = await records.newTopic()
    const cwd = folderWith([HEADER, ...rows(8)])
    const lost = broker.loseAt(3, 'with the answer')
    const {result} = startUcs(['produce', '--rows', 'all', '--pause', '50ms'], {
      cwd,
      env: {KAFKA_BROKER: broker.address, KAFKA_TOPIC: topic},
    })
    await lost
    broker.comeBack()
    expect((await result).code).toBe(0)
    expect(secondsOf(await records.read(topic))).toEqual([0, 1, 2, 2, 3, 4, 5, 6, 7])
  })

  test('is stopped at once by a second signal while it is away, and says where to go on', async () => {
    const topic = await records.newTopic()
    const cwd = folderWith([HEADER, ...rows(8)])
    const lost = broker.loseAt(3, 'after the answer')
    const env = {KAFKA_BROKER: broker.address, KAFKA_TOPIC: topic}
    const {child, result} = startUcs(['produce', '--rows', 'all', '--pause', '50ms'], {cwd, env})
    await lost
    await broker.knocked()
    child.kill('SIGTERM')
    child.kill('SIGINT')
    const {code, stderr} = await result
    broker.comeBack()
    expect(code).toBe(130)
    expect(stderr).toMatch(/stopped at once by a second signal \(SIG\w+\); sent 3 of 8; continue with --skip 3/)
  })

  test('exits 69 after --retry-for, says how far it came, prints no event, and --skip sends exactly the rest', async () => {
    const topic = await records.newTopic()
    const cwd = folderWith([HEADER, ...rows(20)])
    const env = {KAFKA_BROKER: broker.address, KAFKA_TOPIC: topic}
    void broker.loseAt(7, 'after the answer')
    const {code, stdout, stderr} = await ucs(['produce', '--rows', 'all', '--pause', '10ms', '--retry-for', '500ms'], {cwd, env})
    broker.comeBack()
    expect({code, stdout}).toEqual({code: 69, stdout: ''})
    expect(stderr).toContain('sent 7 of 20; continue with --skip 7')
    expect(stderr).not.toContain('DRY-RUN')
    expect((await ucs(['produce', '--rows', 'all', '--pause', '0', '--skip', '7'], {cwd, env})).code).toBe(0)
    expect(secondsOf(await records.read(topic))).toEqual(upTo(20))
  }, 20_000)
})
