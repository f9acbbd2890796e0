import type {PrometheusClient} from '../../src/lib/clients/prometheus.ts'
import type {AnsweredPoint, PrometheusAnswer} from '../../src/lib/format/prometheus-answer.ts'

/** A request as the server sees it; of an instant query both ends are its moment. Milliseconds since the epoch. */
export interface Asked {
  readonly kind: 'instant' | 'range'
  readonly expression: string
  readonly from: number
  readonly to: number
  readonly stepMilliseconds: number
  readonly signal: AbortSignal
}

/** What a server answers, and when; it may reject, and hang. */
export type Answering = (asked: Asked) => PrometheusAnswer | Promise<PrometheusAnswer>

/** A server that remembers what it was asked, and how much of it at a time. */
export function fakeServer(answering: Answering = (asked) => answerTo(asked)) {
  const requests: Asked[] = []
  const now = {instant: 0, range: 0}
  const most = {requests: 0, ranges: 0}
  let closed = 0

  async function answer(asked: Asked): Promise<PrometheusAnswer> {
    requests.push(asked)
    now[asked.kind]++
    most.requests = Math.max(most.requests, now.instant + now.range)
    most.ranges = Math.max(most.ranges, now.range)
    try {
      return await answering(asked)
    } finally {
      now[asked.kind]--
    }
  }

  const client: PrometheusClient = {
    target: 'http://prometheus:9090',
    async checkSyntax() {},
    query: ({expression, at, signal}) => answer({kind: 'instant', expression, from: at, to: at, stepMilliseconds: 1, signal}),
    queryRange: ({expression, from, to, stepMilliseconds, signal}) =>
      answer({kind: 'range', expression, from, to, stepMilliseconds, signal}),
    close: () => closed++,
  }
  return {client, requests, most, closings: () => closed, inFlight: () => now.instant + now.range}
}

/** A value at each moment that was asked for, in so many series. */
export function answerTo(asked: Asked, seriesCount = 1): PrometheusAnswer {
  return answerOf(Array.from({length: seriesCount}, (_, series) => ({labels: {series: `${series}`}, points: pointsOf(asked)})))
}

export function answerOf(
  series: readonly {readonly labels: Readonly<Record<string, string>>; readonly points: readonly AnsweredPoint[]}[],
  advice: Partial<Pick<PrometheusAnswer, 'warnings' | 'infos'>> = {},
): PrometheusAnswer {
  return {series: series.map((content) => ({isText: false, read: () => content})), warnings: [], infos: [], ...advice}
}

/** Until whoever asked wants no answer any more. */
export function hang({signal}: Pick<Asked, 'signal'>): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) return reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), {once: true})
  })
}

export function momentsIn({from, to, stepMilliseconds}: Pick<Asked, 'from' | 'to' | 'stepMilliseconds'>): readonly number[] {
  return Array.from({length: Math.floor((to - from) / stepMilliseconds) + 1}, (_, index) => from + index * stepMilliseconds)
}

const pointsOf = (asked: Asked) => momentsIn(asked).map((moment): AnsweredPoint => [moment / 1000, `${moment}`])
