import type {Position, RawMessage} from '../../src/lib/core/types.ts'

/** A message as a broker delivers it; what is neither text nor bytes is sent as JSON. */
export function rawMessage(value: unknown, timestamp?: number): RawMessage {
  const bytes = Buffer.isBuffer(value) || value === null ? value : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
  return {value: bytes, key: null, headers: undefined, timestamp}
}

export const somewhere: Position = {partition: 'topic/0@1', offset: 17n}
