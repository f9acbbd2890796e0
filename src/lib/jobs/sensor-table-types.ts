/** A column as `system.columns` has it. */
export interface Column {
  readonly name: string
  readonly type: string
  /** "DEFAULT", "MATERIALIZED", "ALIAS", or empty. */
  readonly default_kind: string
}

const TEXT = ['String', 'FixedString', 'Dynamic', 'Variant']
const FRACTION = ['Float', 'BFloat', 'Decimal', ...TEXT]
/** A time is sent as "1594512106.869": what has no fraction, as DateTime, refuses it. */
const TIME = ['DateTime64', ...FRACTION]
/** Readings may all be whole numbers. */
const NUMBER = ['Int', 'UInt', 'Bool', 'Enum', ...FRACTION]

/** By the type that the table is made with: how the names of types begin that take the same values. */
const TAKERS: Readonly<Record<string, readonly string[]>> = {
  String: ['Enum', 'UUID', 'IPv', ...TEXT],
  DateTime64: TIME,
  Float64: NUMBER,
  UInt8: NUMBER,
  UInt32: NUMBER,
  Int32: NUMBER,
  Int64: NUMBER,
}

/** Of the wanted columns those that no row could ever be written to: "device_id UInt32 (String)". */
export function unfitColumns(columns: ReadonlyMap<string, Column>, wanted: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(wanted).flatMap(([name, wantedType]) => {
    const column = columns.get(name)
    if (!column) return []
    const {type, default_kind: kind} = column
    if (kind === 'MATERIALIZED' || kind === 'ALIAS') return [`${name} ${type} ${kind} (${wantedType})`]
    const takers = TAKERS[bare(wantedType)] ?? []
    return takers.some((begin) => bare(type).startsWith(begin)) ? [] : [`${name} ${type} (${wantedType})`]
  })
}

/** "LowCardinality(Nullable(String))" is a String, "SimpleAggregateFunction(max, Float64)" a Float64, "DateTime64(3, 'UTC') DEFAULT now64(3)" a DateTime64. */
const bare = (type: string) =>
  type
    .replace(/^(?:(?:LowCardinality|Nullable|SimpleAggregateFunction)\((?:\w+(?:\([^)]*\))?, )?)+/, '')
    .replace(/[ (].*/s, '')
    .replace(/\)+$/, '')
