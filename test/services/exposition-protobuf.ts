import type {HistogramMetric, Labels, Metric, NativeHistogram} from './exposition.ts'

/**
 * What a scrape gets that asks for native histograms: the delimited messages of
 * https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto
 */
export function expositionProtobuf(metrics: readonly Metric[]): Buffer {
  const families = [...Map.groupBy(metrics, ({name}) => name)].map(([name, family]) =>
    message([text(1, name), varint(3, typeOf(family[0]!)), ...family.map((metric) => nested(4, metricFields(metric)))]),
  )
  return Buffer.concat(families.flatMap((family) => [variableLength(family.length), family]))
}

const TYPES = {counter: 0, gauge: 1, histogram: 4}

const isHistogram = (metric: Metric): metric is HistogramMetric => 'histogram' in metric

const typeOf = (metric: Metric) => TYPES[isHistogram(metric) ? 'histogram' : (metric.type ?? 'gauge')]

function metricFields(metric: Metric): readonly Buffer[] {
  const labels = labelFields(metric.labels)
  if (isHistogram(metric)) return [...labels, nested(7, histogramFields(metric.histogram))]
  return [...labels, nested(metric.type === 'counter' ? 3 : 2, [double(1, metric.value)])]
}

const labelFields = (labels: Labels = {}) => Object.entries(labels).map(([name, value]) => nested(1, [text(1, name), text(2, value)]))

function histogramFields({sum, zeros = 0, counts, negativeCounts = []}: NativeHistogram): readonly Buffer[] {
  const count = [zeros, ...counts, ...negativeCounts].reduce((total, one) => total + one)
  return [
    varint(1, count),
    double(2, sum),
    varint(5, zigzag(0)), // the schema: a bucket ends at twice the value of the one before
    double(6, 0.001), // up to here it is a zero
    varint(7, zeros),
    ...bucketFields(9, 10, negativeCounts),
    ...bucketFields(12, 13, counts),
  ]
}

/** A span says where buckets are, here from the one that ends at 1; then each count is told as its difference to the one before. */
function bucketFields(span: number, delta: number, counts: readonly number[]): readonly Buffer[] {
  if (counts.length === 0) return []
  const deltas = counts.map((count, index) => varint(delta, zigzag(count - (counts[index - 1] ?? 0))))
  return [nested(span, [varint(1, zigzag(0)), varint(2, counts.length)]), ...deltas]
}

// The encoding: https://protobuf.dev/programming-guides/encoding

const message = (fields: readonly Buffer[]) => Buffer.concat(fields)

const nested = (number: number, fields: readonly Buffer[]) => bytes(number, message(fields))

const text = (number: number, value: string) => bytes(number, Buffer.from(value))

const bytes = (number: number, value: Buffer) => Buffer.concat([tag(number, 2), variableLength(value.length), value])

const varint = (number: number, value: number) => Buffer.concat([tag(number, 0), variableLength(value)])

function double(number: number, value: number): Buffer {
  const eight = Buffer.alloc(8)
  eight.writeDoubleLE(value)
  return Buffer.concat([tag(number, 1), eight])
}

const tag = (number: number, wireType: 0 | 1 | 2) => variableLength(number * 8 + wireType)

/** So that small negative numbers are short too. */
const zigzag = (value: number) => (value < 0 ? -2 * value - 1 : 2 * value)

/** Seven bits a byte, the lowest first; all but the last have the eighth. */
function variableLength(value: number): Buffer {
  const sevens: number[] = []
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) sevens.push((rest % 128) + 128)
  return Buffer.from([...sevens, Math.floor(value / 128 ** sevens.length)])
}
