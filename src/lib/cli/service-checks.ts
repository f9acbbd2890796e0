import type {Clock, Logger} from '../core/types.ts'

/** How a server was when it was last looked at. */
export interface ServiceState {
  readonly ok: boolean
  readonly message: string | null
  /** RFC 3339. */
  readonly checked: string
}

export interface ServiceChecks {
  /** By name; a server that was not looked at yet is not among them. */
  states(): Readonly<Record<string, ServiceState>>
  stop(): void
}

type Check = (signal: AbortSignal) => Promise<unknown>

/** Looks at servers also while no cycle needs them, so that a probe tells of an outage before the next one does. */
export function checkServices(
  services: Readonly<Record<string, Check>>,
  intervalMilliseconds: number,
  {clock, log}: {readonly clock: Clock; readonly log: Logger},
): ServiceChecks {
  const states: Record<string, ServiceState> = {}
  const over = new AbortController()
  void watch()
  return {states: () => ({...states}), stop: () => over.abort()}

  async function watch(): Promise<void> {
    while (!over.signal.aborted) {
      await clock.sleep(intervalMilliseconds, over.signal).catch(() => {})
      if (!over.signal.aborted) await Promise.all(Object.entries(services).map(([name, check]) => look(name, check)))
    }
  }

  async function look(name: string, check: Check): Promise<void> {
    const message = await check(over.signal).then(
      () => null,
      (error: Error) => error.message,
    )
    if (over.signal.aborted) return
    const wasWell = states[name]?.ok ?? true
    states[name] = {ok: message === null, message, checked: new Date(clock.now()).toISOString()}
    if (message !== null && wasWell) log.warn('service.away', {service: name, message})
    if (message === null && !wasWell) log.info('service.back', {service: name})
  }
}
