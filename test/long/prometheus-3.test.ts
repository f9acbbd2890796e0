import {afterAll, beforeAll, describe, expect, test, vi} from 'vitest'
import {type Exporter, startExporter} from '../services/exporter.ts'
import {expositionText, openMetricsText} from '../services/exposition.ts'
import {instantQuery} from '../services/prometheus-query.ts'
import {type PrometheusServer, startPrometheus} from '../services/prometheus.ts'

const SEEN = {timeout: 20_000}
const METRICS = [
  {name: 'häuser.größe', labels: {'lab el': 'x', 'city.name': 'Köln\\'}, value: 120},
  {name: 'level', value: 1},
]
const HISTOGRAM = {name: 'seconds', histogram: {sum: 18.4, counts: [1, 0, 3]}}

describe('Prometheus 3', () => {
  let exporters: readonly Exporter[]
  let prometheus: PrometheusServer
  beforeAll(async () => {
    // A Prometheus that is to have native histograms asks for protobuf, and gets text from those that have text.
    exporters = await Promise.all([startExporter([...METRICS, HISTOGRAM]), startExporter(expositionText(METRICS))])
    prometheus = await startPrometheus({
      release: '3',
      targets: exporters.map(({target}) => target),
      nativeHistograms: true,
      history: openMetricsText([{name: 'früher', labels: {'lab el': 'x'}, value: 7, time: 1_600_000_000}]),
    })
  })
  afterAll(async () => {
    await prometheus.stop()
    await Promise.all(exporters.map((exporter) => exporter.close()))
  })

  test('has names that older releases refuse, from protobuf as from text', async () => {
    const query = '{"häuser.größe", "lab el"="x"}'
    await vi.waitFor(async () => {
      const {data} = await instantQuery(prometheus.url, query)
      const expected = exporters.map(({target}) => ({
        metric: {__name__: 'häuser.größe', 'lab el': 'x', 'city.name': 'Köln\\', instance: target, job: 'test'},
        value: [expect.any(Number), '120'],
      }))
      expect(data.result).toHaveLength(2)
      expect(data.result).toEqual(expect.arrayContaining(expected))
    }, SEEN)
  })

  test('has a history of such names', async () => {
    const {data} = await instantQuery(prometheus.url, '{"früher"}', 1_600_000_000)
    expect(data.result).toEqual([{metric: {__name__: 'früher', 'lab el': 'x'}, value: [1_600_000_000, '7']}])
  })

  test('has native histograms', async () => {
    await vi.waitFor(async () => {
      const {data} = await instantQuery(prometheus.url, 'seconds')
      expect(data.result).toHaveLength(1)
      expect(data.result[0]?.value).toBeUndefined()
      expect(data.result[0]?.histogram?.[1]).toMatchObject({count: '4', sum: '18.4'})
    }, SEEN)
  })

  test('says what is doubtful of a query that it answers', async () => {
    await vi.waitFor(async () => {
      const {data, infos} = await instantQuery(prometheus.url, 'rate(level[5m])')
      expect(data.result).toHaveLength(2)
      expect(infos).toEqual([expect.stringContaining('metric might not be a counter')])
    }, SEEN)
  })
})
