/** As files and variables write it, in any case; undefined for a text that is neither. */
export function parseBoolean(text: string): boolean | undefined {
  if (/^(true|1|yes|on)$/i.test(text.trim())) return true
  return /^(false|0|no|off)$/i.test(text.trim()) ? false : undefined
}
