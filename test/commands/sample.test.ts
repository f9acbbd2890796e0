import {existsSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {describe, expect, it} from 'vitest'
import {startUcs, temporaryFolder, ucs} from './cli.ts'
import {runScript} from './shell.ts'

const linesOf = (text: string) => text.trimEnd().split('\n')

describe('sample sensors', () => {
  it('prints rows as the sensor export has them: all quoted, epoch seconds as Spark prints them, the three devices in turn', async () => {
    const {code, stdout, stderr} = await ucs(['sample', 'sensors', '--rows', '4'])
    expect({code, stderr}).toEqual({code: 0, stderr: ''})
    const [header, ...rows] = linesOf(stdout)
    expect(header).toBe('"ts","device","co","humidity","light","lpg","motion","smoke","temp"')
    expect(rows).toHaveLength(4)
    for (const row of rows)
      expect(row).toMatch(
        /^"1\.59451\d{11}E9","[\da-f:]{17}","0\.\d+","\d+\.\d","(true|false)","0\.\d+","(true|false)","0\.\d+","-?\d+(\.\d+)?"$/,
      )
    const devices = rows.map((row) => row.split('","')[1])
    expect(devices).toEqual(['b8:27:eb:bf:9d:51', '00:0f:00:70:91:0a', '1c:bf:ce:15:ec:4d', 'b8:27:eb:bf:9d:51'])
    const times = rows.map((row) => Number(row.slice(1).split('"', 1)[0]))
    expect(times).toEqual([...times].sort((a, b) => a - b))
  })
})

describe('sample swat', () => {
  it('prints rows as the SWaT export has them: names that begin with a space, a second each, attacks in between', async () => {
    const {stdout} = await ucs(['sample', 'swat', '--rows', '800'])
    const [header, ...rows] = linesOf(stdout)
    const columns = header!.split(',')
    expect(columns).toHaveLength(53)
    expect(columns.slice(0, 4)).toEqual([' Timestamp', 'FIT101', 'LIT101', ' MV101'])
    expect(columns.at(-1)).toBe('Normal/Attack')
    expect(rows.map((row) => row.split(',').length)).toEqual(Array(800).fill(53))
    expect(rows[0]).toMatch(/^ 28\/12\/2015 10:00:00 AM,/)
    expect(rows[799]).toMatch(/^ 28\/12\/2015 10:13:19 AM,.*,Attack$/)
    expect(rows.filter((row) => row.endsWith(',Normal'))).toHaveLength(700)
  })
})

describe('sample', () => {
  it('prints the same in every run, and something else for another seed', async () => {
    const [one, again, other] = await Promise.all(
      [[], ['--seed', '1'], ['--seed', '2']].map((seed) => ucs(['sample', 'sensors', '--rows', '20', ...seed])),
    )
    expect(again!.stdout).toBe(one!.stdout)
    expect(other!.stdout).not.toBe(one!.stdout)
  })

  it('begins a longer sample with the shorter one', async () => {
    const [short, long] = await Promise.all([10, 2500].map((rows) => ucs(['sample', 'swat', '--rows', String(rows)])))
    expect(long!.stdout.startsWith(short!.stdout)).toBe(true)
    expect(linesOf(long!.stdout)).toHaveLength(2501)
  })

  it('writes a file instead, and says so unless it is to be quiet', async () => {
    const cwd = temporaryFolder()
    const {code, stdout, stderr} = await ucs(['sample', 'sensors', '--rows', '3', '--output', 'a.csv'], {cwd})
    expect({code, stdout, stderr}).toEqual({code: 0, stdout: '', stderr: 'sample: wrote 3 rows to a.csv\n'})
    expect(linesOf(readFileSync(join(cwd, 'a.csv'), 'utf8'))).toHaveLength(4)
    const quiet = await ucs(['sample', 'sensors', '--rows', '2', '--output', 'a.csv', '--quiet'], {cwd})
    expect({code: quiet.code, stderr: quiet.stderr}).toEqual({code: 0, stderr: ''})
    expect(linesOf(readFileSync(join(cwd, 'a.csv'), 'utf8'))).toHaveLength(3)
  })

  it('prints one object with --json, which needs a file for the data', async () => {
    const cwd = temporaryFolder()
    const written = await ucs(['sample', 'sensors', '--rows', '3', '--output', 'a.csv', '--json'], {cwd})
    expect(written.json()).toMatchObject({command: 'sample', ok: true, exitCode: 0, rows: 3})
    const refused = await ucs(['sample', 'sensors', '--json'], {cwd})
    expect(refused.code).toBe(2)
    expect(refused.json().error).toMatchObject({code: 'USAGE', suggestion: 'Name a file with --output'})
  })

  it.each<[args: string[], stderr: string]>([
    [[], 'error: KIND is missing'],
    [['rainfall'], 'error: KIND: expected sensors or swat'],
    [['sensors', 'swat'], 'error: there is an argument too many'],
    [['sensors', '--rows', '0'], 'error: --rows: expected a whole number from 1 on'],
    [['sensors', '--seed', '-1'], 'error: --seed: expected a whole number from 0 to 4294967295'],
    [['sensors', '--seed', '4294967296'], 'error: --seed: expected a whole number from 0 to 4294967295'],
  ])('exits 2 on %j', async (args, message) => {
    const cwd = temporaryFolder()
    const {code, stdout, stderr} = await ucs(['sample', ...args, '--output', 'a.csv'], {cwd})
    expect({code, stdout}).toEqual({code: 2, stdout: ''})
    expect(stderr.split('\n', 1)[0]).toBe(message)
    expect(existsSync(join(cwd, 'a.csv'))).toBe(false)
  })

  it.each([
    ['none/a.csv', 'ENOENT'],
    ['file/a.csv', 'ENOTDIR'],
    ['/dev/full', 'ENOSPC'],
  ])('exits 74 where it cannot write: %s', async (path, reason) => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'file'), '')
    const {code, stderr} = await ucs(['sample', 'sensors', '--output', path], {cwd})
    expect(code).toBe(74)
    expect(stderr).toMatch(new RegExp(`^error: writing to ${path} failed: ${reason}[^\\n]*\\n$`))
  })

  it('leaves no file that is cut off, and touches none that it cannot open', () => {
    const cut = runScript('ulimit -f 8; ucs sample sensors --rows 5000 --output a.csv || echo $?; test ! -e a.csv')
    expect(cut).toMatchObject({status: 0, stdout: '74\n', stderr: expect.stringContaining('writing to a.csv failed: EFBIG') as string})
    const busy = 'cp "$(command -v sleep)" a.csv; ./a.csv 10 & trap "kill $!" EXIT; sleep 0.1'
    const running = runScript(`${busy}; ucs sample sensors --rows 5 --output a.csv || echo $?; test -e a.csv`)
    expect(running).toMatchObject({status: 0, stdout: '74\n', stderr: expect.stringContaining('ETXTBSY') as string})
    const full = runScript('ucs sample sensors --rows 5 --output /dev/full || echo $?; test -c /dev/full')
    expect(full).toMatchObject({status: 0, stdout: '74\n'})
  })

  it('exits 74 when its reader has enough, and says so', async () => {
    const {child, result} = startUcs(['sample', 'sensors', '--rows', '200000'])
    child.stdout.once('data', () => child.stdout.destroy())
    const {code, stderr} = await result
    expect(code).toBe(74)
    expect(stderr).toMatch(/^error: standard output was closed before everything was written.*\n {2}try: /m)
  })
})
