import {seededRandom} from '../fakes/random.ts'
import type {Fault} from './fault-proxy.ts'

export type Target = 'influx' | 'clickhouse'
export type Act =
  | {readonly kind: 'http'; readonly fault: Fault}
  | {readonly kind: 'kill a consumer' | 'kill the broker' | 'kill the server' | 'fill the disk' | 'revoke the token' | 'add a consumer'}

export interface Plan {
  readonly target: Target
  readonly consumers: number
  readonly acts: readonly {readonly atMilliseconds: number; readonly act: Act; readonly forMilliseconds: number}[]
}

const HTTP_FAULTS: readonly Fault[] = ['429', '503', 'hang', 'drip', 'torn after the write', 'torn before the write']
const ROUND_MILLISECONDS = 4000

/** What happens in a round: the same for the same seed. */
export function planOf(seed: number): Plan {
  const random = seededRandom(seed)
  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!
  const target: Target = pick(['influx', 'influx', 'clickhouse'])
  const others: readonly Act[] = [
    {kind: 'kill a consumer'},
    {kind: 'kill a consumer'},
    {kind: 'add a consumer'},
    {kind: 'kill the broker'},
    {kind: 'fill the disk'},
    // Those need a server of their own process.
    ...(target === 'influx' ? ([{kind: 'kill the server'}, {kind: 'revoke the token'}] as const) : []),
  ]
  const http = (): Act => ({kind: 'http', fault: pick(HTTP_FAULTS)})
  const acts = Array.from({length: 2 + Math.floor(random() * 3)}, () => ({
    atMilliseconds: Math.floor(random() * ROUND_MILLISECONDS),
    act: random() < 0.5 ? http() : pick(others),
    forMilliseconds: 300 + Math.floor(random() * 1500),
  }))
  return {target, consumers: pick([1, 3]), acts: acts.sort((one, other) => one.atMilliseconds - other.atMilliseconds)}
}

export const describeAct = (act: Act): string => (act.kind === 'http' ? act.fault : act.kind)
