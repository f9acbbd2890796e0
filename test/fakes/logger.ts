import type {Logger} from '../../src/lib/core/types.ts'

export const silentLogger: Logger = {debug() {}, info() {}, warn() {}, error() {}}

/** A logger that remembers: `[level, event, fields]`. */
export function rememberingLogger(): {log: Logger; events: [level: string, event: string, fields: Readonly<Record<string, unknown>>][]} {
  const events: [string, string, Readonly<Record<string, unknown>>][] = []
  const remember =
    (level: string) =>
    (event: string, fields: Readonly<Record<string, unknown>> = {}) =>
      void events.push([level, event, fields])
  return {events, log: {debug: remember('debug'), info: remember('info'), warn: remember('warn'), error: remember('error')}}
}
