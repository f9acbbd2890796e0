import {createRequire} from 'node:module'
import type {Logger as Pino, pino} from 'pino'
import type {LogEvent, Logger} from '../core/types.ts'
import type {LogLevel} from './log-level.ts'
import {redactJson} from '../format/redact-json.ts'
import {LOG_LEVELS} from './log-level.ts'

export interface LoggerOptions {
  readonly level: LogLevel
  readonly format: 'pretty' | 'json'
  /** Where lines go, each with its line break. */
  readonly outputs: readonly ((line: string) => void)[]
  /** Masks secrets; applied to every line. */
  readonly redact: (text: string) => string
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Styles a level's name where people look. */
  readonly paint?: (level: LogLevel, text: string) => string
}

/** Events with fields, as JSON or as a line to read: `warn  field.skipped  name=Foo reason="not a number"`. */
export function createLogger({level, format, outputs, redact, now, paint = (_, text) => text}: LoggerOptions): Logger {
  const write = (line: string) => {
    const masked = format === 'json' ? redactJson(line, redact) : redact(line)
    for (const output of outputs) output(masked)
  }

  const writeEvent = format === 'pretty' ? writePretty : jsonWriter({write, now})
  const log = (own: LogLevel): LogEvent =>
    LOG_LEVELS.indexOf(own) < LOG_LEVELS.indexOf(level) ? () => {} : (event, fields = {}) => writeEvent(own, event, fields)
  return {debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error')}

  function writePretty(own: LogLevel, event: string, fields: Fields): void {
    write(prettyLine(paint(own, own.padEnd(5)), event, fields))
  }
}

type Fields = Readonly<Record<string, unknown>>

/** pino is loaded with the first line: most runs have none, and it takes a tenth of the time in which a command starts. */
function jsonWriter({write, now}: {write(line: string): void; now(): number}) {
  let logger: Pino | undefined
  return (level: LogLevel, event: string, fields: Fields) => {
    logger ??= loadPino()(
      {
        level: LOG_LEVELS[0],
        base: null,
        messageKey: 'event',
        timestamp: () => `,"time":"${new Date(now()).toISOString()}"`,
        formatters: {level: (name) => ({level: name})},
      },
      {write},
    )
    logger[level](fields, event)
  }
}

const loadPino = () => createRequire(import.meta.url)('pino') as typeof pino

/** A message of its own comes first, because it is a sentence. */
function prettyLine(level: string, event: string, fields: Fields): string {
  const {message, ...rest} = fields
  const pairs = Object.entries(rest).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${prettyValue(value)}`]))
  return `${[level, message === undefined ? event : `${event}: ${prettyText(message)}`, ...pairs].join(' ')}\n`
}

const prettyText = (value: unknown) => (typeof value === 'string' ? printable(value) : toJson(value))

/** A line stays one line, whatever the data holds. */
function prettyValue(value: unknown): string {
  const text = typeof value === 'string' ? value : toJson(value)
  return /^[\w./:@+-]+$/.test(text) ? text : printable(JSON.stringify(text))
}

/** Text of others may hold line breaks, and sequences that a terminal obeys. */
const printable = (text: string) =>
  text.replaceAll('\n', '\\n').replace(/\p{Cc}/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)

const toJson = (value: unknown) =>
  JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? String(part) : part)) ?? String(value)
