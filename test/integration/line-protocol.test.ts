import {flux} from '@influxdata/influxdb-client'
import {beforeAll, expect, test} from 'vitest'
import type {FieldValue, Point} from '../../src/lib/format/line-protocol.ts'
import {DataError} from '../../src/lib/errors.ts'
import {fluxValueOf} from '../../src/lib/format/flux-value.ts'
import {encodeFieldKey, encodeLine, encodePoint, encodeSeries} from '../../src/lib/format/line-protocol.ts'
import {numericText} from '../../src/lib/format/numeric.ts'
import {timestampParser} from '../../src/lib/format/timestamp.ts'
import {createObservations} from '../../src/lib/transforms/observations.ts'
import {toPoint} from '../../src/lib/transforms/to-point.ts'
import {seededRandom} from '../fakes/random.ts'
import {rawMessage, somewhere} from '../fakes/raw-message.ts'
import {describeWith, useInflux} from '../services/use.ts'
import {fluxClient} from './flux-rows.ts'
import {newBucket} from './influx-bucket.ts'
import {rowsIn} from '../fakes/outcome.ts'

/*
 * The server is the judge: what the encoder lets pass is stored as it was meant and never refused, and what it refuses
 * the server would refuse, or store as something else.
 */

const NOW = 1_700_000_000_000_000_000n
const EARLIEST = 2n - 2n ** 63n
const LATEST = 2n ** 63n - 2n

