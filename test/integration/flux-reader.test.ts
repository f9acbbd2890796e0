import {connect} from 'node:net'
import {setFlagsFromString} from 'node:v8'
import {runInNewContext} from 'node:vm'
import {flux} from '@influxdata/influxdb-client'
import {expect, onTestFinished, test} from 'vitest'
import type {InfluxQueryClient} from '../../src/lib/clients/influx-query.ts'
import type {FluxRow} from '../../src/lib/format/annotated-csv.ts'
import {fluxValueOf} from '../../src/lib/format/flux-value.ts'
import {serveSocket} from '../clients/servers.ts'
import {describeWith, useInflux} from '../services/use.ts'
import {fluxClient} from './flux-rows.ts'
import {influxClient, newBucket} from './influx-bucket.ts'

const never = new AbortController().signal
const MANY = 200_000

describeWith('influx')('the Flux reader', () => {
  test.each([{compresses: false}, {compresses: true}])('reads what was written, with every digit (gzip: $compresses)', async (options) => {
    const bucket = await bucketWith([
      'm long=9007199254740993i 1',
      'm long=9223372036854775807i 1577836800123456789',
      'm long=-9223372036854775808i -1',
      'm unsigned=18446744073709551615u 1',
      'm double=0.1 1',
      'm double=-1.7976931348623157e308 2',
      'm boolean=true 1',
      'm boolean=false 2',
      'm string="" 1',
      String.raw`m string="a, \"b\" = c\\" 2`,
      'm string="two\nlines\n" 3',
      'm string=" 漢字 😀 é\uFEFF" 4',
      'm string="#datatype,string" 5',
      `m string="${'long '.repeat(30_000)}" 6`,
    ])
    const found = await values(clientOf(options), all(bucket))
    expect(found).toEqual({
      boolean: [
        [1n, true],
        [2n, false],
      ],
      double: [
        [1n, 0.1],
        [2n, -Number.MAX_VALUE],
      ],
      long: [
        [-1n, -(2n ** 63n)],
        [1n, 9_007_199_254_740_993n],
        [1_577_836_800_123_456_789n, 2n ** 63n - 1n],
      ],
      string: [
        [1n, ''],
        [2n, String.raw`a, "b" = c` + '\\'],
        [3n, 'two\nlines\n'],
        [4n, ' 漢字 😀 é\uFEFF'],
        [5n, '#datatype,string'],
        [6n, 'long '.repeat(30_000)],
      ],
      unsigned: [[1n, 2n ** 64n - 1n]],
    })
  })

  test('cannot bring back a CR, which the server leaves out', async () => {
    const bucket = await bucketWith(['m string="a\rb" 1', 'm string="a\r\nb" 2'])
    expect(await values(clientOf(), all(bucket))).toEqual({
      string: [
        [1n, 'ab'],
        [2n, 'a\nb'],
      ],
    })
  })

  test('refuses what is not UTF-8, and says where it is', async () => {
    const bucket = await bucketWith([Buffer.from('m,t=x string="bad \xff" 1', 'latin1')])
    await expect(values(clientOf(), all(bucket))).rejects.toMatchObject({
      name: 'UnavailableError',
      retryable: 'never',
      message: `the answer of ${useInflux().url} cannot be read, because it holds a text that is not UTF-8: ,,0,1970-01-01T00:00:00.000000001Z,bad \uFFFD,string,m,x`,
      suggestion: 'Leave that series out of the query',
    })
  })

  test('reads what only a query makes: no value, no number, and every time', async () => {
    const query = `
      import "array"
      import "internal/debug"
      array.from(rows: [
        {d: float(v: "NaN"), t: time(v: -9223372036854775807 - 1), i: debug.null(type: "int"), s: debug.null(type: "string")},
        {d: float(v: "+Inf"), t: time(v: 9223372036854775807), i: 1, s: ""},
        {d: float(v: "-Inf"), t: debug.null(type: "time"), i: 2, s: "x"},
      ])`
    const read: unknown[] = []
    for await (const {table, rows} of clientOf().query({flux: query, signal: never})) {
      const {columns} = table
      for (const row of rows) read.push(Object.fromEntries(columns.map(({name, type}, at) => [name, fluxValueOf(row[at]!, type)])))
    }

    expect(read).toEqual([
      {d: NaN, t: -(2n ** 63n), i: undefined, s: ''},
      {d: Infinity, t: 2n ** 63n - 1n, i: 1n, s: ''},
      {d: -Infinity, t: undefined, i: 2n, s: 'x'},
    ])
  })

  test('tells results and tables apart, and the columns that all rows of a table share', async () => {
    const query = `
      import "array"
      array.from(rows: [{host: "a", v: 1}, {host: "b", v: 2}, {host: "a", v: 3}]) |> group(columns: ["host"]) |> yield(name: "one")
      array.from(rows: [{v: "x"}]) |> yield(name: "two")
      array.from(rows: [{v: 1.5}]) |> limit(n: 0) |> yield(name: "none")`
    const parts = await Array.fromAsync(clientOf().query({flux: query, signal: never}))
    const host = {name: 'host', type: 'string', isGroupKey: true}
    const v = {name: 'v', type: 'long', isGroupKey: false}
    const one = {result: 'one', columns: [host, v]}
    expect(parts.toSorted((a, b) => (a.table.result < b.table.result ? -1 : 1))).toEqual([
      {table: {...one, number: '0'}, rows: [['a', '1'], ['a', '3']]}, // prettier-ignore
      {table: {...one, number: '1'}, rows: [['b', '2']]},
      {table: {result: 'two', number: '0', columns: [{name: 'v', type: 'string', isGroupKey: false}]}, rows: [['x']]},
    ])
  })

  test.each([
    ['nothing in the range', 'range(start: 2000-01-01T00:00:00Z, stop: 2000-01-02T00:00:00Z)'],
    ['a table without rows', 'range(start: 0) |> filter(fn: (r) => r._value > 5, onEmpty: "keep")'],
  ])('yields nothing for %s', async (_, rest) => {
    const bucket = await bucketWith(['m f=1 1'])
    expect(await values(clientOf(), flux`from(bucket: ${bucket}) |> `.toString() + rest)).toEqual({})
  })

  test('fails with the reason of the server when a query breaks off after its first rows', async () => {
    const numbers = Array.from({length: 3000}, (_, series) => `m,series=${series} a=1.5 1`)
    const bucket = await bucketWith([...numbers, 'm,series=x text="no number" 1'])
    const query = flux`from(bucket: ${bucket}) |> range(start: 1970-01-01T00:00:00Z) |> mean()`.toString()
    const seen: FluxRow[] = []
    const reading = (async () => {
      for await (const {rows} of clientOf().query({flux: query, signal: never})) seen.push(...rows)
    })()
    await expect(reading).rejects.toMatchObject({
      name: 'UnavailableError',
      retryable: 'never',
      message: `${useInflux().url} broke the query off: unsupported input type for mean aggregate: string`,
    })
    expect(seen[0]).toContain('1.5')
  })

  test.each([
    ['a query that is none', {}, 'from(bucket: "x") |> rang(start: 0)', 'UnavailableError', 'undefined identifier rang'],
    ['a query that fails at once', {}, 'die(msg: "oh")', 'UnavailableError', 'oh'],
    ['a missing bucket', {}, 'from(bucket: "nope") |> range(start: 0)', 'NotFoundError', 'could not find bucket "nope"'],
    ['a missing organisation', {org: 'nope'}, 'buckets()', 'NotFoundError', 'organization name "nope" not found'],
    ['a wrong token', {token: 'nope'}, 'buckets()', 'AuthError', 'unauthorized access'],
  ])('refuses %s', async (_, where, query, name, message) => {
    await expect(values(clientOf({where}), query)).rejects.toMatchObject({name, message: expect.stringContaining(message) as string})
  })

  test(`streams ${MANY} rows: neither its memory nor what waits for it grows with them`, async () => {
    const query = flux`
      import "generate"
      generate.from(count: ${MANY}, fn: (n) => n, start: 2020-01-01T00:00:00Z, stop: 2021-01-01T00:00:00Z)
        |> set(key: "padding", value: ${'x'.repeat(400)})`
    const proxy = await countingProxy(useInflux().url)
    const client = clientOf({where: {url: proxy.url}})
    const collectGarbage = garbageCollector()
    const samples: {rows: number; sent: number; memory: number}[] = []
    let [rows, next] = [0, 0n]
    for await (const part of client.query({flux: query.toString(), signal: never})) {
      for (const row of part.rows) if (row[1] === String(next)) next++
      rows += part.rows.length
      for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate) // in which the proxy sends what the connection takes
      if (rows > (samples.length + 1) * 20_000) samples.push({rows, sent: proxy.sent(), memory: collectGarbage()})
    }

    expect([rows, next]).toEqual([MANY, BigInt(MANY)])
    const bytesARow = proxy.sent() / MANY
    const ahead = samples.map(({rows, sent}) => sent - rows * bytesARow)
    expect(Math.max(...ahead)).toBeLessThan(proxy.sent() / 2) // what the system keeps for a connection
    const least = (some: typeof samples) => Math.min(...some.map(({memory}) => memory)) // some garbage is collected late
    expect(least(samples.slice(-4)) - least(samples.slice(0, 4))).toBeLessThan(proxy.sent() / 10)
  })
})

