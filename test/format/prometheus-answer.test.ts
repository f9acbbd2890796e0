import {describe, expect, it} from 'vitest'
import {parsePrometheusAnswer, parsePrometheusFailure, type PrometheusAnswer} from '../../src/lib/format/prometheus-answer.ts'

const AT = 1_795_457_019.071
const UP = {__name__: 'up', instance: '127.0.0.1:9090', job: 'prometheus'}
const BUCKETS = [[3, '-0.001', '0.001', '2']]

const parse = (resultType: unknown, result: unknown, more: object = {}) =>
  parsePrometheusAnswer(JSON.stringify({status: 'success', data: {resultType, result}, ...more}))
const contentsOf = ({series}: PrometheusAnswer) => series.map(({isText, read}) => ({...read(), isText}))
const seriesOf = (resultType: unknown, result: unknown) => contentsOf(parse(resultType, result))

describe('an answer', () => {
  it('that is a vector has one point a series', () => {
    const result = [
      {metric: UP, value: [AT, '1']},
      {metric: {}, value: [AT, '+Inf']},
    ]
    expect(seriesOf('vector', result)).toEqual([
      {labels: UP, points: [[AT, '1']], isText: false},
      {labels: {}, points: [[AT, '+Inf']], isText: false},
    ])
  })

  it('that is a vector of native histograms has their counts and sums for values', () => {
    const histogram = {count: '10', sum: '18.4', buckets: BUCKETS}
    expect(seriesOf('vector', [{metric: UP, histogram: [AT, histogram]}])).toEqual([{labels: UP, points: [[AT, histogram]], isText: false}])
  })

  it('that is a matrix has all points of a series, numbers and native histograms', () => {
    const values = [
      [AT, '1'],
      [AT + 15, '2'],
    ]
    const histograms = [[AT + 30, {count: '10', sum: '18.4', buckets: BUCKETS}]]
    const result = [
      {metric: UP, values},
      {metric: {a: 'b'}, histograms},
      {metric: {c: 'd'}, values, histograms},
      {metric: {e: 'f'}, values: null, histograms: null},
    ]
    expect(seriesOf('matrix', result).map(({labels, points}) => [labels, points])).toEqual([
      [UP, values],
      [{a: 'b'}, histograms],
      [{c: 'd'}, [...values, ...histograms]],
      [{e: 'f'}, []],
    ])
  })

  it.each([
    ['scalar', false],
    ['string', true],
  ])('that is a %s is one series without labels, text: %s', (type, isText) => {
    expect(seriesOf(type, [AT, '1'])).toEqual([{labels: {}, points: [[AT, '1']], isText}])
  })

  it.each(['vector', 'matrix'])('may be empty: %s', (type) => {
    expect(seriesOf(type, [])).toEqual([])
  })

  it('keeps the value null, which is counted and not lost', () => {
    expect(seriesOf('vector', [{metric: UP, value: [AT, null]}])[0]?.points).toEqual([[AT, null]])
  })

  it('keeps a label that a program may take for something else', () => {
    const text = `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__proto__":"x"},"value":[1,"1"]}]}}`
    expect(Object.entries(contentsOf(parsePrometheusAnswer(text))[0]!.labels)).toEqual([['__proto__', 'x']])
  })

  it('has what the server says about the query', () => {
    const advice = {warnings: ['results truncated due to limit'], infos: ['metric might not be a counter']}
    expect(parse('vector', [], advice)).toEqual({series: [], ...advice})
  })

  it.each([{}, {warnings: null, infos: null}])('has nothing to say where the server says %j', (more) => {
    expect(parse('vector', [], more)).toEqual({series: [], warnings: [], infos: []})
  })

  it.each<[what: string, text: string, message: string]>([
    ['a page', '<html></html>', 'JSON'],
    ['nothing', '', 'JSON'],
    ['an answer that is cut off', '{"status":"success","data":{"resultType":"vec', 'JSON'],
    ['null', 'null', 'it has no data'],
    ['a number', '5', 'it has no data'],
    ['another API', '{"status":"pass"}', 'it has no data'],
    ['a failure', '{"status":"error","errorType":"execution","error":"x","data":{"resultType":"vector","result":[]}}', 'it has no data'],
    ['data that are null', '{"status":"success","data":null}', 'it has no data'],
  ])('is not %s', (_, text, message) => {
    expect(() => parsePrometheusAnswer(text)).toThrow(message)
  })

  it.each<[what: string, type: unknown, result: unknown, message: string]>([
    ['whose type is not known', 'streams', [], 'a result of type streams is not known'],
    ['without a type', undefined, [], 'a result of type undefined is not known'],
    ['without a result', 'vector', undefined, 'its result is no list'],
    ['whose result is null', 'matrix', null, 'its result is no list'],
    ['whose series is null', 'vector', [null], 'null'],
    ['whose series has no labels', 'vector', [{value: [AT, '1']}], 'a series has no labels'],
    ['whose series has null for labels', 'matrix', [{metric: null, values: []}], 'a series has no labels'],
    ['whose series has no value', 'vector', [{metric: UP}], 'a series has a point without time and value'],
    ['whose value has no time', 'vector', [{metric: UP, value: '1'}], 'a series has a point without time and value'],
    ['one of whose values is none', 'matrix', [{metric: UP, values: [[AT, '1'], null]}], 'a series has a point without time and value'],
    ['whose scalar is empty', 'scalar', [], 'a series has a point without time and value'],
  ])('is refused as a whole %s, and nothing is left out of it', (_, type, result, message) => {
    expect(() => parse(type, result)).toThrow(message)
  })
})

