export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** What the seeds' programs call their levels. */
const SYNONYMS: Readonly<Record<string, LogLevel>> = {
  warning: 'warn',
  critical: 'error',
  fatal: 'error',
  trace: 'debug',
}

/** In any case; undefined for a text that names no level. */
export function parseLogLevel(text: string): LogLevel | undefined {
  const name = text.trim().toLowerCase()
  return LOG_LEVELS.find((level) => level === name) ?? (Object.hasOwn(SYNONYMS, name) ? SYNONYMS[name] : undefined)
}
