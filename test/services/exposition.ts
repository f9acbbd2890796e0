/** What an exporter exposes. A number by itself is a gauge. */
export type Metric = NumberMetric | HistogramMetric

export interface NumberMetric {
  readonly name: string
  readonly type?: 'gauge' | 'counter'
  readonly labels?: Labels
  readonly value: number
}

/** Only the protobuf format can have it. */
export interface HistogramMetric {
  readonly name: string
  readonly labels?: Labels
  readonly histogram: NativeHistogram
}

export type Labels = Readonly<Record<string, string>>

/** Its count is the sum of all the counts. */
export interface NativeHistogram {
  readonly sum: number
  /** Of values from -0.001 to 0.001. */
  readonly zeros?: number
  /** Of values up to 1, 2, 4, 8 … */
  readonly counts: readonly number[]
  /** Of values from -1, -2, -4, -8 … */
  readonly negativeCounts?: readonly number[]
}

export interface TimedSample {
  readonly name: string
  readonly labels?: Labels
  readonly value: number
  /** Seconds since 1970. */
  readonly time: number
}

/** Text, as a scrape gets it. It cannot have native histograms, and is without them. */
export function expositionText(metrics: readonly Metric[]): string {
  const numbers = metrics.filter((metric) => 'value' in metric)
  const lines = [...Map.groupBy(numbers, ({name}) => name)].flatMap(([name, family]) => [
    `# TYPE ${isLegacyName(name) ? name : quoted(name)} ${family[0]!.type ?? 'gauge'}`,
    ...family.map(({labels, value}) => `${seriesText(name, labels)} ${valueText(value)}`),
  ])
  return lines.map((line) => `${line}\n`).join('')
}

/** A history for Prometheus. Those of a series go from old to new. */
export function openMetricsText(samples: Iterable<TimedSample>): string {
  const lines: string[] = []
  for (const {name, labels, value, time} of samples) lines.push(`${seriesText(name, labels)} ${valueText(value)} ${time}`)
  return [...lines, '# EOF\n'].join('\n')
}

/** A name that older releases would not take is quoted, within the braces. */
function seriesText(name: string, labels: Labels = {}): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${isLegacyLabel(label) ? label : quoted(label)}=${quoted(value)}`)
  if (!isLegacyName(name)) return `{${[quoted(name), ...pairs].join(',')}}`
  return pairs.length === 0 ? name : `${name}{${pairs.join(',')}}`
}

function valueText(value: number): string {
  if (Number.isFinite(value) || Number.isNaN(value)) return String(value)
  return value > 0 ? '+Inf' : '-Inf'
}

const quoted = (text: string) => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`

const isLegacyName = (name: string) => /^[a-z_:][a-z0-9_:]*$/i.test(name)

const isLegacyLabel = (label: string) => /^[a-z_][a-z0-9_]*$/i.test(label)
