import {describe, expect, it} from 'vitest'
import type {PrometheusAnswer} from '../../src/lib/format/prometheus-answer.ts'
import type {AskingRules, Question} from '../../src/lib/sources/query-asker.ts'
import type {QueryJob} from '../../src/lib/sources/query-job.ts'
import {AuthError, DataError, UnavailableError, UsageError} from '../../src/lib/errors.ts'
import {createAsker} from '../../src/lib/sources/query-asker.ts'
import {openQueryJob} from '../../src/lib/sources/query-job.ts'
import {rememberingLogger, silentLogger} from '../fakes/logger.ts'
import {answerOf, fakeServer, hang} from '../fakes/prometheus-server.ts'
import {virtualClock} from '../fakes/virtual-clock.ts'
import {never, settled} from './kafka-reader.ts'

const away = () => new UnavailableError('503')
const timetable = {next: (after: number) => after + 15_000, stepMilliseconds: 15_000}
const seriesOf = (count: number) => answerOf(Array.from({length: count}, () => ({labels: {}, points: [[0, '1']]})))

async function setUp(rules: Partial<AskingRules> = {}) {
  const clock = virtualClock()
  const {log, events} = rememberingLogger()
  const advice: string[] = []
  const asker = createAsker(
    {
      concurrency: 2,
      maxSeries: 10,
      queryRetries: 0,
      maxRetries: 0,
      retryDelayMilliseconds: 1000,
      onAdvice: (kind, text, job) => advice.push(`${job.label}: ${kind} ${text}`),
      ...rules,
    },
    {clock, log, random: () => 1},
  )
  const server = {name: undefined, client: fakeServer().client}
  const newJob = (expression = 'q', at = server): Promise<QueryJob> =>
    openQueryJob({server: at, query: {name: undefined, expression}, timetable, cursor: undefined, begin: undefined, log: silentLogger})
  const job = await newJob()
  const ask = (request: Question['request'], question: Partial<Question> = {}) =>
    asker.ask({job, purpose: 'cycle', request, deadline: Infinity, isCutAtDeadline: false, signal: never, ...question})
  return {
    clock,
    events,
    advice,
    job,
    newJob,
    ask,
    /** When each attempt was made, and how it ended: each fails in its turn, and what is left of them does not. */
    async attempts(failures: readonly Error[], question: Partial<Question> = {}) {
      const at: number[] = []
      const request = async () => {
        at.push(clock.now())
        const failure = failures[at.length - 1]
        if (failure) throw failure
        return answerOf([])
      }
      const end = await ask(request, question).then(
        () => 'answered',
        (error: Error) => error.message,
      )
      return {at, end}
    },
  }
}

describe('a server', () => {
  it('works on no more queries at a time than it may, in the order in which they came', async () => {
    const {ask} = await setUp({concurrency: 2})
    const begun: number[] = []
    const ends = Array.from({length: 5}, () => Promise.withResolvers<PrometheusAnswer>())
    const asked = ends.map(({promise}, index) =>
      ask(() => {
        begun.push(index)
        return promise
      }),
    )
    await settled()
    expect(begun).toEqual([0, 1])
    ends[1]!.resolve(answerOf([]))
    await settled()
    expect(begun).toEqual([0, 1, 2])
    ends[0]!.reject(away())
    await expect(asked[0]).rejects.toThrow('503')
    ends[2]!.resolve(answerOf([]))
    await settled()
    expect(begun).toEqual([0, 1, 2, 3, 4])
    for (const {resolve} of ends) resolve(answerOf([]))
    await Promise.all(asked.slice(1))
  })

  it('does not wait for another one', async () => {
    const {ask, newJob} = await setUp({concurrency: 1})
    const stop = new AbortController()
    const hanging = ask(() => hang({signal: stop.signal}), {signal: stop.signal})
    const other = await newJob('q', {name: undefined, client: fakeServer().client})
    expect((await ask(async () => seriesOf(1), {job: other})).series).toHaveLength(1)
    stop.abort()
    await expect(hanging).rejects.toThrow()
  })

  it('is not asked for what was waiting for a place when the run is stopped', async () => {
    const {ask} = await setUp({concurrency: 1})
    const stop = new AbortController()
    let requests = 0
    const request = () => {
      requests++
      return hang({signal: stop.signal})
    }
    const asked = [1, 2, 3].map(() => ask(request, {signal: stop.signal}))
    await settled()
    stop.abort()
    for (const {status} of await Promise.allSettled(asked)) expect(status).toBe('rejected')
    expect(requests).toBe(1)
  })
})

