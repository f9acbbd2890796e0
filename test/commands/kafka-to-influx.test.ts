import {readdirSync} from 'node:fs'
import {describe, expect, it} from 'vitest'
import {type CliOptions, startUcs, temporaryFolder, ucs} from './cli.ts'

const TIME = '28/12/2015 10:00:00 AM'
const NANOSECONDS = '1451296800000000000'
/** Nobody listens there. */
const NO_SERVER = ['--influx-url', 'http://127.0.0.1:1', '--token', 'x']

/** What the records become, in a dry run. */
const preview = (records: readonly (object | string)[], args: readonly string[] = [], options: CliOptions = {}) =>
  ucs(['kafka-to-influx', '--input', '-', '--dry-run', ...args], {...options, input: ndjson(records)})

const ndjson = (records: readonly (object | string)[]) =>
  records.map((record) => `${typeof record === 'string' ? record : JSON.stringify(record)}\n`).join('')

const linesOf = (text: string) => text.split('\n').filter((line) => line !== '')

/** The records that a dry run rejected, as its log tells of them. */
const rejectedIn = (stderr: string) =>
  linesOf(stderr)
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({event}) => event === 'record.rejected')

describe('kafka-to-influx --dry-run', () => {
  it('prints the point that the seed documents, needs no token, and exits 0', async () => {
    const record = {Timestamp: '28/12/2015 10:00:00 AM', FIT101: '2.47', LIT101: '261.58', MV101: '2', Normal_Attack: 'Attack'}
    const {code, stdout, stderr} = await preview([record])
    expect(code).toBe(0)
    expect(stdout).toBe(`swat_sensor_data,status=Attack FIT101=2.47,LIT101=261.58,MV101=2 ${NANOSECONDS}\n`)
    expect(stderr).toContain('kafka-to-influx: read 1 written 0 printed 1 ')
  })

  const row = {Timestamp: TIME, MV101: '1', Normal_Attack: 'Normal'}
  const rowLine = `swat_sensor_data,status=Normal MV101=1 ${NANOSECONDS}`

  it('reads every shape of message that producers are known to send', async () => {
    const shapes: Readonly<Record<string, object | string>> = {
      text: row,
      numbers: {...row, MV101: 1},
      'the header of Kaggle': {Timestamp: TIME, MV101: 1, 'Normal/Attack': 'Normal'},
      'raw headers': {' Timestamp': ` ${TIME}`, ' MV101': ' 1', 'Normal/Attack': 'Normal'},
      'lower case, and a label of 0 or 1': {timestamp: TIME, MV101: '1', label: '0'},
      'nested sensors': {timestamp: TIME, sensors: {MV101: 1}, label: 0},
      'JSON within a JSON string': JSON.stringify(JSON.stringify(row)),
      'an array of rows with padding': [row, null, null],
      'a double-encoded array': JSON.stringify(JSON.stringify([row])),
      'a bare NaN': `{"Timestamp":"${TIME}","MV101":1,"FIT101":NaN,"Normal_Attack":"Normal"}`,
      'a bare Infinity': `{"Timestamp":"${TIME}","MV101":1,"FIT101":-Infinity,"Normal_Attack":"Normal"}`,
    }
    const {code, stdout} = await preview(Object.values(shapes))
    expect(code).toBe(0)
    const made = Object.fromEntries(Object.keys(shapes).map((shape, index) => [shape, linesOf(stdout)[index]]))
    expect(made).toEqual(Object.fromEntries(Object.keys(shapes).map((shape) => [shape, rowLine])))
    expect(linesOf(stdout)).toHaveLength(Object.keys(shapes).length)
  })

  it('makes a point of each row of an array', async () => {
    const {stdout, stderr} = await preview([[row, row, row]])
    expect(linesOf(stdout)).toEqual([rowLine, rowLine, rowLine])
    expect(stderr).toContain('read 1 written 0 printed 1 ')
  })

  it('knows day-first dates, ISO and epoch seconds by themselves', async () => {
    const times: readonly (readonly [time: string | number, nanoseconds: string])[] = [
      ['28/12/2015 10:00:00 AM', NANOSECONDS],
      [' 28/12/2015 10:00:00 AM', NANOSECONDS],
      ['28/12/2015 10:00:00', NANOSECONDS],
      ['2/1/2016 1:41:09 PM', '1451742069000000000'],
      ['2015-12-28T18:00:00+08:00', NANOSECONDS],
      ['2015-12-28 10:00:00.123456789', '1451296800123456789'],
      [1451296800.5, '1451296800500000000'],
      ['1.4512968E9', NANOSECONDS],
    ]
    const {stdout} = await preview(times.map(([time]) => ({...row, Timestamp: time})))
    expect(linesOf(stdout).map((line, index) => [times[index]![0], line.split(' ').at(-1)])).toEqual(times)
  })

  it.each<[args: readonly string[], time: string | number]>([
    [['--timestamp-format', 'mdy'], '12/28/2015 10:00:00 AM'],
    [['--timestamp-format', 'epoch_ms'], 1451296800000],
    [['--timestamp-format', 'epoch_us'], '1451296800000000'],
    [['--timestamp-format', 'epoch_ns'], NANOSECONDS],
    [['--timezone', 'Asia/Singapore'], '28/12/2015 6:00:00 PM'],
    [['--tz', 'Asia/Singapore'], '2015-12-28 18:00:00'],
  ])('with %j reads %j', async (args, time) => {
    expect((await preview([{...row, Timestamp: time}], args)).stdout).toBe(`${rowLine}\n`)
  })

  it('turns every spelling of a label into Normal or Attack', async () => {
    const labels = ['Normal', ' normal ', '0', 0, '0.0', 'Attack', 'A ttack', 'ATTACK ', '1', 1]
    const {stdout} = await preview(labels.map((label) => ({Timestamp: TIME, MV101: 1, Normal_Attack: label})))
    const statuses = linesOf(stdout).map((line) => /status=(\w+)/.exec(line)?.[1])
    expect(statuses).toEqual([...labels.slice(0, 5).map(() => 'Normal'), ...labels.slice(5).map(() => 'Attack')])
  })

  it('never makes up a label: without one, or with one it does not know, the tag is left out, with one warning each', async () => {
    const unknown = {Timestamp: TIME, MV101: 1, Normal_Attack: 'maybe'}
    const {code, stdout, stderr} = await preview([unknown, unknown, {Timestamp: TIME, MV101: 1}, {Timestamp: TIME, MV101: 1}])
    expect(code).toBe(0)
    expect(linesOf(stdout)).toEqual(Array.from({length: 4}, () => `swat_sensor_data MV101=1 ${NANOSECONDS}`))
    expect(stderr.match(/"event":"label\.unknown"/g)).toHaveLength(1)
    expect(stderr.match(/"event":"label\.missing"/g)).toHaveLength(1)
  })

  it('takes the label from the field that --label-field names', async () => {
    const {stdout} = await preview([{Timestamp: TIME, MV101: 1, verdict: 'Attack'}], ['--label-field', 'verdict'])
    expect(stdout).toBe(`swat_sensor_data,status=Attack MV101=1 ${NANOSECONDS}\n`)
  })

  it('leaves out a value that is no number, and warns once a field', async () => {
    const record = {...row, P101: 'Active', P102: null}
    const {code, stdout, stderr} = await preview([record, record])
    expect(code).toBe(0)
    expect(linesOf(stdout)).toEqual([rowLine, rowLine])
    expect(linesOf(stderr).filter((line) => line.includes('"event":"field.skipped"'))).toHaveLength(2)
    expect(stderr).toContain('"name":"P101","reason":"not a number","example":"Active"')
  })

  it.each([
    {how: 'all goes well', others: [], code: 0},
    {how: 'a record is rejected', others: ['{'], code: 3},
  ])('tells in its summary what it noticed, when $how', async ({others, code: expected}) => {
    const odd = {...row, Normal_Attack: 'maybe', AIT201: 'on'}
    const {code, stderr} = await preview([odd, odd, {Timestamp: TIME, MV101: 1}, ...others])
    expect(code).toBe(expected)
    const told = linesOf(stderr).filter((line) => line.startsWith('noticed'))
    expect(told).toEqual(['noticed field.skipped 2 (AIT201 2), label.unknown 2 (Normal_Attack 2), label.missing 1'])
    expect((await preview([odd, ...others], ['--quiet'])).stderr.includes('noticed')).toBe(code !== 0)
  })

  it('adds --tag, turns --tag-field into a tag, and leaves out --exclude-field', async () => {
    const args = ['--tag', 'plant=north line', '--tag', 'a=b=c', '--tag-field', 'stage', '--exclude-field', 'FIT101']
    const {stdout} = await preview([{...row, stage: 'P1', FIT101: 2}], args)
    expect(stdout).toBe(`swat_sensor_data,a=b\\=c,plant=north\\ line,stage=P1,status=Normal MV101=1 ${NANOSECONDS}\n`)
  })

  it('takes repeated values from the lines of a variable', async () => {
    const {stdout} = await preview([row], [], {env: {UCS_TAG: 'a=1\nb=2'}})
    expect(stdout).toBe(`swat_sensor_data,a=1,b=2,status=Normal MV101=1 ${NANOSECONDS}\n`)
  })

  it('makes points of sensor events with --preset sensors', async () => {
    const data = {co: 0.0031, humidity: '76.0', light: false, lpg: 0.0052, motion: 'true', smoke: 0.0136, temp: 19.7}
    const {stdout} = await preview([{data, device_id: '00:0f:00:70:91:0a', ts: 1594512106.869076}], ['--preset', 'sensors'])
    const fields = 'co=0.0031,humidity=76.0,light=0,lpg=0.0052,motion=1,smoke=0.0136,temp=19.7'
    expect(stdout.replace('humidity=76,', 'humidity=76.0,')).toBe(`sensor_data,device_id=00:0f:00:70:91:0a ${fields} 1594512106869076000\n`)
  })

  it('makes points of any numbers with --preset flat, in a measurement named after the topic', async () => {
    const args = ['--preset', 'flat', '--timestamp-field', 'at', '--topic', 'pump-7']
    const {stdout} = await preview([{at: 1451296800, speed: 3, label: '1', note: 'x'}], args)
    expect(stdout).toBe(`pump-7 speed=3,label=1 ${NANOSECONDS}\n`)
  })

  it('reads lines that end in CRLF, passes over blank ones, and takes a last line without an end', async () => {
    const text = JSON.stringify(row)
    const {code, stdout} = await ucs(['kafka-to-influx', '--input', '-', '--dry-run'], {input: `\uFEFF${text}\r\n\r\n \n${text}`})
    expect(code).toBe(0)
    expect(linesOf(stdout)).toHaveLength(2)
  })

  it('reads nothing from an empty input, and exits 0', async () => {
    const {code, stdout, stderr} = await preview([])
    expect({code, stdout}).toEqual({code: 0, stdout: ''})
    expect(stderr).toContain('read 0 ')
  })

  it('stops after --max-messages', async () => {
    const {code, stdout, stderr} = await preview([row, row, row], ['--max-messages', '2'])
    expect(code).toBe(0)
    expect(linesOf(stdout)).toHaveLength(2)
    expect(stderr).toContain('read 2 written 0 printed 2 ')
  })

  it('says nothing on standard error with --quiet when all went well', async () => {
    expect((await preview([row], ['--quiet'])).stderr).toBe('')
  })

  it('exits 74 when its reader has enough, and says so', async () => {
    const {child, result} = startUcs(['kafka-to-influx', '--input', '-', '--dry-run'])
    child.stdin.on('error', () => {}) // it ends before it has read everything
    child.stdout.once('data', () => child.stdout.destroy())
    child.stdin.end(ndjson(Array.from({length: 20_000}, () => row)))
    const {code, stderr} = await result
    expect(code).toBe(74)
    expect(stderr).toMatch(/^error: standard output was closed before everything was written.*\n {2}try: /m)
  })
})

