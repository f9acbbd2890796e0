const MILLISECONDS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

/** `500ms`, `2s`, `5m`, `1h`, `30d`, `1w`, `1h30m`; a bare number means seconds. Milliseconds, or undefined when it is no duration. */
export function parseDuration(text: string): number | undefined {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d|w))+$/.test(text)) return undefined
  const parts = text.matchAll(/([\d.]+)(ms|s|m|h|d|w)/g)
  return parts.reduce((total, [, count, unit]) => total + Number(count) * MILLISECONDS[unit!]!, 0)
}

/** The shortest form of whole milliseconds, without weeks, because people count in days: `30d`, `1h30m`, `0`. */
export function formatDuration(milliseconds: number): string {
  let left = milliseconds
  const parts = ['d', 'h', 'm', 's', 'ms'].map((unit) => {
    const count = Math.floor(left / MILLISECONDS[unit]!)
    left -= count * MILLISECONDS[unit]!
    return count > 0 ? `${count}${unit}` : ''
  })
  return parts.join('') || '0'
}
