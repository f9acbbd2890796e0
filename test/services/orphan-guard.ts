import {spawn} from 'node:child_process'

/** Ends at the newline that says all is well; when this process dies, its pipe ends without one. */
const GUARD = `trap '' HUP INT TERM; read -r _ || { kill -9 "$0"; rm -rf "$1"; }`

/** Kills a server and removes its folder should this process die without stopping it: a killed test run runs no teardown. */
export function guardAgainstOrphan(pid: number, folder: string): {release(): void} {
  const guard = spawn('sh', ['-c', GUARD, String(pid), folder], {stdio: ['pipe', 'ignore', 'ignore']})
  guard.on('error', () => {}) // no sh: no guard
  guard.stdin.on('error', () => {})
  guard.unref()
  return {release: () => guard.stdin.end('\n')}
}