describe('kafka-to-influx, where a record cannot be a point,', () => {
  it('counts it by its reason, tells of it in the log, goes on, and exits 3', async () => {
    const refused: readonly (readonly [reason: string, record: object | string])[] = [
      ['malformed JSON', '{"Timestamp":'],
      ['malformed JSON', 'hello'],
      ['not an object', '5'],
      ['not an object', '[[[[[1]]]]]'],
      ['bad timestamp', {FIT101: 1}],
      ['bad timestamp', {Timestamp: 'yesterday', FIT101: 1}],
      ['bad timestamp', {Timestamp: '12/28/2015 10:00:00 AM', FIT101: 1}],
      ['bad timestamp', {Timestamp: 1451296800000, FIT101: 1}],
      ['no fields', {Timestamp: TIME, P101: 'Active', Normal_Attack: 'Normal'}],
      ['duplicate key', {Timestamp: TIME, MV101: 1, ' MV101': 2}],
    ]
    const good = {Timestamp: TIME, MV101: 1, label: 0}
    const {code, stdout, stderr} = await preview([...refused.map(([, record]) => record), good], ['--log-format', 'json'])
    expect(code).toBe(3)
    expect(stdout).toBe(`swat_sensor_data,status=Normal MV101=1 ${NANOSECONDS}\n`)
    expect(stderr).toContain(
      'read 11 written 0 printed 1 rejected 10 (bad timestamp 4, malformed JSON 2, not an object 2, no fields 1, duplicate key 1)',
    )
    expect(stderr).toContain('10 of 11 records were rejected: they are in the log only, as a dry run puts nothing aside')
    expect(rejectedIn(stderr).map(({level, reason, place}) => [level, reason, place])).toEqual(
      refused.map(([reason], offset) => ['warn', reason, `stdin/0/${offset}`]),
    )
  })

  it.each(['letters.ndjson', 'letters/deep.ndjson', 'kafka:rejects'])(
    'puts nothing aside in a dry run, with --dead-letter %s',
    async (where) => {
      const cwd = temporaryFolder()
      const {code} = await preview(['hello'], ['--dead-letter', where, '--broker', '127.0.0.1:1'], {cwd})
      expect(code).toBe(3)
      expect(readdirSync(cwd)).toEqual([])
    },
  )

  it('counts a message without rows as filtered, and that is no failure', async () => {
    const {code, stderr} = await preview([[], [null]])
    expect(code).toBe(0)
    expect(stderr).toContain('read 2 written 0 filtered 2 (no rows 2)')
  })

  it('takes the present time with --on-bad-timestamp now', async () => {
    const before = BigInt(Date.now()) * 1_000_000n
    const {code, stdout} = await preview([{Timestamp: 'yesterday', MV101: 1, label: 0}], ['--on-bad-timestamp', 'now'])
    const time = BigInt(stdout.trim().split(' ').at(-1)!)
    expect(code).toBe(0)
    expect(time >= before && time <= BigInt(Date.now()) * 1_000_000n).toBe(true)
  })

  it('ends at the first with --dead-letter none, names it, and exits 3', async () => {
    const {code, stdout, stderr} = await preview([{Timestamp: TIME, MV101: 1, label: 0}, 'hello'], ['--dead-letter', 'none'])
    expect({code, stdout}).toEqual({code: 3, stdout: expect.stringContaining('MV101=1') as string})
    expect(stderr).toMatch(/error: stdin\/0\/1 was rejected \(malformed JSON: .*\) and --dead-letter is none/)
  })
})

