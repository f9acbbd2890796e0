import {afterAll, beforeAll, describe, expect, test, vi} from 'vitest'
import {useFolders} from '../integration/folders.ts'
import {foundAt, momentsOf, prometheusScene} from '../integration/prometheus-scene.ts'
import {type Exporter, startExporter} from '../services/exporter.ts'
import {instantQuery} from '../services/prometheus-query.ts'
import {type PrometheusServer, startPrometheus} from '../services/prometheus.ts'
import {describeWith} from '../services/use.ts'

describeWith('influx')('prom-to-influx with Prometheus 3', () => {
  const newFolder = useFolders()
  let exporter: Exporter
  let prometheus: PrometheusServer

  beforeAll(async () => {
    exporter = await startExporter([
      {name: 'häuser.größe', labels: {'lab el': 'x, y', städte: '="Köln"'}, value: 1.5},
      {name: 'level', labels: {room: 'attic'}, value: 20},
      {name: 'sizes', labels: {path: '/'}, histogram: {sum: 18.5, counts: [1, 2, 4]}},
    ])
    prometheus = await startPrometheus({release: '3', targets: [exporter.target], nativeHistograms: true})
    const isScraped = async () => (await instantQuery(prometheus.url, 'count_over_time(level[1m]) > 2')).data.result.length > 0
    await vi.waitFor(async () => expect(await isScraped()).toBe(true), {timeout: 30_000, interval: 100})
  })
  afterAll(async () => {
    await prometheus.stop()
    await exporter.close()
  })

  describe.concurrent('stores', () => {
    test('names of any letters, with their labels', async () => {
      const {run, stored} = await prometheusScene(prometheus.url, newFolder())
      const queries = ['{"häuser.größe"}', '{job="test"}']
      expect(await run(['--once', '--queries', ...queries])).toMatchObject({code: 0})
      const texts = (await stored()).filter((text) => text.includes(' value='))
      expect(texts.find((text) => text.startsWith('häuser.größe{'))).toContain('lab el="x, y",städte="=\\"Köln\\""')
      expect(texts).toEqual(await foundAt(prometheus.url, queries, momentsOf(texts)[0]!))
    })

    test('what a rate of a gauge gives, and says once what the server says of it', async () => {
      const {run} = await prometheusScene(prometheus.url, newFolder())
      const {code, stderr, stdout} = await run(['--once', '--json', '--queries', 'rate(level[1m])', 'rate(level[1m]) + 1'])
      expect(code).toBe(0)
      expect(stderr.match(/"event":"query\.info"/g)).toHaveLength(1)
      expect(stderr).toContain('metric might not be a counter')
      const {observations} = JSON.parse(stdout) as {observations: Record<string, Record<string, number>>}
      expect(Object.values(observations['query.info']!)).toEqual([2])
    })

    test('native histograms as count and sum', async () => {
      const {run, stored} = await prometheusScene(prometheus.url, newFolder())
      expect(await run(['--once', '--queries', 'sizes'])).toMatchObject({code: 0})
      expect((await stored()).map((text) => / (\w+=\S+) /.exec(text)![1]).sort()).toEqual(['count=7', 'sum=18.5'])
    })

    test('nothing of a query with more series than it may have, which the server is told', async () => {
      const {run, stored} = await prometheusScene(prometheus.url, newFolder())
      expect(await run(['--once', '--queries', '{job="test"}', '--max-series', '2'])).toMatchObject({code: 3})
      expect(await stored()).toEqual([])
    })
  })
})