describe('a long answer', () => {
  const labels = (index: number) => ({__name__: 'odd', text: `,{"metric":{"a":"b"},"values":[[1,"2"]]} ${index}`, empty: ''})
  const count = 2000
  const vector = Array.from({length: count}, (_, index) => ({metric: labels(index), value: [AT, String(index)]}))
  const matrix = Array.from({length: count}, (_, index) => ({
    metric: labels(index),
    values: [
      [AT, String(index)],
      [AT + 15, 'NaN'],
    ],
  }))
  const advice = {warnings: ['}]},"x":[{"metric":{'], infos: []}

  it.each([
    ['vector', vector],
    ['matrix', matrix],
  ])('has the same series as a short one, whatever its labels hold: %s', (type, result) => {
    const answer = parse(type, result, advice)
    expect({warnings: answer.warnings, infos: answer.infos}).toEqual(advice)
    expect(contentsOf(answer)).toEqual(result.flatMap((series) => seriesOf(type, [series])))
  })

  it.each<[what: string, type: string, result: unknown[], own: object, points: number]>([
    ['no values', 'matrix', matrix, {values: []}, 0],
    ['null for values', 'matrix', matrix, {values: null}, 0],
    ['something after its values', 'matrix', matrix, {values: [[AT, '1']], own: 1}, 1],
    ['something after its value', 'vector', vector, {value: [AT, '1'], own: 1}, 1],
  ])('has all of its series, also where one has %s', (_, type, result, own, points) => {
    for (const at of [0, 1000, count]) {
      const contents = seriesOf(type, result.toSpliced(at, 0, {metric: {a: 'b'}, ...own}))
      expect(contents).toHaveLength(count + 1)
      expect(contents[at]).toMatchObject({labels: {a: 'b'}, points: {length: points}})
      expect(contents[at === 0 ? 1 : 0]).toEqual(seriesOf(type, [result[0]])[0])
    }
  })

  it('is refused as a whole where a series has no value', () => {
    const series: unknown[] = vector
    for (const at of [0, 1000, count]) expect(() => parse('vector', series.toSpliced(at, 0, {metric: UP}))).toThrow('a series has a point')
  })

  it.each([
    ['vector', vector, {histogram: [AT, {count: '1', sum: '2', buckets: BUCKETS}]}],
    ['matrix', matrix, {histograms: [[AT, {count: '1', sum: '2', buckets: BUCKETS}]]}],
    ['matrix', matrix, {values: [[AT, '1']], histograms: [[AT + 15, {count: '1', sum: '2', buckets: BUCKETS}]]}],
  ])('that has native histograms among its values has all of them: %s', (type, result: unknown[], own) => {
    const histogram = {metric: {a: 'b'}, ...own}
    for (const at of [0, 1000, count]) {
      const contents = seriesOf(type, result.toSpliced(at, 0, histogram))
      expect(contents).toHaveLength(count + 1)
      expect(contents[at]).toEqual(seriesOf(type, [histogram])[0])
    }
  })

  it.each([
    ['vector', vector],
    ['matrix', matrix],
  ])('is taken apart only when it is read, series by series: %s', (type, result) => {
    const whole = JSON.stringify({status: 'success', data: {resultType: type, result}})
    const {series} = parsePrometheusAnswer(whole.replace('"1000"', '"1000'))
    expect(series).toHaveLength(count)
    expect(series[999]?.read().labels).toEqual(labels(999))
    expect(() => series[1000]?.read()).toThrow('JSON')
    expect(series[1001]?.read().labels).toEqual(labels(1001))
  })

  it.each([
    ['vector', vector],
    ['matrix', matrix],
  ])('is none when it is cut off, wherever: %s', (type, result) => {
    const whole = JSON.stringify({status: 'success', data: {resultType: type, result}})
    for (const length of [whole.length - 1, whole.length - 2, whole.length - 3, whole.length - 8, 150_000])
      expect(() => parsePrometheusAnswer(whole.slice(0, length))).toThrow('JSON')
  })
})

describe('a failure', () => {
  it('has a type and a message', () => {
    const text = '{"status":"error","errorType":"bad_data","error":"invalid parameter \\"query\\""}'
    expect(parsePrometheusFailure(text)).toEqual({errorType: 'bad_data', error: 'invalid parameter "query"'})
  })

  it.each(['404 page not found\n', '<html></html>', '', 'null', '[]', '"error"', '{"status":"success"}', '{"message":"no"}'])(
    'is not told by %j',
    (text) => {
      expect(parsePrometheusFailure(text)).toBeUndefined()
    },
  )
})
