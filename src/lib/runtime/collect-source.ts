import type {Given} from './given.ts'
import {UsageError} from '../errors.ts'

/** A text, and what to call it in an error: "SERVER_A_URL", "collect.yaml:3:5". */
export interface Named {
  readonly text: string
  readonly origin: string
}

/** A server to collect from, as it was given. */
export interface SourceSettings {
  /** "server_a". */
  readonly name: string
  /** What rows without a host are said to come from: "pod_8". */
  readonly host: string
  readonly url: Named
  readonly org: Named
  readonly token: Named | undefined
  readonly tokenFile: Named | undefined
  readonly buckets: readonly string[]
}

export const SOURCE_VARIABLE = /^SERVER_(.+?)_(URL|TOKEN_FILE|TOKEN|ORG|NAME|BUCKET(?:_\d+)?)$/

/** What the collector of the seeds called them. */
const SEED_HOSTS: Readonly<Record<string, string>> = {A: 'pod_8', B: 'pod_30'}

/** The variables SERVER_<X>_URL and so on, in the order of their letters. Throws UsageError for a server of which something is missing. */
export function sourcesOfVariables(variables: ReadonlyMap<string, Given>): readonly SourceSettings[] {
  const servers = new Map<string, Map<string, Named>>()
  for (const [variable, {texts}] of variables) {
    const [, server = '', part = ''] = SOURCE_VARIABLE.exec(variable) ?? []
    if (!servers.has(server)) servers.set(server, new Map())
    servers.get(server)!.set(part, {text: texts[0]!, origin: variable})
  }

  return [...servers]
    .filter(([, parts]) => parts.has('URL') || parts.has('TOKEN')) // the name of something else may look like one of ours
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([server, parts]) => sourceOf(server, parts))
}

function sourceOf(server: string, parts: ReadonlyMap<string, Named>): SourceSettings {
  const needed = (part: string) => {
    const found = parts.get(part)
    if (!found) throw new UsageError(`SERVER_${server}_${part} is missing`, {suggestion: `Set it beside ${[...parts.values()][0]!.origin}`})
    return found
  }
  const [url, org] = [needed('URL'), needed('ORG')]
  if (!parts.has('TOKEN') && !parts.has('TOKEN_FILE')) needed('TOKEN')
  needed('BUCKET')
  const buckets = [...parts].filter(([part]) => part.startsWith('BUCKET')).sort(([a], [b]) => numberOf(a) - numberOf(b))
  const name = `server_${server.toLowerCase()}`
  return {
    name,
    host: parts.get('NAME')?.text ?? SEED_HOSTS[server.toUpperCase()] ?? name,
    url,
    org,
    token: parts.get('TOKEN'),
    tokenFile: parts.get('TOKEN_FILE'),
    buckets: [...new Set(buckets.map(([, {text}]) => text))],
  }
}

const numberOf = (part: string) => Number(/\d+$/.exec(part)?.[0] ?? 1)