describe('a query that fails', () => {
  it('is tried again quickly, with growing waits, and so in rounds', async () => {
    const {attempts} = await setUp({queryRetries: 2, maxRetries: 1, retryDelayMilliseconds: 5000})
    const {at, end} = await attempts(Array.from({length: 7}, away))
    expect(end).toBe('503')
    expect(at).toEqual([0, 500, 1500, 6500, 7000, 8000])
  })

  it('is answered in a later round', async () => {
    const {attempts} = await setUp({queryRetries: 1, maxRetries: 3})
    expect(await attempts([away(), away(), away()])).toEqual({at: [0, 500, 1500, 2000], end: 'answered'})
  })

  it('is not tried again after the deadline, and no round begins that would be too late', async () => {
    const {attempts} = await setUp({queryRetries: 0, maxRetries: 100, retryDelayMilliseconds: 1000})
    const {at} = await attempts(Array.from({length: 100}, away), {deadline: 3000})
    expect(at).toEqual([0, 1000, 2000])
  })

  it('has its last quick attempt at the deadline', async () => {
    const {attempts} = await setUp({queryRetries: 100})
    const {at} = await attempts(Array.from({length: 100}, away), {deadline: 2500})
    expect(at).toEqual([0, 500, 1500, 2500])
  })

  it('has one attempt when the deadline has passed', async () => {
    const {attempts} = await setUp({queryRetries: 5, maxRetries: 5})
    expect((await attempts([away(), away()], {deadline: 0})).at).toEqual([0])
  })

  it('waits as long as the server asks for', async () => {
    const {attempts} = await setUp({queryRetries: 1})
    const busy = new UnavailableError('429', {retryAfterMilliseconds: 3000})
    expect((await attempts([busy])).at).toEqual([0, 3000])
  })

  it.each([
    new AuthError('401'),
    new UsageError('bad_data'),
    new DataError('execution', '422'),
    new UnavailableError('404', {permanent: true}),
    new TypeError('a bug'),
  ])('is not tried again when no wait mends it: $name', async (error) => {
    const {attempts} = await setUp({queryRetries: 3, maxRetries: 3})
    expect(await attempts([error])).toEqual({at: [0], end: error.message})
  })

  it('and hangs is cut at the deadline where there is no moment after it', async () => {
    const {ask, clock} = await setUp()
    const stop = new AbortController()
    const asked = ask(() => hang({signal: stop.signal}), {deadline: 60_000, isCutAtDeadline: true, signal: stop.signal})
    await expect(asked).rejects.toThrow('http://prometheus:9090 did not answer within 60 s')
    expect(clock.now()).toBe(60_000)
    stop.abort()
  })

  it('and hangs takes its time where there is a moment after it', async () => {
    const {ask, clock} = await setUp()
    const asked = ask(() => clock.sleep(90_000, never).then(() => seriesOf(1)), {deadline: 15_000})
    await expect(asked).resolves.toMatchObject({series: [{}]})
  })

  it('is told once, and again when the reason is another one, and when it is answered', async () => {
    const {attempts, events} = await setUp()
    const told = () => events.splice(0).map(([level, event, {query, message}]) => [level, event, query, message])
    await attempts([away()])
    await attempts([away()])
    expect(told()).toEqual([
      ['warn', 'query.failed', 'q', '503'],
      ['debug', 'query.failed', 'q', '503'],
    ])
    await attempts([new UnavailableError('504')])
    await attempts([])
    await attempts([])
    expect(told()).toEqual([
      ['warn', 'query.failed', 'q', '504'],
      ['info', 'query.answered', 'q', undefined],
    ])
  })

  it('for a gap is told like any other, and not again by each cycle that is answered meanwhile', async () => {
    const {attempts, events} = await setUp()
    const gap = {purpose: 'gap'} as const
    for (let cycle = 0; cycle < 3; cycle++) {
      await attempts([])
      await attempts([new DataError('too many', 'too many')], gap)
    }

    await attempts([away()])
    await attempts([away()], gap)
    await attempts([])
    await attempts([], gap)
    expect(events.filter(([level]) => level !== 'debug').map(([, event, {message}]) => [event, message])).toEqual([
      ['query.failed', 'too many'],
      ['query.failed', '503'],
      ['query.answered', undefined],
    ])
  })

  it('for a gap is what keeps the query from being well, though cycles are answered', async () => {
    const {attempts, job} = await setUp()
    await attempts([away()], {purpose: 'gap'})
    await attempts([])
    expect(job.failure).toMatchObject({message: '503'})
    await attempts([], {purpose: 'gap'})
    expect(job.failure).toBeUndefined()
  })

  it('tells of its retries to nobody who does not debug', async () => {
    const {attempts, events} = await setUp({queryRetries: 3, maxRetries: 3})
    await attempts([away(), away(), away(), away(), away()])
    expect(events.filter(([level]) => level !== 'debug')).toEqual([])
  })

  it('remembers why, until it is answered', async () => {
    const {attempts, job} = await setUp()
    await attempts([away()])
    expect(job).toMatchObject({hasAnswered: false, failure: {message: '503'}})
    await attempts([])
    expect(job).toMatchObject({hasAnswered: true, failure: undefined})
    await attempts([away()])
    expect(job).toMatchObject({hasAnswered: true, failure: {message: '503'}})
  })
})

