import {isatty} from 'node:tty'
import type {LogEvent, Logger} from '../core/types.ts'
import type {Given} from '../runtime/given.ts'
import type {Values} from './flag.ts'
import type {generalFlags} from './flags.ts'
import {createLogger} from '../runtime/logger.ts'

/** Where a run talks: to whoever looks at standard error, and into a file. */
export interface RunLog {
  readonly log: Logger
  /** Whether a person looks at standard error. */
  readonly isWatched: boolean
  /** Last words are sentences on standard error, unless somebody chose JSON: then they are events like all others. */
  readonly lastWords: Logger | undefined
  /** The file alone. */
  readonly file: Logger | undefined
  close(): void
}

export async function openRunLog(
  values: Values<typeof generalFlags>,
  given: ReadonlyMap<string, Given>,
  redact: (line: string) => string,
): Promise<RunLog> {
  const isWatched = isatty(2)
  const format = values['log-format'] ?? (isWatched ? 'pretty' : 'json')
  const level = values.quiet && values['log-level'] === 'info' ? 'warn' : values['log-level']
  const options = {level, format, redact, now: () => Date.now()}
  const paint = isWatched && format === 'pretty' ? (await import('./paint.ts')).paintLevel : undefined
  const stderr = createLogger({...options, outputs: [(line) => process.stderr.write(line)], ...(paint ? {paint} : {})})
  const opened = await openFile(values)
  const file = opened && createLogger({...options, outputs: [opened.write]})

  return {
    log: file ? toBoth(stderr, file) : stderr,
    isWatched,
    lastWords: given.has('log-format') && format === 'json' ? stderr : undefined,
    file,
    close: () => opened?.close(),
  }
}

async function openFile(values: Values<typeof generalFlags>) {
  const {'log-file': path, 'log-max-size': maxBytes, 'log-backups': backups} = values
  if (path === undefined) return undefined
  const {openLogFile} = await import('../runtime/log-file.ts')
  return openLogFile(path, maxBytes, backups)
}

function toBoth(one: Logger, other: Logger): Logger {
  const both =
    (level: keyof Logger): LogEvent =>
    (event, fields) => {
      one[level](event, fields)
      other[level](event, fields)
    }
  return {debug: both('debug'), info: both('info'), warn: both('warn'), error: both('error')}
}
