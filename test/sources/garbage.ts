import {setFlagsFromString} from 'node:v8'
import {runInNewContext} from 'node:vm'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

/** What only a WeakRef knows is gone after this: a turn of the event loop lets go of what was looked at in this one. */
export async function collectGarbage(): Promise<void> {
  await new Promise(setImmediate)
  gc()
}
