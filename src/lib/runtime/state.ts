import {homedir} from 'node:os'
import {join} from 'node:path'

/** Where cursors, resume files and locks are kept: a folder that was named, or the user's own. */
export function stateFolder(named: string | undefined, environment: Readonly<Record<string, string | undefined>>): string {
  return named ?? join(environment['XDG_STATE_HOME'] || join(homedir(), '.local', 'state'), 'ucs')
}
