import {spawn} from 'node:child_process'
import {closeSync, openSync} from 'node:fs'
import {PassThrough, Readable} from 'node:stream'
import {isatty} from 'node:tty'
import {IoError} from '../errors.ts'

const DESCRIPTOR = 0
/** It ends with what it reads, or when nobody takes what it writes. */
const RELAY = `
const fail = ({message}) => { console.error(message); process.exitCode = 1; process.stdin.destroy(); process.stdout.end() }
process.stdin.on('error', fail).pipe(process.stdout).on('error', () => process.exit(1))`

let aside: Readable | undefined

/** What comes from standard input, wherever that is read. */
export const standardInput = (): Readable => aside ?? process.stdin

/**
 * Takes standard input away from native code in this process, which finds an empty one. For the embedded engine, which appends
 * all that stands there to each insert. What is still needed of it comes through a process in between: Node cannot duplicate a descriptor.
 * Before the first use of `standardInput`.
 */
export function setStandardInputAside({isNeeded}: {readonly isNeeded: boolean}): void {
  if (aside || isatty(DESCRIPTOR)) return // the engine leaves a terminal alone
  if (isNeeded) aside = relayed()
  closeSync(DESCRIPTOR)
  const descriptor = openSync('/dev/null', 'r')
  if (descriptor !== DESCRIPTOR) throw new Error(`standard input cannot be replaced: /dev/null is descriptor ${descriptor}`)
}

function relayed(): Readable {
  // Of its own group, so that Ctrl-C does not end the input before we know of the signal.
  const relay = spawn(process.execPath, ['-e', RELAY], {stdio: ['inherit', 'pipe', 'pipe'], detached: true, env: {}})
  const end = () => relay.kill('SIGKILL')
  process.once('exit', end)
  const kept = relay.stdout.pipe(new PassThrough()) // when the relay ends, Node throws away of its output what nobody has read
  let reason = ''
  relay.stderr.setEncoding('utf8').on('data', (text: string) => (reason += text))
  const ended = new Promise<Error | undefined>((resolve) => {
    relay.once('error', resolve)
    relay.once('close', (code) => {
      process.off('exit', end)
      resolve(code === 0 ? undefined : new Error(reason.trim() || 'it broke off'))
    })
  })
  return Readable.from(all(), {objectMode: false})

  /** That the relay's output ends does not mean that the input did. */
  async function* all(): AsyncGenerator<Buffer> {
    yield* kept as AsyncIterable<Buffer>
    const cause = await ended
    if (!cause) return
    const suggestion = 'Is standard input a file or a pipe that can be read?'
    throw new IoError(`reading stdin failed: ${cause.message}`, {cause, suggestion})
  }
}
