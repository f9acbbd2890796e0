import type {RawMessage, Runtime, Transform} from '../core/types.ts'
import type {Line} from '../format/line-protocol.ts'
import type {AnsweredPoint} from '../format/prometheus-answer.ts'
import type {Sample} from '../format/prometheus-sample.ts'
import type {Values} from './flag.ts'
import type {batchFlags, dryRunFlag} from './flags.ts'
import type {StreamPlan} from './stream.ts'
import {DataError} from '../errors.ts'
import {openReplay} from '../jobs/replay-letters.ts'
import {acquireLock} from '../runtime/lock.ts'
import {batchLimits} from './stream.ts'

/* A sample that was rejected, as its letter keeps it and as it is read from there. */

interface SampleLetter {
  readonly query: string
  readonly name?: string
  readonly server?: string
  readonly labels: Readonly<Record<string, string>>
  readonly isText?: true
  /** Seconds since the epoch. */
  readonly time: number
  readonly value: AnsweredPoint[1]
}

export function rawSample(sample: unknown): RawMessage {
  const {series, seconds, measured} = sample as Sample
  const {query, server, labels, isText} = series
  const letter: SampleLetter = {
    query: query.expression,
    ...(query.name === undefined ? {} : {name: query.name}),
    ...(server === undefined ? {} : {server}),
    labels,
    ...(isText ? {isText} : {}),
    time: seconds,
    value: measured,
  }
  return {value: Buffer.from(JSON.stringify(letter)), key: null, headers: undefined, timestamp: undefined}
}

const LETTERS = 'letters:'

export const isLetters = (input: string) => input.startsWith(LETTERS)

/** Letters that are rejected again stay in their file. */
export async function openSampleLetters(
  values: Values<ReturnType<typeof batchFlags> & typeof dryRunFlag> & {readonly input: string},
  {command, runtime, transform}: {readonly command: string; readonly runtime: Runtime; readonly transform: Transform<Sample, Line>},
): Promise<Omit<StreamPlan<RawMessage, Line>, 'sink'>> {
  const path = values.input.slice(LETTERS.length)
  const now = () => runtime.clock.now()
  const {source, deadLetter, only} = await openReplay({path, command, keepsAll: values['dry-run'], now, acquireLock})
  return {
    source,
    deadLetter,
    transform: only((raw, position) => transform(sampleOf(raw), position)),
    deadLettersAt: () => path,
    batch: batchLimits(values),
    leftover: (count) => (count === 0 ? '' : `${count} letters were not written, they are still in ${path}`),
  }
}

function sampleOf({value}: RawMessage): Sample {
  try {
    const {query, name, server, labels, isText = false, time, value: measured} = JSON.parse(String(value)) as SampleLetter
    if (typeof query !== 'string' || typeof labels !== 'object' || typeof time !== 'number') throw new Error('a part of it is missing')
    return {series: {query: {name, expression: query}, server, labels, isText, cycle: undefined}, seconds: time, measured}
  } catch (cause) {
    throw new DataError('malformed JSON', `this is no sample: ${(cause as Error).message}`, {cause})
  }
}