describeWith('influx')('a line', () => {
  let bucket: string
  beforeAll(async () => {
    bucket = (await newBucket()).name
  })

  test('brings every odd name, tag, value and time to the server as it was', async () => {
    const points = ODD_POINTS.map((own, index): Point => ({measurement: `m${index}`, tags: {}, fields: {f: 1}, time: NOW, ...own}))
    expect(
      await write(
        bucket,
        points.map((point) => encodePoint(point).bytes),
      ),
    ).toBe(204)
    const stored = await read(bucket)
    for (const point of points) expect(stored.get(point.measurement), point.measurement).toEqual(asStored(point))
  })

  test('of random odd names and texts is refused by the encoder, or stored as it was', async () => {
    const {name} = await newBucket()
    const points = Array.from({length: 1500}, (_, index) => randomPoint(index + 1))
    const encoded = points.flatMap((point) => {
      const bytes = unlessRefused(() => encodePoint(point).bytes)
      return bytes ? [{point, bytes}] : []
    })
    expect(encoded.length).toBeGreaterThan(500)
    expect(encoded.length).toBeLessThan(1400)
    expect(
      await write(
        name,
        encoded.map(({bytes}) => bytes),
      ),
    ).toBe(204)
    const stored = await read(name)
    expect(stored.size).toBe(encoded.length)
    for (const {point, bytes} of encoded) expect(stored.get(point.measurement), bytes.toString()).toEqual(asStored(point))
  })

  test('has the number that its text stands for, passed through or not', async () => {
    const texts = [...ODD_NUMBERS, ...Array.from({length: 500}, (_, index) => randomNumber(index + 1))]
    const fields = texts.map((text, index) => `${encodeFieldKey(`f${index}`)}${numericText(text)}`).join(',')
    expect(await write(bucket, [encodeLine(encodeSeries('numbers', []), fields, NOW).bytes])).toBe(204)
    const [stored] = (await read(bucket)).get('numbers')!
    expect(stored!.fields).toEqual(Object.fromEntries(texts.map((text, index) => [`f${index}`, Number(text) + 0])))
  })

  test('made of a random message is never refused', async () => {
    const transform = toPoint({
      measurement: 'a b,c=d',
      tags: {status: 'flag', site: 'x y'},
      tagFields: ['a', ' ', 'time\\'],
      excludeFields: [],
      timestampField: 'ts',
      labelField: 'auto',
      observations: createObservations(() => {}),
      parse: timestampParser('auto', 'UTC'),
      onBadTimestamp: 'broker',
      now: () => 0,
    })
    const lines = Array.from({length: 1500}, (_, index) => {
      const outcome = unlessRefused(() => transform(rawMessage(randomMessage(index + 1), 1_700_000_000_000 + index), somewhere))
      return outcome && 'rows' in outcome ? rowsIn(outcome).map(({bytes}) => bytes) : []
    }).flat()
    expect(lines.length).toBeGreaterThan(500)
    expect(await write((await newBucket()).name, lines)).toBe(204)
  })

  test('as long as the encoder lets it be is stored', async () => {
    const long: Point = {
      measurement: 'long',
      tags: {t: 'x'.repeat(61_435 - 'long,t='.length)},
      fields: {['y'.repeat(4096)]: 1, ['"'.repeat(4095)]: '"'.repeat(1_048_576)},
      time: NOW,
    }
    expect(await write(bucket, [encodePoint(long).bytes])).toBe(204)
    expect((await read(bucket)).get('long')).toEqual(asStored(long))
  })

  test.each<[what: string, line: string]>([
    ['a backslash before a comma in a field name', String.raw`m a\\,b=1 1`],
    ['a backslash before an equals sign in a field name', String.raw`m a\\=b=1 1`],
    ['a backslash before a space in a field name', String.raw`m a\\ b=1 1`],
    ['a backslash at the end of a tag', 'm,t=x\\ f=1 1'],
    ['a line break in a tag', 'm,t=x\ny f=1 1'],
    ['a tag called time', 'm,time=x f=1 1'],
    ['a tag called _field', 'm,_field=x f=1 1'],
    ['a tag called _measurement', 'm,_measurement=x f=1 1'],
    ['a tag called NUL', 'm,\0=x f=1 1'],
    ['a tag twice', 'm,t=x,t=y f=1 1'],
    ['NaN', 'm f=NaN 1'],
    ['an infinite number', 'm f=+Inf 1'],
    ['a plus sign', 'm f=+5 1'],
    ['an integer of more than 64 bits', 'm f=9223372036854775808i 1'],
    ['a time too early', `m f=1 ${EARLIEST - 1n}`],
    ['a time too late', `m f=1 ${LATEST + 1n}`],
    ['a series that is too long', `m,t=${'x'.repeat(65_535)} f=1 1`],
  ])('with %s, which the encoder never makes, is refused', async (_, line) => {
    expect(await write(bucket, [Buffer.from(`${line}\n`)])).toBe(400)
  })

  test('with a backslash before a space in a tag, which the encoder never makes, can hide the line after it', async () => {
    const lines = String.raw`m,t=\\ \\="x f="q" 1` + '\n' + 'm,t=y f="q" 2\n'
    expect(await write(bucket, [Buffer.from(lines)])).toBe(400)
  })

  test('with a tag called _value, which the encoder never makes, stops every query that meets it', async () => {
    const {name} = await newBucket()
    expect(await write(name, [Buffer.from('m,_value=x f=1 1\n')])).toBe(204)
    await expect(read(name)).rejects.toThrow(/_value|panic/)
  })
})

