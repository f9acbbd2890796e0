import {readdirSync, readFileSync, symlinkSync, writeFileSync} from 'node:fs'
import {createServer} from 'node:net'
import {join} from 'node:path'
import {describe, expect, it, onTestFinished} from 'vitest'
import {startUcs, temporaryFolder, ucs} from './cli.ts'

const HEADER = '"ts","device","co","humidity","light","lpg","motion","smoke","temp"'
const A = '00:0f:00:70:91:0a'
const B = '1c:bf:ce:15:ec:4d'
const row = (ts: string, device = A, temp = '19.7') => `"${ts}","${device}","0.0031","76.0","false","0.0052","false","0.0136","${temp}"`
/** Nobody listens there. */
const NO_BROKER = ['--broker', '127.0.0.1:1']
/** No dry run: what is printed counts as written. */
const TO_STDOUT = ['produce', '--file', 'sensors.csv', '--rows', 'all', '--pause', '0', '--output', '-']

function folderWith(lines: readonly string[], name = 'sensors.csv'): string {
  const cwd = temporaryFolder()
  writeFileSync(join(cwd, name), `${lines.join('\n')}\n`)
  return cwd
}

const eventsOf = (stdout: string) =>
  stdout
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line.replace('[DRY-RUN] ', '')) as {data: Record<string, unknown>; device_id: string; ts: number})

