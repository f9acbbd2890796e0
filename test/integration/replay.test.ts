import {existsSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect, test} from 'vitest'
import {ucs} from '../commands/cli.ts'
import {describeWith, useInflux} from '../services/use.ts'
import {useFolders} from './folders.ts'
import {newBucket} from './influx-bucket.ts'

const MESSAGES = 3000
const FIRST = Date.UTC(2015, 11, 28, 10)

/** Of a thousand messages one is malformed and one has its month first, besides an array of which one row has. */
const message = (number: number) => {
  const row = (second: number, time = new Date(FIRST + second * 1000).toISOString()) => ({Timestamp: time, LIT101: second})
  if (number % 1000 === 7) return '{"Timestamp":'
  if (number % 1000 === 8) return JSON.stringify(row(number, `12/28/2015 10:00:${10 + number / 1000}`))
  if (number % 1000 === 9) return JSON.stringify([row(number), row(number, '12/29/2015 11:00:00')])
  return JSON.stringify(row(number))
}

describeWith('influx')('dead letters of a run', () => {
  const newFolder = useFolders()

  test('name each bad message and why; replayed after the fix they are stored, but for those that fail again', async () => {
    const {url, org, token} = useInflux()
    const bucket = await newBucket()
    const cwd = newFolder()
    const env = {INFLUX_URL: url, INFLUX_ORG: org, INFLUX_TOKEN: token, INFLUX_BUCKET: bucket.name}
    const input = Array.from({length: MESSAGES}, (_, number) => `${message(number)}\n`).join('')
    const first = await ucs(['kafka-to-influx', '--input', '-', '--json'], {cwd, env, input})
    expect(first.code).toBe(3)
    expect(first.json().ledger).toMatchObject({
      read: MESSAGES,
      written: MESSAGES - 9,
      rejectedBy: {'malformed JSON': 3, 'bad timestamp': 6},
    })

    const file = 'dead-letters/kafka-to-influx.ndjson'
    const listed = await ucs(['dead-letters', 'list', file], {cwd})
    expect(listed.code).toBe(0)
    expect(listed.stdout).toMatch(/^ +6 {2}bad timestamp .*\n +3 {2}malformed JSON /m)
    expect(listed.stdout).toContain('stdin/0/2009#1')
    const values = await ucs(['dead-letters', 'list', file, '--values'], {cwd})
    expect(values.stdout.split('\n')).toHaveLength(9 + 1)

    const dry = await ucs(['dead-letters', 'replay', file, '--timestamp-format', 'mdy', '--dry-run'], {cwd, env})
    expect(dry.stdout.split('\n')).toHaveLength(6 + 1)
    const again = await ucs(['dead-letters', 'replay', file, '--timestamp-format', 'mdy', '--json'], {cwd, env})
    expect(again.code).toBe(3)
    expect(again.json()).toMatchObject({
      command: 'kafka-to-influx',
      ledger: {read: 9, written: 6, rejected: 3, rejectedBy: {'malformed JSON': 3}},
    })
    const left = readFileSync(join(cwd, file), 'utf8').trim().split('\n')
    expect(left.map((line) => (JSON.parse(line) as {offset: string}).offset)).toEqual(['7', '1007', '2007'])
    expect(await bucket.stored()).toHaveLength(MESSAGES - 6 + 3 + 1) // the three rows of arrays have the same time
  })

  test('leave no file when all of them succeed, and exit 0', async () => {
    const {url, org, token} = useInflux()
    const bucket = await newBucket()
    const cwd = newFolder()
    const env = {INFLUX_URL: url, INFLUX_ORG: org, INFLUX_TOKEN: token, INFLUX_BUCKET: bucket.name}
    await ucs(['kafka-to-influx', '--input', '-'], {cwd, env, input: `${message(8)}\n`})
    const {code, stderr} = await ucs(['dead-letters', 'replay', 'dead-letters/kafka-to-influx.ndjson', '--timestamp-format', 'mdy'], {
      cwd,
      env,
    })
    expect({code, stderr}).toEqual({code: 0, stderr: expect.stringContaining('read 1 written 1') as string})
    expect(existsSync(join(cwd, 'dead-letters/kafka-to-influx.ndjson'))).toBe(false)
    expect(await bucket.stored()).toHaveLength(1)
  })
})