function clientOf({compresses = false, where = {}}: {compresses?: boolean; where?: object} = {}): InfluxQueryClient {
  const client = fluxClient({...useInflux(), ...where}, {compresses})
  onTestFinished(() => client.close())
  return client
}

async function bucketWith(lines: readonly (string | Buffer)[]): Promise<string> {
  const {name} = await newBucket()
  const client = influxClient()
  const body = Buffer.concat(lines.flatMap((line) => [Buffer.from(line), Buffer.from('\n')]))
  await client.write({bucket: name, body, encoding: 'identity', signal: never})
  client.close()
  return name
}

const all = (bucket: string) =>
  flux`from(bucket: ${bucket}) |> range(start: 1677-09-22T00:00:00Z, stop: 2262-04-11T00:00:00Z) |> drop(columns: ["_start", "_stop"])`.toString()

/** By field, time and value. */
async function values(client: InfluxQueryClient, query: string): Promise<Record<string, unknown[]>> {
  const found: Record<string, unknown[]> = {}
  for await (const {table, rows} of client.query({flux: query, signal: never})) {
    const [time, field, value] = ['_time', '_field', '_value'].map((name) => table.columns.findIndex((column) => column.name === name))
    for (const row of rows) {
      const typed = [time, value].map((column) => fluxValueOf(row[column!]!, table.columns[column!]!.type))
      ;(found[row[field!]!] ??= []).push(typed)
    }
  }

  return found
}

/** Before a server, counting what it sends. */
async function countingProxy(server: string): Promise<{url: string; sent(): number}> {
  let sent = 0
  const {url} = await serveSocket((socket) => {
    const {hostname, port} = new URL(server)
    const upstream = connect(Number(port), hostname)
    upstream.on('error', () => socket.destroy())
    upstream.on('data', (bytes) => (sent += bytes.length))
    socket.pipe(upstream).pipe(socket)
    socket.once('close', () => upstream.destroy())
  })
  return {url, sent: () => sent}
}

/** Returns the bytes that are in use afterwards. */
function garbageCollector(): () => number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  return () => {
    collect()
    const {heapUsed, arrayBuffers} = process.memoryUsage()
    return heapUsed + arrayBuffers
  }
}
