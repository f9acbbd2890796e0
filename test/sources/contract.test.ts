import {PassThrough, Readable} from 'node:stream'
import type {CsvRecord} from '../../src/lib/sources/csv-records.ts'
import type {RawMessage, Source} from '../../src/lib/core/types.ts'
import type {Sample} from '../../src/lib/format/prometheus-sample.ts'
import type {Work} from '../../src/lib/sources/prometheus.ts'
import type {SourceHarness} from '../contract/source.ts'
import type {Answering} from '../fakes/prometheus-server.ts'
import {AuthError} from '../../src/lib/errors.ts'
import {limited} from '../../src/lib/sources/limited.ts'
import {createNdjsonSource} from '../../src/lib/sources/ndjson.ts'
import {paced} from '../../src/lib/sources/paced.ts'
import {describeSource} from '../contract/source.ts'
import {answerOf, hang} from '../fakes/prometheus-server.ts'
import {virtualClock} from '../fakes/virtual-clock.ts'
import {csvFile, csvSource} from './csv.ts'
import {setUp as setUpPrometheus} from './prometheus-reader.ts'

const csvOf = (texts: readonly string[]) => ['ts,text', ...texts.map((text, index) => `${index},${text}`), ''].join('\n')
const textOf = ({fields}: CsvRecord) => fields[1]!
/** In pieces as a pipe delivers them. */
const streamOf = (text: string) =>
  Readable.from(
    (
      Buffer.from(text)
        .toString('latin1')
        .match(/[^]{1,65536}/g) ?? []
    ).map((piece) => Buffer.from(piece, 'latin1')),
  )
/** Comes to nothing. */
function brokenStream(beginning: string): Readable {
  const stream = new PassThrough()
  stream.write(beginning)
  setImmediate(() => stream.destroy())
  return stream
}

function quietStream(beginning: string): Readable {
  const stream = new PassThrough()
  if (beginning !== '') stream.write(beginning)
  return stream
}

const byTime = {choose: () => ({deviceColumn: 1, timeColumn: 0, device: undefined, rowsPerDevice: Infinity})}

const csvFiles: SourceHarness<CsvRecord> = {
  open: async (texts) => csvSource(csvFile(csvOf(texts))),
  textOf,
  openFailing: async () => csvSource('absent.csv'),
}
describeSource('a CSV file', csvFiles)
describeSource('a CSV file in ascending order of time', {...csvFiles, open: async (texts) => csvSource(csvFile(csvOf(texts)), byTime)})

const csvStreams: SourceHarness<CsvRecord> = {
  open: async (texts) => csvSource(streamOf(csvOf(texts))),
  textOf,
  openQuiet: async () => csvSource(quietStream('ts,text\n')),
  openFailing: async () => csvSource(brokenStream('ts,text\n')),
}
describeSource('a CSV stream', csvStreams)
describeSource('a CSV stream that was opened under another signal', {
  ...csvStreams,
  open: opened(csvStreams.open),
  openQuiet: opened(csvStreams.openQuiet!),
})
describeSource('a CSV stream whose header has not come', {...csvStreams, openQuiet: async () => csvSource(quietStream(''))})

const lines: SourceHarness<RawMessage> = {
  open: async (texts) => ndjsonSource(streamOf(texts.map((text) => `${text}\n`).join(''))),
  textOf: ({value}) => String(value),
  openQuiet: async () => ndjsonSource(quietStream('')),
  openFailing: async () => ndjsonSource(brokenStream('{}')),
}
describeSource('NDJSON', lines)

const samples: SourceHarness<Sample> = {
  open: async (texts) => prometheusSource(() => answerOf(texts.map((text) => ({labels: {text}, points: [[0, '1']]})))),
  textOf: ({series}) => series.labels['text']!,
  openQuiet: async () => prometheusSource(hang),
  openFailing: async () => prometheusSource(() => Promise.reject(new AuthError('401')), 'endless'),
}
describeSource('Prometheus', samples)

describeSource(
  'a source with a limit that is not reached',
  wrapped(lines, (source) => limited(source, {maxMessages: 1e6, maxMilliseconds: 1e9}, virtualClock())),
)
describeSource(
  'a source with pauses',
  wrapped(lines, (source) => paced(source, 10, {now: () => 0, sleep: async () => {}})),
)

function ndjsonSource(input: Readable): Source<RawMessage> {
  return createNdjsonSource({input, name: 'stdin'})
}

async function prometheusSource(answer: Answering, kind: Work['kind'] = 'once'): Promise<Source<Sample>> {
  const {source} = await setUpPrometheus({answer, kind, rules: {maxSeries: 1e6}})
  return source
}

function opened(open: (texts: readonly string[]) => Promise<Source<CsvRecord>>) {
  return async (texts: readonly string[] = []) => {
    const source = (await open(texts)) as ReturnType<typeof csvSource>
    await source.open(new AbortController().signal)
    return source
  }
}

function wrapped<T>(harness: SourceHarness<T>, wrap: (source: Source<T>) => Source<T>): SourceHarness<T> {
  return {
    ...harness,
    open: async (texts) => wrap(await harness.open(texts)),
    openQuiet: async () => wrap(await harness.openQuiet!()),
    openFailing: async () => wrap(await harness.openFailing()),
  }
}
