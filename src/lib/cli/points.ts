import type {Clock, Logger, RawMessage, Transform} from '../core/types.ts'
import type {Line} from '../format/line-protocol.ts'
import type {Observations} from '../transforms/observations.ts'
import type {PointOptions} from '../transforms/to-point.ts'
import type {Values} from './flag.ts'
import {DataError, UsageError} from '../errors.ts'
import {encodeSeries} from '../format/line-protocol.ts'
import {TIMESTAMP_FORMATS, timestampParser} from '../format/timestamp.ts'
import {BAD_TIMESTAMP_POLICIES} from '../transforms/event-time.ts'
import {createObservations} from '../transforms/observations.ts'
import {sensorToPoint} from '../transforms/sensor-to-point.ts'
import {toPoint} from '../transforms/to-point.ts'
import {listFlag, nameAndValue, oneOf, text, valueFlag} from './flag.ts'
import {timezone} from './schedule.ts'

const PRESETS = ['swat', 'sensors', 'flat'] as const

/** How messages become points. */
export const pointFlags = {
  preset: valueFlag(oneOf(PRESETS), {
    summary: 'swat, sensors, or flat for any message of numbers',
    group: 'POINTS',
    fallback: 'swat',
    value: 'NAME',
  }),
  measurement: valueFlag(measurement, {
    summary: 'measurement; swat_sensor_data, sensor_data, or the topic for flat',
    group: 'POINTS',
    value: 'NAME',
  }),
  'label-field': valueFlag(text, {
    summary: 'key of the Normal or Attack label; auto knows the usual names',
    group: 'POINTS',
    fallback: 'auto',
    value: 'NAME',
  }),
  'timestamp-field': valueFlag(text, {
    summary: 'key of the time; auto where the usual names serve, required for flat',
    group: 'POINTS',
    value: 'NAME',
  }),
  'timestamp-format': valueFlag(oneOf(TIMESTAMP_FORMATS), {
    summary: 'auto reads day/month/year, ISO 8601 and epoch seconds; say mdy, epoch_ms, epoch_us or epoch_ns where it is one of these',
    group: 'POINTS',
    fallback: 'auto',
    value: 'FORMAT',
  }),
  timezone: valueFlag(timezone, {
    summary: 'zone of times that name none; --tz means the same',
    group: 'POINTS',
    aliases: ['tz'],
    fallback: 'UTC',
    value: 'ZONE',
  }),
  'on-bad-timestamp': valueFlag(oneOf(BAD_TIMESTAMP_POLICIES), {
    summary: 'reject the record, or take the time of the broker or of now',
    group: 'POINTS',
    fallback: 'reject',
    value: 'HOW',
  }),
  tag: listFlag(tag, {
    summary: 'tag for every point; one of the same name in the message is stronger',
    group: 'POINTS',
    value: 'NAME=VALUE',
  }),
  'tag-field': listFlag(tagName, {summary: 'key of the message that becomes a tag', group: 'POINTS', value: 'NAME'}),
  'exclude-field': listFlag(text, {summary: 'key of the message to leave out', group: 'POINTS', value: 'NAME'}),
} as const

export function pointTransform(
  values: Values<typeof pointFlags> & {readonly topic: string; readonly input: string},
  {clock, log}: {clock: Clock; log: Logger},
): {transform: Transform<RawMessage, Line>; observations: Observations} {
  const {preset, timezone: zone} = values
  if (preset === 'flat' && values['timestamp-field'] === undefined)
    throw new UsageError('--preset flat needs --timestamp-field', {suggestion: '--timestamp-field ts'})
  if (values['on-bad-timestamp'] === 'broker' && values.input !== 'kafka')
    throw new UsageError('--on-bad-timestamp broker needs messages from a broker')

  const observations = createObservations(log.warn)
  const named = values['timestamp-field'] === 'auto' ? undefined : values['timestamp-field']
  const options: Omit<PointOptions, 'labelField'> = {
    measurement: values.measurement ?? {swat: 'swat_sensor_data', sensors: 'sensor_data', flat: values.topic}[preset],
    tags: Object.fromEntries(values.tag),
    tagFields: values['tag-field'],
    excludeFields: values['exclude-field'],
    timestampField: named,
    parse: timestampParser(values['timestamp-format'], zone),
    onBadTimestamp: values['on-bad-timestamp'],
    now: () => clock.now(),
    observations,
  }
  const transform =
    preset === 'sensors' ? sensorToPoint(options) : toPoint({...options, labelField: preset === 'swat' ? values['label-field'] : undefined})
  return {transform, observations}
}

export function measurement(given: string): string {
  refuseUnwritable(() => encodeSeries(given, []))
  return given
}

export function tag(given: string): readonly [string, string] {
  const pair = nameAndValue(given)
  refuseUnwritable(() => encodeSeries('any', [pair]))
  return pair
}

export function tagName(given: string): string {
  refuseUnwritable(() => encodeSeries('any', [[given, 'any']]))
  return given
}

/** At once, or every record would be refused for it. */
function refuseUnwritable(encode: () => unknown): void {
  try {
    encode()
  } catch (cause) {
    if (cause instanceof DataError) throw new UsageError(cause.message, {cause})
    throw cause
  }
}