describe('kafka-to-influx without a server', () => {
  it.each([[[]], [['--json']]])('exits 69 when the patience of --retry-for ends, and says what to try %j', async (json) => {
    const result = await ucs(['kafka-to-influx', '--input', '-', ...NO_SERVER, '--retry-for', '0', ...json], {input: 'hello'})
    expect(result.code).toBe(69)
    if (json.length > 0) {
      expect(result.json()).toMatchObject({
        command: 'kafka-to-influx',
        ok: false,
        exitCode: 69,
        ledger: {read: 0},
        error: {code: 'UNAVAILABLE', suggestion: 'Is the server running? Check --influx-url or INFLUX_URL'},
      })
    } else expect(result.stderr).toContain('try: Is the server running? Check --influx-url or INFLUX_URL')
  })

  it('is stopped by a signal while it waits for one, having read nothing', async () => {
    const {child, result} = startUcs(['kafka-to-influx', ...NO_SERVER, '--log-format', 'json'])
    child.stderr.once('data', () => child.kill('SIGTERM')) // the first line tells of the first retry
    expect((await result).code).toBe(0)
  })
})

describe('kafka-to-influx exits 2 and starts nothing', () => {
  it.each<[args: readonly string[], message: string]>([
    [[], '--token is missing'],
    [['--token', 'x', '--token-file', 'y'], '--token and --token-file exclude each other'],
    [[...NO_SERVER, '--preset', 'flat'], '--preset flat needs --timestamp-field'],
    [[...NO_SERVER, '--timestamp-format', 'guess'], '--timestamp-format: expected auto, dmy, mdy, iso, epoch'],
    [[...NO_SERVER, '--timezone', 'Mars/Base'], '--timezone: expected a zone such as Asia/Singapore'],
    [[...NO_SERVER, '--input', '-', '--on-bad-timestamp', 'broker'], '--on-bad-timestamp broker needs messages from a broker'],
    [[...NO_SERVER, '--input', '-', '--until-end'], '--until-end is about a topic'],
    [[...NO_SERVER, '--tag', 'status'], '--tag: expected NAME=VALUE'],
    [[...NO_SERVER, '--tag', 'status='], '--tag: expected NAME=VALUE'],
    [[...NO_SERVER, '--tag', '_field=x'], '--tag: "_field" cannot be the name of a tag'],
    [[...NO_SERVER, '--tag', 'site=north\\'], '--tag: tag site: line protocol cannot carry a backslash at the end'],
    [[...NO_SERVER, '--measurement', '#m'], '--measurement: "#m" cannot be the name of a measurement'],
    [[...NO_SERVER, '--tag-field', '_value'], '--tag-field: "_value" cannot be the name of a tag'],
    [[...NO_SERVER, '--tag-field', 'time'], '--tag-field: "time" cannot be the name of a tag'],
    [[...NO_SERVER, '--broker', ','], '--broker: expected HOST:PORT, several separated by commas; the port is 9092 where none is given'],
    [[...NO_SERVER, '--kafka-sasl', 'plain'], '--kafka-sasl needs --kafka-username and --kafka-password'],
    [[...NO_SERVER, '--kafka-cert', 'README.md'], 'there is no file README.md\n  try: Check --kafka-cert'],
    [['--token', 'x', '--influx-url', 'localhost:8086'], '--influx-url: expected an address such as http://localhost:8086'],
    [['--token', 'x', '--influx-url', 'http://h:1/?org=a'], '--influx-url takes no parameters and no user'],
    [['--token', 'x', '--influx-url', 'http://me:secret@h:1'], '--influx-url takes no parameters and no user'],
    [[...NO_SERVER, '--dead-letter', 'kafka:'], '--dead-letter: expected a topic: up to 249 letters'],
    [[...NO_SERVER, '--topic', 'a b'], '--topic: expected a topic: up to 249 letters'],
  ])('on %j', async (args, message) => {
    const {code, stdout, stderr} = await ucs(['kafka-to-influx', ...args])
    expect({code, stdout}).toEqual({code: 2, stdout: ''})
    expect(stderr).toContain(`error: ${message}`)
  })
})
