import type {Clock, Logger} from '../core/types.ts'
import {LONGEST_JOIN_MILLISECONDS} from '../clients/kafka/consumer.ts'

export interface ListenerOptions {
  readonly topic: string
  /** How long a silence is borne. */
  readonly patienceMilliseconds: number
  readonly clock: Clock
  readonly log: Logger
  /** Ends the listening. */
  readonly signal: AbortSignal
  /** While nobody takes what was read, hardly anything is asked. */
  isResting(): boolean
  /** Told each second from when the patience is over. */
  onSilence(seconds: number): void
}

export interface Listener {
  /** The broker has answered anything. */
  heard(): void
  /** What the member is doing: while it joins, the group may wait long for others; one that is down is not listened for. */
  is(state: 'joining' | 'reading' | 'down'): void
  /** For so long that it is not as it should be. */
  isSilent(): boolean
}

/** How often it is looked whether the broker has answered anything. A member hears of it several times a second. */
const LISTENING_MILLISECONDS = 1000
const SILENCE_TOLD_AFTER_MILLISECONDS = 10_000
/** While a join takes longer than that, it is told how long. */
const JOINING_TOLD_EVERY_MILLISECONDS = 10_000

/** A broker that hangs breaks no connection, and kafkajs waits half a minute for each of its answers. */
export function listenToBroker({topic, patienceMilliseconds, clock, log, signal, isResting, onSilence}: ListenerOptions): Listener {
  let hasHeard = false
  let silence = 0 // and not a difference of times: we may have been asleep ourselves
  let state: 'joining' | 'reading' | 'down' = 'reading'
  void listen()
  return {
    heard() {
      hasHeard = true
    },
    is(next) {
      state = next
    },
    isSilent: () => silence >= SILENCE_TOLD_AFTER_MILLISECONDS && state === 'reading',
  }

  async function listen(): Promise<void> {
    let joining = 0
    while (!signal.aborted) {
      hasHeard = false
      await clock.sleep(LISTENING_MILLISECONDS, signal).catch(() => {})
      silence = hasHeard || isResting() ? 0 : silence + LISTENING_MILLISECONDS
      joining = state === 'joining' ? joining + LISTENING_MILLISECONDS : 0
      const patience = state === 'joining' ? Math.max(patienceMilliseconds, LONGEST_JOIN_MILLISECONDS) : patienceMilliseconds
      tell(silence / 1000, joining / 1000)
      if (silence >= patience) onSilence(silence / 1000)
    }
  }

  function tell(silentSeconds: number, joiningSeconds: number): void {
    if (joiningSeconds > 0 && (joiningSeconds * 1000) % JOINING_TOLD_EVERY_MILLISECONDS === 0)
      log.info('kafka.joining', {
        message: `the group has not let us in for ${joiningSeconds} s: it waits for members that were here before`,
      })
    if (state === 'reading' && silentSeconds * 1000 === SILENCE_TOLD_AFTER_MILLISECONDS)
      log.warn('kafka.silent', {message: `the broker of topic "${topic}" has not answered for ${silentSeconds} s`})
  }
}
