import type {ClickHouseClient as Driver} from '@clickhouse/client'
import {AuthError, NotFoundError, PartialWriteError, UcsError, UnavailableError, UsageError} from '../errors.ts'
import {certificateMessage, certificateRemedy, isCertificateProblem} from './certificate.ts'

/** The narrow face of ClickHouse that sinks and jobs need: one code path, over HTTP or embedded. */
export interface ClickHouse {
  /** The server or folder as it may be shown. */
  readonly target: string
  /** Statements that return nothing. */
  command(sql: string, signal: AbortSignal): Promise<void>
  /** `parameters` are bound by the server: `{name:String}` in the text. */
  query<Row>(sql: string, parameters: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<readonly Row[]>
  insert(insert: ClickHouseInsert): Promise<void>
  close(): Promise<void>
}

export interface ClickHouseInsert {
  /** Quoted, "`default`.`sensor_data`". */
  readonly table: string
  readonly rows: readonly object[]
  /** Of two inserts with one token the table keeps the first, within its deduplication window. */
  readonly token: string
  readonly signal: AbortSignal
}

/** Nothing of the insert was stored. The first bad row is named, counted from 0, where the message names one. */
export class ClickHouseRefusal extends PartialWriteError {
  readonly row: number | undefined

  constructor(message: string, row: number | undefined, options: {cause: unknown}) {
    super(message, options)
    this.row = row
  }
}

export interface ClickHouseServer {
  /** Its path is that of a proxy; a user and a password in it are stronger than those beside it. */
  readonly url: URL
  readonly user: string
  readonly password: string
  readonly timeoutMilliseconds: number
}

export async function connectClickHouse({url, user, password, timeoutMilliseconds}: ClickHouseServer): Promise<ClickHouse> {
  if (url.search !== '') {
    throw new UsageError(`--clickhouse-url takes no parameters, as in ${url.search.replace(/=[^&]*/g, '=…')}`, {
      suggestion: 'Use --clickhouse-user, --clickhouse-password and --clickhouse-database',
    })
  }

  const {createClient, ClickHouseLogLevel} = await import('@clickhouse/client')
  const driver = createClient({
    url: url.origin,
    pathname: url.pathname, // the driver takes a path within the address for the name of a database
    username: decoded(url.username) || user,
    password: decoded(url.password) || password,
    request_timeout: timeoutMilliseconds,
    log: {level: ClickHouseLogLevel.OFF}, // what fails is reported by us, once
    keep_alive: {eagerly_destroy_stale_sockets: true},
  })
  return wrapDriver(driver, url.origin + url.pathname.replace(/\/$/, ''), () => driver.close())
}

/** What is no escape sequence stands for itself, as the % in "50%off". */
const decoded = (text: string) => decodeURIComponent(text.replace(/%(?![0-9a-f]{2})/gi, '%25'))

/** Gives a driver our error classes; `close` is its owner's to define. */
export function wrapDriver(driver: Driver, target: string, close: () => Promise<void>): ClickHouse {
  const translated = async <T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> => {
    signal.throwIfAborted() // the driver heeds only what fires after it has begun
    try {
      return await work()
    } catch (cause) {
      throw signal.aborted ? signal.reason : translate(cause, target)
    }
  }

  return {
    target,
    close,
    async command(query, signal) {
      await translated(() => driver.command({query, abort_signal: signal}), signal).catch(blameTable)
    },
    query<Row>(query: string, parameters: Readonly<Record<string, unknown>>, signal: AbortSignal) {
      return translated(async () => {
        // Of JSONEachRow the driver drops a last line that is cut off, and takes the rest for the answer.
        const answer = await driver.query({query, query_params: {...parameters}, format: 'JSON', abort_signal: signal})
        const {data} = await answer.json<Row>()
        if (!Array.isArray(data)) throw new Error(NO_CLICKHOUSE)
        return data
      }, signal)
    },
    async insert({table, rows, token, signal}) {
      if (token === '') throw new Error('every insert needs a token of its own') // the engine would drop a later one without as a duplicate
      const settings = {
        insert_deduplication_token: token,
        async_insert: 0,
        input_format_skip_unknown_fields: 0,
        date_time_input_format: 'basic',
      } as const
      const values = {table, values: rows, format: 'JSONEachRow'} as const
      await translated(() => driver.insert({...values, clickhouse_settings: settings, abort_signal: signal}), signal)
    },
  }
}

/** By the server's own numbers: https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp */
const STRANGER = new Set([192, 193, 194, 195, 516])
const DENIED = new Set([164, 291, 497])
const MISSING = new Set([60, 81])
const VIOLATED_CONSTRAINT = 469
/** Also what an expression of the table makes of a row: a DEFAULT that divides by zero, or calls throwIf. */
const BAD_ROW = new Set([
  6,
  26,
  27,
  32,
  38,
  41,
  53,
  69,
  70,
  72,
  117,
  130,
  131,
  153,
  321,
  349,
  376,
  395,
  407,
  441,
  467,
  VIOLATED_CONSTRAINT,
  675,
  676,
  691,
])
const OVERLOADED = new Set([159, 201, 202, 209, 210, 236, 241, 242, 243, 252, 319, 425, 439, 999])
const BAD_SCHEMA = new Set([16, 43, 44, 46, 47, 48, 50, 62]) // and 117 for a column that a row has and the table has not

/** Of Node: the server did not answer, or not in HTTP. */
const UNREACHED = /^(E(?!RR_)|HPE_|ERR_SSL_|ERR_TLS_)/

function translate(cause: unknown, target: string): unknown {
  if (cause instanceof UcsError || isFault(cause)) return cause
  const {code, message} = cause as {code?: string | number; message: string}
  const firstLine = message.startsWith('<') ? '' : message.split('\n', 1)[0]!.slice(0, 400) // a page comes from something in between
  const summary = `${target}: ${firstLine}`
  const number = Number(code)
  if (DENIED.has(number)) {
    return new AuthError(summary, {
      cause,
      suggestion: 'Grant the user what is missing, or name another: --clickhouse-user or CLICKHOUSE_USER',
    })
  }

  if (STRANGER.has(number)) {
    return new AuthError(summary, {
      cause,
      suggestion: 'Check --clickhouse-user and --clickhouse-password, or CLICKHOUSE_USER and CLICKHOUSE_PASSWORD',
    })
  }

  if (MISSING.has(number)) return new NotFoundError(summary, {cause, suggestion: 'Check --table and --clickhouse-database'})
  if (BAD_SCHEMA.has(number) || message.startsWith('Unknown field found')) {
    return new UnavailableError(summary, {cause, permanent: true, suggestion: COMPARE_TABLE})
  }

  if (BAD_ROW.has(number)) return new ClickHouseRefusal(summary, rowOf(message, number), {cause})
  if (OVERLOADED.has(number))
    return new UnavailableError(summary, {cause, suggestion: 'Look at the load, the limits and the log of the server'})
  if (Number.isInteger(number)) {
    const suggestion = `Look at the log of the server. ${COMPARE_TABLE}`
    return new UnavailableError(summary, {cause, divisible: true, suggestion})
  }

  const isPermanent = isCertificateProblem({code: code ?? '', message})
  const suggestion = isPermanent ? certificateRemedy({code}, TRUST_AUTHORITY) : CHECK_ADDRESS
  const said = certificateMessage(firstLine) || (code ?? NO_CLICKHOUSE)
  const reason = cause instanceof SyntaxError ? `${NO_CLICKHOUSE}: ${said}` : said
  const isUnreached = isPermanent || UNREACHED.test(String(code))
  return new UnavailableError(isUnreached ? `${target} cannot be reached: ${reason}` : `${target}: ${reason}`, {
    cause,
    suggestion,
    permanent: isPermanent,
  })
}

/** A statement has no rows that could be refused: what it meets lies in the table. */
function blameTable(cause: unknown): never {
  if (!(cause instanceof ClickHouseRefusal)) throw cause
  throw new UnavailableError(cause.message, {cause, permanent: true, suggestion: COMPARE_TABLE})
}

/** Of a program, ours or the driver's: no server makes it, and no wait mends it. */
const isFault = (cause: unknown) => cause instanceof TypeError || cause instanceof RangeError || cause instanceof ReferenceError

const NO_CLICKHOUSE = 'its answer is not one of ClickHouse'
const COMPARE_TABLE = 'Compare the table with the output of --print-ddl'
const TRUST_AUTHORITY = 'Trust its certificate authority with NODE_EXTRA_CA_CERTS=FILE'
const CHECK_ADDRESS = 'Is the server running? Check --clickhouse-url, or --clickhouse-host and --clickhouse-port'

/** The server counts from 1. What it quotes of the data may say the same, but not at the end; for a constraint, not at the beginning. */
function rowOf(message: string, code: number): number | undefined {
  const match = (code === VIOLATED_CONSTRAINT ? /is violated at row (\d+)/ : /^.*\(at row (\d+)\)/s).exec(message)
  return match ? Number(match[1]) - 1 : undefined
}

export const quoteName = (name: string) => `\`${name.replace(/[\\`]/g, '\\$&')}\``