describe('produce --dry-run', () => {
  it('prints the event that the seed documents, and nothing else', async () => {
    const cwd = folderWith([HEADER, row('1.594512106869076E9')])
    const {code, stdout} = await ucs(['produce', '--file', 'sensors.csv', '--dry-run'], {cwd})
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual({
      data: {co: 0.0031, humidity: 76, light: false, lpg: 0.0052, motion: false, smoke: 0.0136, temp: 19.7},
      device_id: A,
      ts: 1594512106.869076,
    })
  })

  it('prints five rows of device A by default, in ascending order of time', async () => {
    const cwd = folderWith([HEADER, ...[9, 3, 7, 1, 5, 2].map((second) => row(String(second))), row('0', B)])
    const {stdout} = await ucs(['produce', '--file', 'sensors.csv', '--dry-run', '--pause', '0'], {cwd})
    expect(eventsOf(stdout).map(({ts}) => ts)).toEqual([1, 2, 3, 5, 7])
  })

  it.each([
    ['B', B],
    ['b', B],
    ['producer_B.py', B],
    ['/app/producers/producer_B.py', B],
    [B, B],
  ])('takes PRODUCER=%s', async (producer, device) => {
    const cwd = folderWith([HEADER, row('1'), row('2', B)])
    const {stdout} = await ucs(['produce', '--file', 'sensors.csv', '--dry-run'], {cwd, env: {PRODUCER: producer}})
    expect(eventsOf(stdout).map(({device_id}) => device_id)).toEqual([device])
  })

  it('sends all devices, so many rows of each, and leaves out what --skip says', async () => {
    const cwd = folderWith([HEADER, row('1'), row('2', B), row('3'), row('4', B), row('5'), row('6', B)])
    const args = ['produce', '--file', 'sensors.csv', '--dry-run', '--device', 'all', '--rows', '2', '--pause', '0']
    expect(eventsOf((await ucs(args, {cwd})).stdout).map(({ts}) => ts)).toEqual([1, 2, 3, 4])
    expect(eventsOf((await ucs([...args, '--skip', '3'], {cwd})).stdout).map(({ts}) => ts)).toEqual([4])
  })

  it.each(['ALL', ' all '])('takes ROW_LIMIT=%j as every row', async (limit) => {
    const cwd = folderWith([HEADER, ...Array.from({length: 8}, (_, index) => row(String(index)))])
    const {stdout} = await ucs(['produce', '--file', 'sensors.csv', '--dry-run', '--pause', '0'], {cwd, env: {ROW_LIMIT: limit}})
    expect(eventsOf(stdout)).toHaveLength(8)
  })

  it.each(['many', '-1', '2.5'])('warns of ROW_LIMIT=%s and sends five rows', async (limit) => {
    const cwd = folderWith([HEADER, ...Array.from({length: 8}, (_, index) => row(String(index)))])
    const {code, stdout, stderr} = await ucs(['produce', '--file', 'sensors.csv', '--dry-run', '--pause', '0'], {
      cwd,
      env: {ROW_LIMIT: limit},
    })
    expect(code).toBe(0)
    expect(eventsOf(stdout)).toHaveLength(5)
    expect(stderr).toContain('ROW_LIMIT')
    expect(stderr).toContain('using 5')
  })

  it('exits 2 on an invalid --rows', async () => {
    const {code, stderr} = await ucs(['produce', '--rows', 'many', '--dry-run'])
    expect(code).toBe(2)
    expect(stderr).toContain('--rows: expected a whole number from 1 on, or all')
  })

  it('exits 2 on a missing file, with its path', async () => {
    const {code, stderr} = await ucs(['produce', '--dry-run'])
    expect(code).toBe(2)
    expect(stderr).toContain('there is no file data/sensor_data.csv')
  })

  it('warns of a device without rows and exits 0', async () => {
    const cwd = folderWith([HEADER, row('1')])
    const {code, stdout, stderr} = await ucs(['produce', '--file', 'sensors.csv', '--device', 'C', '--dry-run'], {cwd})
    expect({code, stdout}).toEqual({code: 0, stdout: ''})
    expect(stderr).toContain('sensors.csv has no rows for device b8:27:eb:bf:9d:51')
  })

  it('warns where there is nothing left after --skip, and exits 0', async () => {
    const cwd = folderWith([HEADER, row('1'), row('2', B)])
    const args = ['produce', '--file', 'sensors.csv', '--device', 'all', '--skip', '2', '--dry-run']
    const {code, stdout, stderr} = await ucs(args, {cwd})
    expect({code, stdout}).toEqual({code: 0, stdout: ''})
    expect(stderr).toContain('"sensors.csv has no rows after the 2 that are skipped"')
  })

  it('puts a ragged row into the dead letters, sends the others, and exits 3', async () => {
    const cwd = folderWith([HEADER, row('1'), `"2","${A}","0.1"`, row('3'), row('four')])
    const {code, stdout, stderr} = await ucs(TO_STDOUT, {cwd})
    expect(code).toBe(3)
    expect(eventsOf(stdout).map(({ts}) => ts)).toEqual([1, 3])
    expect(stderr).toContain('rejected 2 (ragged row 1, bad timestamp 1)')
    expect(stderr).toContain('error: 2 of 4 records were rejected: they are in ./dead-letters/produce.ndjson')
    const letters = readFileSync(join(cwd, 'dead-letters/produce.ndjson'), 'utf8').trim().split('\n')
    expect(letters.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      {command: 'produce', topic: 'sensors.csv', reason: {code: 'ragged row'}, value: `"2","${A}","0.1"`, index: null, key: null},
      {reason: {code: 'bad timestamp'}},
    ])
  })

  it('appends to the dead letters of an earlier run, where they were sent', async () => {
    const cwd = folderWith([HEADER, row('one')])
    for (const run of ['first', 'second']) expect((await ucs([...TO_STDOUT, '--dead-letter', 'a/b.ndjson'], {cwd})).code, run).toBe(3)
    expect(readFileSync(join(cwd, 'a/b.ndjson'), 'utf8').trim().split('\n')).toHaveLength(2)
  })

  it('exits 74 when the disk that takes the dead letters is full', async () => {
    const cwd = folderWith([HEADER, row('one')])
    symlinkSync('/dev/full', join(cwd, 'full.ndjson'))
    const {code, stderr} = await ucs([...TO_STDOUT, '--dead-letter', 'full.ndjson'], {cwd})
    expect(code).toBe(74)
    expect(stderr).toContain('writing dead letters to full.ndjson failed: ENOSPC')
    expect(stderr).toContain('try: Make room or name another file with --dead-letter')
  })

  it.each([
    ['.', 2, '. is a folder and not a file'],
    ['sensors.csv/letters.ndjson', 74, 'cannot write sensors.csv/letters.ndjson: ENOTDIR'],
  ])('ends before anything is sent when no dead letter could be written to %s', async (where, exit, message) => {
    const {code, stdout, stderr} = await ucs([...TO_STDOUT, '--dead-letter', where], {cwd: folderWith([HEADER, row('1')])})
    expect({code, stdout}).toEqual({code: exit, stdout: ''})
    expect(stderr).toContain(`error: ${message}`)
    expect(stderr).toContain('with --dead-letter')
  })

  it('takes a device for the dead letters', async () => {
    const {code} = await ucs([...TO_STDOUT, '--dead-letter', '/dev/null'], {cwd: folderWith([HEADER, row('one')])})
    expect(code).toBe(3)
  })

  it.each(['A', 'B', 'all'])('counts a row that cannot be read, and says how many lines it takes in: --device %s', async (device) => {
    const cwd = folderWith([HEADER, row('1'), `2,"${A},1,1,1,1,1,1,1`, '3', '4'])
    const args = ['produce', '--file', 'sensors.csv', '--device', device, '--rows', 'all', '--pause', '0', '--output', '-']
    const {code, stderr} = await ucs(args, {cwd})
    expect(code).toBe(3)
    expect(stderr).toContain('rejected 1 (malformed CSV 1)')
    expect(stderr).toMatch(/"lines":3,.*"row\.of_many_lines"/)
    expect(readFileSync(join(cwd, 'dead-letters/produce.ndjson'), 'utf8')).toContain('takes in 3 lines, which count as one row')
  })

  it('ends at the first rejected row with --dead-letter none, and exits 3', async () => {
    const cwd = folderWith([HEADER, row('x'), row('2')])
    const {code, stderr} = await ucs(['produce', '--file', 'sensors.csv', '--rows', 'all', '--dry-run', '--dead-letter', 'none'], {cwd})
    expect(code).toBe(3)
    expect(stderr).toContain('--dead-letter is none')
  })

  it('reads standard input as it comes, and counts the rows that are out of order', async () => {
    const input = [HEADER, row('1'), row('3'), row('2')].join('\n')
    const {code, stdout, stderr} = await ucs(['produce', '--file', '-', '--rows', 'all', '--dry-run', '--pause', '0'], {input})
    expect(code).toBe(0)
    expect(eventsOf(stdout).map(({ts}) => ts)).toEqual([1, 3, 2])
    expect(stderr).toContain('row.out_of_order')
    const args = ['produce', '--file', '-', '--rows', 'all', '--pause', '0', '--json', ...NO_BROKER]
    expect((await ucs(args, {input})).json()['observations']).toEqual({'row.out_of_order': {[A]: 1}})
  })

  it('sends a SWaT file in its own order, flat, with trimmed keys and the label Normal_Attack', async () => {
    const cwd = folderWith(
      ['P1,P1,', ' Timestamp,FIT101, MV101,Normal/Attack', ' 28/12/2015 10:00:00 AM,2.4,1,Normal', ' 28/12/2015 9:59:59 AM,2.5,2,A ttack'],
      'swat.csv',
    )
    const {code, stdout} = await ucs(['produce', '--preset', 'swat', '--file', 'swat.csv', '--rows', 'all', '--dry-run', '--pause', '0'], {
      cwd,
    })
    expect(code).toBe(0)
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([
      {Timestamp: '28/12/2015 10:00:00 AM', FIT101: '2.4', MV101: '1', Normal_Attack: 'Normal'},
      {Timestamp: '28/12/2015 9:59:59 AM', FIT101: '2.5', MV101: '2', Normal_Attack: 'A ttack'},
    ])
  })
})