const ODD_POINTS: readonly Partial<Point>[] = [
  {measurement: 'External Weather Conditions'},
  {measurement: 'a b,c=d'},
  {measurement: ' #m '},
  {measurement: '"m"'},
  {measurement: "it's (Testing) [1]"},
  {measurement: String.raw`a\b\\c`},
  {measurement: 'a\tb\0c'},
  {measurement: '漢字 😀 é'},
  {measurement: '\uFEFFm'},
  {tags: {t: ''}},
  {tags: {' a b,c=d ': ' a b,c=d '}},
  {tags: {'"t"': '"x', "'": "'"}},
  {tags: {[String.raw`C:\temp`]: String.raw`C:\temp\"x"\\y`}},
  {tags: {'\tt': '\tx\0y\t'}},
  {tags: {größe: '漢字 😀 é'}},
  {tags: {host: 'a', status: '#b', Time: 'c', field: 'd'}},
  {fields: {' a b,c=d ': 1}},
  {fields: {'"f"': 1, 'a="b"': 'c="d"', '#': 3}},
  {fields: {[String.raw`C:\temp\\x`]: 1}},
  {fields: {'f\t': 1, 'a\0b': 2}},
  {fields: {größe: 1, '漢字 😀': 2}},
  {fields: {_field: 1, _measurement: 2, _value: 3, _time: 4, Time: 5}},
  {fields: {a: true, b: false}},
  {fields: {max: 2n ** 63n - 1n, min: -(2n ** 63n), zero: 0n, odd: 9_007_199_254_740_993n}},
  {fields: {max: Number.MAX_VALUE, least: Number.MIN_VALUE, big: 1e21, small: 1e-7, third: 1 / 3, negative: -2.5}},
  {fields: {empty: '', quotes: '"', many: '""\\"', backslash: '\\', two: '\\\\', escape: String.raw`\n \" \,`}},
  {fields: {lines: 'a\nb\r\nc\n\n', end: '\n', blank: ' ', zero: 'a\0b', line: 'm,t=x f="y" 1', hash: '# a', number: '1i', true: 't'}},
  {fields: {text: '漢字 😀 é \uFEFF \u2028'}},
  {time: EARLIEST},
  {time: LATEST - 1n}, // Flux cannot ask for the last one
  {time: 0n},
  {time: -1n},
]

const ODD_NUMBERS = [
  '-0',
  '-0.0',
  '.5',
  '5.',
  '-.5',
  '007',
  '+5',
  '1e-3',
  '1E21',
  '5e-324',
  '1e-400',
  '1.7976931348623157e308',
  '9007199254740993',
  '0.1000000000000000055511151231257827021',
  '1234567890123456789012345678901234567890',
  '-123456789012345678901234567890.12345678',
  '12345678901234567890123456789012345678901234567890',
]

function randomNumber(seed: number): string {
  const random = seededRandom(seed)
  const digits = (most: number) => Array.from({length: 1 + Math.floor(random() * most)}, () => Math.floor(random() * 10)).join('')
  const [whole, fraction] = [digits(20), random() < 0.7 ? `.${digits(18)}` : '']
  return (random() < 0.3 ? '-' : '') + whole + fraction + (random() < 0.2 ? `e${Math.floor(random() * 40) - 20}` : '')
}

/** Of a measurement of its own, so that it can be told from others and its fields do not clash with theirs. */
function randomPoint(seed: number): Point {
  const {text, below} = oddTexts(seed)
  const record = <T>(most: number, value: () => T) =>
    Object.fromEntries(Array.from({length: below(most + 1)}, () => [text(4) || 'x', value()]))
  const value = (): FieldValue => [below(1000) / 8, BigInt(below(1000)), below(2) === 1, text(8), `${text(4)}\r\n${text(4)}`][below(5)]!
  return {
    measurement: `${text(3)}${seed}${text(3)}`,
    tags: record(2, () => text(4)),
    fields: {...record(2, value), f: 1},
    time: NOW + BigInt(below(1e9)),
  }
}

function randomMessage(seed: number): unknown {
  const {text, below} = oddTexts(seed)
  const values = () =>
    Object.fromEntries(Array.from({length: below(5)}, () => [text(3), [below(1000) / 8, text(3), String(below(9)), null][below(4)]]))
  return {
    ...values(),
    f: 1,
    ...(below(3) === 0 ? {label: text(2)} : {label: '1'}),
    ...(below(3) === 0 ? {sensors: values()} : {}),
    ...(below(2) === 0 ? {ts: text(4)} : {ts: 1_700_000_000 + below(1e5)}),
  }
}

