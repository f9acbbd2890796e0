import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {afterAll, beforeAll, expect, test, vi} from 'vitest'
import {temporaryFolder} from '../commands/cli.ts'
import {type Exporter, startExporter} from '../services/exporter.ts'
import {expositionText, type Metric, openMetricsText} from '../services/exposition.ts'
import {instantQuery, rangeQuery} from '../services/prometheus-query.ts'
import {type PrometheusServer, startPrometheus} from '../services/prometheus.ts'
import {describeWithOwn} from '../services/use.ts'

const SEEN = {timeout: 20_000}

describeWithOwn('prometheus')('a Prometheus that scrapes an exporter of the tests', () => {
  let exporter: Exporter
  let prometheus: PrometheusServer
  beforeAll(async () => {
    exporter = await startExporter()
    prometheus = await startPrometheus({targets: [exporter.target], nativeHistograms: true})
  })
  afterAll(async () => {
    await prometheus.stop()
    await exporter.close()
  })

  const seriesOf = async (query: string) => (await instantQuery(prometheus.url, query)).data.result
  const valuesOf = async (query: string) => (await seriesOf(query)).map(({value}) => value?.[1])

  test('sees what it exposes, and every change', async () => {
    exporter.expose([{name: 'level', value: 1.5}])
    await vi.waitFor(async () => expect(await valuesOf('level')).toEqual(['1.5']), SEEN)
    exporter.expose([{name: 'level', value: 2}])
    await vi.waitFor(async () => expect(await valuesOf('level')).toEqual(['2']), SEEN)
    exporter.expose([])
    await vi.waitFor(async () => expect(await valuesOf('level')).toEqual([]), SEEN)
  })

  test.each(['text', 'protobuf'])('has odd values and labels as they were exposed as %s', async (format) => {
    const metrics: readonly Metric[] = [
      {name: 'odd', labels: {format, is: 'NaN'}, value: NaN},
      {name: 'odd', labels: {format, is: '+Inf'}, value: Infinity},
      {name: 'odd', labels: {format, is: '-Inf'}, value: -Infinity},
      {name: 'odd', labels: {format, is: '-0.1'}, value: -0.1},
      {name: 'odd', labels: {format, is: '1', time: 'noon', empty: ''}, value: 1},
      {name: 'odd', labels: {format, is: '2', end: 'back\\'}, value: 2},
      {name: 'odd', labels: {format, is: '3', lines: 'one\ntwo', quote: '"', word: 'größer'}, value: 3},
      {name: 'total', labels: {format}, type: 'counter', value: 12_345_678_901},
    ]
    exporter.expose(format === 'text' ? expositionText(metrics) : metrics)
    await vi.waitFor(async () => expect(await seriesOf(`odd{format="${format}"}`)).toHaveLength(7), SEEN)

    const found = await seriesOf(`{format="${format}"}`)
    for (const {metric, value} of found) expect(value?.[1]).toBe(metric.is ?? '12345678901')
    const own = found.map(({metric: {instance: _, job: __, is: ___, format: ____, ...labels}}) => labels)
    expect(own).toHaveLength(metrics.length)
    expect(own).toEqual(
      expect.arrayContaining([
        {__name__: 'odd'},
        {__name__: 'odd', time: 'noon'}, // an empty label is none
        {__name__: 'odd', end: 'back\\'},
        {__name__: 'odd', lines: 'one\ntwo', quote: '"', word: 'größer'},
        {__name__: 'total'},
      ]),
    )
  })

  test('answers with a native histogram, and without a value', async () => {
    const histogram = {sum: 18.4, zeros: 2, counts: [1, 0, 300], negativeCounts: [4]}
    exporter.expose([{name: 'seconds', labels: {path: '/'}, histogram}])
    await vi.waitFor(async () => expect(await seriesOf('seconds')).toHaveLength(1), SEEN)

    const [series] = await seriesOf('seconds')
    expect(series).toEqual({
      metric: {__name__: 'seconds', instance: exporter.target, job: 'test', path: '/'},
      histogram: [
        expect.any(Number),
        {
          count: '307',
          sum: '18.4',
          buckets: [
            [1, '-1', '-0.5', '4'],
            [3, '-0.001', '0.001', '2'],
            [0, '0.5', '1', '1'],
            [0, '2', '4', '300'],
          ],
        },
      ],
    })
  })

  test('is down for it while its text is wrong', async () => {
    const up = `up{instance="${exporter.target}"}`
    exporter.expose('no {exposition\n')
    await vi.waitFor(async () => expect(await valuesOf(up)).toEqual(['0']), SEEN)
    exporter.expose([])
    await vi.waitFor(async () => expect(await valuesOf(up)).toEqual(['1']), SEEN)
  })

  test('is away for as long as its outage lasts, and has its data when it is back at the same address', async () => {
    exporter.expose([{name: 'before', value: 1}])
    await vi.waitFor(async () => expect(await valuesOf('before')).toEqual(['1']), SEEN)

    const pid = prometheus.pid
    const whileDown = async () => {
      exporter.expose([{name: 'after', value: 2}])
      await expect(valuesOf('before')).rejects.toThrow('fetch failed')
    }
    await prometheus.restart({signal: 'SIGKILL', whileDown})

    expect(prometheus.pid).not.toBe(pid)
    await vi.waitFor(async () => expect(await valuesOf('after')).toEqual(['2']), SEEN)
    expect(await valuesOf('last_over_time(before[1m])')).toEqual(['1'])
  })
})

describeWithOwn('prometheus')('a Prometheus with a history', () => {
  const start = Date.parse('2020-02-29T23:00:00Z') / 1000
  const end = start + 3 * 3600
  const samples = Array.from({length: (end - start) / 60 + 1}, (_, index) => ({
    name: 'past',
    labels: {end: 'back\\', lines: 'one\ntwo'},
    value: index === 1 ? NaN : index,
    time: start + index * 60,
  }))

  test.each(['text', 'file'])('answers for it at once when it came as a %s', async (form) => {
    const text = openMetricsText(samples)
    const file = join(temporaryFolder(), 'history.txt')
    if (form === 'file') await writeFile(file, text)
    const prometheus = await startPrometheus({history: form === 'file' ? {file} : text})
    try {
      const {data} = await rangeQuery(prometheus.url, 'past', {start, end, stepSeconds: 60})
      expect(data.result).toEqual([
        {
          metric: {__name__: 'past', ...samples[0]!.labels},
          values: samples.map(({time, value}) => [time, String(value)]),
        },
      ])
    } finally {
      await prometheus.stop()
    }
  })
})