describe('an answer', () => {
  it('is refused as a whole when it has more series than it may', async () => {
    const {ask, job} = await setUp({maxSeries: 3, queryRetries: 3, maxRetries: 3})
    expect((await ask(async () => seriesOf(3))).series).toHaveLength(3)
    const refusal = ask(async () => seriesOf(4))
    await expect(refusal).rejects.toThrow(DataError)
    await expect(refusal).rejects.toMatchObject({
      message: 'the query q has more than 3 series',
      suggestion: expect.stringContaining('--max-series') as string,
    })
    expect(job.seriesSeen).toBe(3)
  })

  it('has what the server says about the query passed on', async () => {
    const {ask, advice} = await setUp()
    await ask(async () => answerOf([], {warnings: ['truncated'], infos: ['no counter', 'no type']}))
    expect(advice).toEqual(['q: warning truncated', 'q: info no counter', 'q: info no type'])
  })
})

describe('a stop', () => {
  it.each([
    {when: 'in mid-request', at: 100},
    {when: 'in the wait before a quick attempt', at: 1200},
    {when: 'in the wait before a round', at: 3000},
  ])('$when ends it at once, and is no failure of the query', async ({at}) => {
    const {ask, clock, job, events} = await setUp({queryRetries: 1, maxRetries: 9, retryDelayMilliseconds: 60_000})
    const stop = new AbortController()
    const request = async () => {
      await clock.sleep(1000, stop.signal)
      throw away()
    }
    void clock.sleep(at, never).then(() => stop.abort())
    await expect(ask(request, {signal: stop.signal})).rejects.toThrow()
    expect(clock.now()).toBe(at)
    expect(job.failure).toBeUndefined()
    expect(events.filter(([level]) => level !== 'debug')).toEqual([])
  })
})