function oddTexts(seed: number) {
  const random = seededRandom(seed)
  const below = (limit: number) => Math.floor(random() * limit)
  const letters = ['a', 'b', 'time', 'i', ' ', ',', '=', '"', '\\', '#', 'é', '😀', '\t', "'", '\0', 'n']
  return {below, text: (most: number) => Array.from({length: below(most + 1)}, () => letters[below(letters.length)]!).join('')}
}

/** Undefined when it was refused as it should be: any other error is a bug. */
function unlessRefused<T>(make: () => T): T | undefined {
  try {
    return make()
  } catch (error) {
    if (error instanceof DataError) return undefined
    throw error
  }
}

async function write(bucket: string, lines: readonly Buffer[]): Promise<number> {
  const {org, url, token} = useInflux()
  const query = new URLSearchParams({org, bucket, precision: 'ns'})
  const headers = {authorization: `Token ${token}`}
  const answer = await fetch(`${url}/api/v2/write?${query.toString()}`, {method: 'POST', headers, body: Buffer.concat(lines)})
  const text = await answer.text()
  if (answer.status === 204 || answer.status === 400) return answer.status
  throw new Error(`the server answers ${answer.status}: ${text}`)
}

interface StoredPoint {
  readonly tags: Readonly<Record<string, string>>
  readonly fields: Record<string, FieldValue>
  readonly time: string
}

/** What the server should tell of a point. */
function asStored({tags, fields, time}: Point): readonly StoredPoint[] {
  return [
    {
      tags: Object.fromEntries(Object.entries(tags).filter(([, value]) => value !== '')),
      fields: Object.fromEntries(Object.entries(fields).map(([name, value]) => [name === 'time' ? 'field_time' : name, value])),
      time: timeText(time),
    },
  ]
}

/** As the server prints it. */
function timeText(time: bigint): string {
  const fraction = ((time % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
  const text = new Date(Number((time - fraction) / 1_000_000n)).toISOString()
  return text.replace('.000Z', fraction === 0n ? 'Z' : `.${String(fraction).padStart(9, '0').replace(/0+$/, '')}Z`)
}

/** Everything in a bucket, by measurement. Texts are asked for as JSON, because the server's CSV does not keep line breaks. */
async function read(bucket: string): Promise<ReadonlyMap<string, readonly StoredPoint[]>> {
  const query = flux`
    import "json"
    import "types"
    all = from(bucket: ${bucket}) |> range(start: 1677-09-21T00:12:43.145224194Z, stop: 2262-04-11T23:47:16.854775807Z) |> drop(columns: ["_start", "_stop"])
    isText = (r) => types.isType(v: r._value, type: "string")
    all |> filter(fn: (r) => not isText(r)) |> yield(name: "others")
    all |> filter(fn: isText) |> map(fn: (r) => ({r with _value: string(v: json.encode(v: r._value))})) |> yield(name: "texts")`
  const measurements = new Map<string, StoredPoint[]>()
  for await (const {table, rows} of fluxClient(useInflux()).query({flux: query.toString(), signal: new AbortController().signal})) {
    const type = table.columns.find(({name}) => name === '_value')!.type
    for (const row of rows) {
      const cells = Object.fromEntries(table.columns.map(({name}, column) => [name, row[column]!]))
      const {_time: time, _value: value, _field: field, _measurement: measurement, ...tags} = cells
      const points = measurements.get(measurement!) ?? []
      measurements.set(measurement!, points)
      const point = points.find((other) => other.time === time && JSON.stringify(other.tags) === JSON.stringify(tags))
      const fields = point?.fields ?? {}
      if (!point) points.push({tags, fields, time: time!})
      fields[field!] = table.result === 'texts' ? (JSON.parse(value!) as string) : unsigned(fluxValueOf(value!, type) as FieldValue)
    }
  }

  return measurements
}

/** Zero without its sign. */
const unsigned = (value: FieldValue) => (typeof value === 'number' ? value + 0 : value)
