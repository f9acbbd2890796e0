import type {Ledger, Logger} from '../core/types.ts'

export interface ProgressOptions {
  readonly ledger: Ledger
  readonly log: Logger
  /** A person looks at standard error, and wants to. */
  readonly isWatched: boolean
  /** More to show, such as the lag. */
  readonly extras?: () => Readonly<Record<string, unknown>>
}

export interface Progress {
  stop(): void
}

const WATCHED_MILLISECONDS = 250
const LOGGED_MILLISECONDS = 10_000

/** A line that moves where somebody watches; else a line in the log now and then, while there is something to tell. */
export async function showProgress({ledger, log, isWatched, extras = () => ({})}: ProgressOptions): Promise<Progress> {
  let shown = {read: 0, at: performance.now()}
  const rate = () => {
    const now = performance.now()
    const perSecond = Math.round(((ledger.read - shown.read) / (now - shown.at)) * 1000)
    shown = {read: ledger.read, at: now}
    return perSecond
  }

  const hasWidth = process.stderr.columns > 0 // without any, as in `script` under cron, ora would clear lines without end
  if (!isWatched || !hasWidth) {
    const timer = setInterval(() => {
      if (ledger.read === shown.read && ledger.unacknowledged === 0) return
      const {read, written, filtered, rejected, unacknowledged} = ledger
      log.info('progress', {read, written, filtered, rejected, unacknowledged, ...extras(), perSecond: rate()})
    }, LOGGED_MILLISECONDS)
    return {stop: () => clearInterval(timer)}
  }

  const {default: ora} = await import('ora')
  const spinner = ora({stream: process.stderr, discardStdin: false, text: 'connecting'}).start()
  let perSecond = 0
  let ticks = 0
  const timer = setInterval(() => {
    if (ticks++ % 4 === 0) perSecond = rate()
    const more = Object.entries(extras()).map(([name, value]) => `  ${name} ${String(value)}`)
    spinner.text = `read ${ledger.read}  written ${ledger.written}${ledger.rejected > 0 ? `  rejected ${ledger.rejected}` : ''}  ${perSecond}/s${more.join('')}`
  }, WATCHED_MILLISECONDS)
  return {
    stop() {
      clearInterval(timer)
      spinner.stop()
    },
  }
}
