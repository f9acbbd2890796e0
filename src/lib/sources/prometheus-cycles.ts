import type {Clock} from '../core/types.ts'
import {UcsError} from '../errors.ts'

/** What became of the queries that were due at one moment. */
export interface CycleReport {
  /** The moment, in milliseconds since the epoch. */
  readonly at: number
  readonly queries: number
  /** Answered, and all of the answer settled. */
  readonly succeeded: number
  readonly failed: number
  /** Not asked, because the moment before was not done with. */
  readonly skipped: number
  /** Still on their way when the next moment was due. */
  readonly pending: number
  readonly samples: number
  /** From the moment to the last query's end. */
  readonly milliseconds: number
  readonly successPercent: number
  readonly status: CycleStatus
  /** By their code. */
  readonly errors: Readonly<Record<string, number>>
}

export type CycleStatus = 'healthy' | 'warning' | 'critical'

const HEALTHY_PERCENT = 80
const WARNING_PERCENT = 50

export const statusOf = (successPercent: number): CycleStatus =>
  successPercent >= HEALTHY_PERCENT ? 'healthy' : successPercent >= WARNING_PERCENT ? 'warning' : 'critical'

export interface Cycle {
  readonly at: number
  succeeded(samples: number): void
  failed(error: unknown): void
  skipped(): void
  /** The next one begins: it is told as it stands, if it was not before. */
  close(): void
}

/** Counts one cycle and tells it once: when its last query has ended, or when it is closed. */
export function beginCycle(at: number, queries: number, clock: Clock, tell: (report: CycleReport) => void): Cycle {
  const counts = {succeeded: 0, failed: 0, skipped: 0, samples: 0}
  const errors: Record<string, number> = {}
  let isTold = false

  return {
    at,
    succeeded(samples) {
      counts.succeeded++
      counts.samples += samples
      tellAtEnd()
    },
    failed(error) {
      counts.failed++
      const code = error instanceof UcsError ? error.code : 'BUG'
      errors[code] = (errors[code] ?? 0) + 1
      tellAtEnd()
    },
    skipped() {
      counts.skipped++
      tellAtEnd()
    },
    close: report,
  }

  function tellAtEnd(): void {
    if (pending() === 0) report()
  }

  function pending(): number {
    return queries - counts.succeeded - counts.failed - counts.skipped
  }

  function report(): void {
    if (isTold) return
    isTold = true
    const successPercent = Math.floor((counts.succeeded * 100) / queries) // 79.5 % is below 80 %, and 99.9 % is not all
    tell({
      at,
      queries,
      ...counts,
      pending: pending(),
      milliseconds: clock.now() - at,
      successPercent,
      status: statusOf(successPercent),
      errors: {...errors},
    })
  }
}