describe('produce without a broker', () => {
  const cwdWithRows = () => folderWith([HEADER, row('1'), row('2'), row('3')])

  it('warns in the words of the seed, prints the events with a mark, and exits 0', async () => {
    const {code, stdout, stderr} = await ucs(['produce', '--file', 'sensors.csv', '--rows', '2', ...NO_BROKER], {cwd: cwdWithRows()})
    expect(code).toBe(0)
    expect(stderr).toContain('Kafka unavailable (NoBrokersAvailable). Running in dry-run; events printed only.')
    expect(stdout.trim().split('\n')).toHaveLength(2)
    for (const line of stdout.trim().split('\n')) expect(line).toMatch(/^\[DRY-RUN\] \{.*\}$/)
    expect(eventsOf(stdout).map(({ts}) => ts)).toEqual([1, 2])
  })

  it('prints the events on standard error with --json, and counts them as printed', async () => {
    const result = await ucs(['produce', '--file', 'sensors.csv', '--rows', '2', '--json', ...NO_BROKER], {cwd: cwdWithRows()})
    expect(result.code).toBe(0)
    expect(result.json()).toMatchObject({ok: true, sent: 0, ledger: {read: 2, printed: 2, written: 0}})
    expect(result.stderr).toContain('[DRY-RUN] {')
  })

  it('exits 69 with --no-dry-run-fallback', async () => {
    const {code, stdout, stderr} = await ucs(['produce', '--file', 'sensors.csv', '--no-dry-run-fallback', ...NO_BROKER], {
      cwd: cwdWithRows(),
    })
    expect({code, stdout}).toEqual({code: 69, stdout: ''})
    expect(stderr).toContain('127.0.0.1:1')
    expect(stderr).toContain('try: Is the broker running?')
  })

  it('gives up on a port that never answers within --connect-timeout', async () => {
    const server = createServer(() => {}).listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await new Promise((resolve) => server.once('listening', resolve))
    const {port} = server.address() as {port: number}
    const {code, stderr} = await ucs(
      ['produce', '--file', 'sensors.csv', '--no-dry-run-fallback', '--broker', `127.0.0.1:${port}`, '--connect-timeout', '1s'],
      {cwd: cwdWithRows()},
    )
    expect(code).toBe(69)
    expect(stderr).toContain('did not answer within 1 s')
  })

  it('ends with 130 on a signal, having sent what it read, and says how to go on', async () => {
    const cwd = folderWith([HEADER, ...Array.from({length: 50}, (_, index) => row(String(index)))])
    const {child, result, output} = startUcs(['produce', '--file', 'sensors.csv', '--rows', 'all', '--pause', '50ms', ...NO_BROKER], {cwd})
    while (!output().stdout.includes('"ts":2}')) await new Promise((resolve) => child.stdout.once('data', resolve))
    child.kill('SIGTERM')
    const {code, stdout, stderr} = await result
    expect(code).toBe(130)
    const sent = stdout.trim().split('\n').length
    expect(stderr).toContain(`sent ${sent} of 50; continue with --skip ${sent}`)
  })

  it('says of a run that loops how many it sent, and nothing of a place to go on from', async () => {
    const cwd = cwdWithRows()
    const {child, result, output} = startUcs(['produce', '--file', 'sensors.csv', '--loop', '--pause', '10ms', ...NO_BROKER], {cwd})
    while (output().stdout.split('"ts":1}').length < 4) await new Promise((resolve) => child.stdout.once('data', resolve))
    child.kill('SIGTERM')
    const {code, stdout, stderr} = await result
    expect(code).toBe(130)
    const sent = stdout.trim().split('\n').length
    expect(stderr).toContain(`error: stopped by SIGTERM: what was read is written; sent ${sent}\n`)
  })

  it('puts no rejected row aside, also where a topic is named', async () => {
    const cwd = folderWith([HEADER, row('1'), row('two')])
    const {code, stderr} = await ucs(['produce', '--file', 'sensors.csv', '--dead-letter', 'kafka:rejects', ...NO_BROKER], {cwd})
    expect(code).toBe(3)
    expect(stderr).toContain('record.rejected')
    expect(stderr).toContain('they are in the log only')
    expect(readdirSync(cwd)).toEqual(['sensors.csv'])
  })

  it('exits 74 when the reader of a dry run has enough, and says so', async () => {
    const cwd = folderWith([HEADER, ...Array.from({length: 5000}, (_, index) => row(String(index)))])
    const {child, result} = startUcs(['produce', '--file', 'sensors.csv', '--rows', 'all', '--pause', '0', '--dry-run'], {cwd})
    child.stdout.once('data', () => child.stdout.destroy())
    const {code, stderr} = await result
    expect(code).toBe(74)
    expect(stderr).toMatch(/^error: standard output was closed before everything was written.*\n {2}try: /m)
  })
})
