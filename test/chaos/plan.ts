import {seededRandom} from '../fakes/random.ts'
import type {HttpFault} from './http-proxy.ts'
import type {TcpFault} from '../services/tcp-proxy.ts'

export type Target = 'influx' | 'clickhouse'
export type Act =
  | {readonly kind: 'http'; readonly fault: HttpFault}
  | {readonly kind: 'kafka'; readonly fault: TcpFault}
  | {
      readonly kind:
        | 'kill a consumer'
        | 'end a consumer'
        | 'add a consumer'
        | 'expel a consumer'
        | 'kill the broker'
        | 'kill the server'
        | 'fill the disk'
        | 'revoke the token'
    }

export interface Plan {
  readonly target: Target
  readonly consumers: number
  readonly acts: readonly {readonly atMilliseconds: number; readonly act: Act; readonly forMilliseconds: number}[]
}

const HTTP_FAULTS: readonly HttpFault[] = ['413', '429', '500', '503', 'hang', 'drip', 'torn after the write', 'torn before the write']
const TCP_FAULTS: readonly TcpFault[] = ['cut', 'hang', 'drip']
const ROUND_MILLISECONDS = 4000

/** What happens in a round: the same for the same seed. */
export function planOf(seed: number): Plan {
  const random = seededRandom(seed)
  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!
  const target: Target = pick(['influx', 'clickhouse'])
  const others: readonly Act[] = [
    {kind: 'kill a consumer'},
    {kind: 'kill a consumer'},
    {kind: 'end a consumer'},
    {kind: 'add a consumer'},
    {kind: 'kill the broker'},
    {kind: 'kill the server'},
    {kind: 'fill the disk'},
    // A member that goes on though the group has given it up may store a row twice where nothing overwrites it: docs/reliability.md.
    ...(target === 'influx' ? ([{kind: 'revoke the token'}, {kind: 'expel a consumer'}] as const) : []),
  ]
  const draw = (): Act => {
    const kind = random()
    if (kind < 0.4) return {kind: 'http', fault: pick(target === 'influx' ? ['400', ...HTTP_FAULTS] : HTTP_FAULTS)}
    return kind < 0.6 ? {kind: 'kafka', fault: pick(TCP_FAULTS)} : pick(others)
  }
  const acts = Array.from({length: 2 + Math.floor(random() * 3)}, () => ({
    atMilliseconds: Math.floor(random() * ROUND_MILLISECONDS),
    act: draw(),
    forMilliseconds: 300 + Math.floor(random() * 1500),
  }))
  return {target, consumers: pick([1, 3]), acts: acts.sort((one, other) => one.atMilliseconds - other.atMilliseconds)}
}

/** A proxy that passes on what it was given seconds ago, though its client was killed meanwhile. */
export const CARELESS_PLAN: Plan = {
  target: 'clickhouse',
  consumers: 1,
  acts: [
    {atMilliseconds: 1500, act: {kind: 'http', fault: 'late'}, forMilliseconds: 900},
    {atMilliseconds: 2500, act: {kind: 'kill a consumer'}, forMilliseconds: 0},
  ],
}

export function describeAct(act: Act): string {
  if (act.kind === 'http') return act.fault
  return act.kind === 'kafka' ? `broker: ${act.fault}` : act.kind
}
