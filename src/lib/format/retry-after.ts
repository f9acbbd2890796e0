/** The header's seconds or HTTP date, as milliseconds from now on; undefined when it is absent or unreadable. */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000
  const date = /^\s*(mon|tue|wed|thu|fri|sat|sun)/i.test(header) ? Date.parse(header) : NaN // Date.parse makes a date of "-5", too
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}
