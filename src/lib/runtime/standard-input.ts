import {spawn} from 'node:child_process'
import {closeSync, openSync} from 'node:fs'
import {PassThrough, type Readable} from 'node:stream'
import {isatty} from 'node:tty'
import {IoError} from '../errors.ts'

const DESCRIPTOR = 0
/** It ends with what it reads, or when nobody takes what it writes. */
const RELAY = `process.stdin.on('error', () => process.exit(1)).pipe(process.stdout).on('error', () => process.exit(1))`

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
  const relay = spawn(process.execPath, ['-e', RELAY], {stdio: ['inherit', 'pipe', 'ignore'], detached: true, env: {}})
  const input = relay.stdout.pipe(new PassThrough()) // which keeps what nobody has read when the relay ends; Node throws the rest of its output away
  const end = () => relay.kill('SIGKILL')
  process.once('exit', end)
  relay.once('error', (cause) => input.destroy(new IoError(`reading stdin failed: ${cause.message}`, {cause})))
  relay.once('exit', (code) => {
    process.off('exit', end)
    if (code !== 0) input.destroy(new IoError('reading stdin failed', {suggestion: 'Is standard input a file or a pipe that can be read?'}))
  })
  return input
}
