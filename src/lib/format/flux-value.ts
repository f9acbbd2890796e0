export type FluxType = 'string' | 'long' | 'unsignedLong' | 'double' | 'boolean' | 'dateTime' | 'duration' | 'base64Binary'

/** A time is nanoseconds since the epoch. A duration remains a text, because no number tells how long a month is. */
export type FluxValue = string | bigint | number | boolean | Buffer

/** By what the annotation `#datatype` says. The server as it is never sends the last two: it refuses a query whose columns hold them. */
const TYPES = new Map<string, FluxType>([
  ['string', 'string'],
  ['long', 'long'],
  ['unsignedLong', 'unsignedLong'],
  ['double', 'double'],
  ['boolean', 'boolean'],
  ['dateTime:RFC3339', 'dateTime'],
  ['dateTime:RFC3339Nano', 'dateTime'],
  ['duration', 'duration'],
  ['base64Binary', 'base64Binary'],
])

export const fluxTypeOf = (datatype: string): FluxType | undefined => TYPES.get(datatype)

/**
 * With every digit. Undefined where the cell is empty, but for a string: nothing tells an empty one from none.
 * Throws RangeError for what is no value of the type.
 */
export function fluxValueOf(text: string, type: FluxType): FluxValue | undefined {
  if (type === 'string') return text
  if (text === '') return undefined
  const value = READERS[type](text)
  if (value === undefined) throw new RangeError(`"${text.slice(0, 60)}" is no ${type}`)
  return value
}

const NOT_FINITE = new Map([
  ['NaN', NaN],
  ['+Inf', Infinity],
  ['-Inf', -Infinity],
])

const READERS: Record<Exclude<FluxType, 'string'>, (text: string) => FluxValue | undefined> = {
  long: (text) => (/^-?\d+$/.test(text) ? BigInt(text) : undefined),
  unsignedLong: (text) => (/^\d+$/.test(text) ? BigInt(text) : undefined),
  double: (text) => (/^[-+]?\d+(\.\d+)?(e[-+]?\d+)?$/i.test(text) ? Number(text) : NOT_FINITE.get(text)),
  boolean: (text) => (text === 'true' ? true : text === 'false' ? false : undefined),
  dateTime: parseTime,
  duration: (text) => text,
  base64Binary: (text) => (/^[\w+/]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined),
}

/** As the server prints it, in UTC. All of its 64 bits may come, in `_stop` for instance; those of a point are three fewer. */
function parseTime(text: string): bigint | undefined {
  const [, seconds, fraction = ''] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(text) ?? []
  const milliseconds = Date.parse(`${seconds}Z`)
  return Number.isNaN(milliseconds) ? undefined : BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, '0'))
}
