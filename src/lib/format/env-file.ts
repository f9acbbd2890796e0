/**
 * Reads `NAME=value` lines as the seeds write them: split at the first `=`; an optional `export`; matching quotes stripped;
 * `#` begins a comment only at the start of a line or after white space, because tokens contain it. CRLF and a BOM are accepted.
 * Lines that assign nothing are left out.
 */
export function parseEnvFile(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>()
  for (const line of text.replace(/^\uFEFF/, '').split(/\r?\n/)) {
    const match = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.]*)\s*=(.*)$/.exec(line)
    if (match) values.set(match[1]!, unquote(match[2]!))
  }

  return values
}

function unquote(raw: string): string {
  const quoted = /^\s*(['"])(.*?)\1(?:\s+#.*|\s*)$/.exec(raw)
  return quoted ? quoted[2]! : raw.replace(/\s#.*$/, '').trim()
}
