import {execFile} from 'node:child_process'
import {promisify} from 'node:util'
import {expect, it} from 'vitest'
import {PROGRAM, temporaryFolder} from './cli.ts'

/** What a run shows that waits for a server in vain, on a terminal of this width. */
async function shownOn(columns: number): Promise<{code: unknown; text: string}> {
  const cwd = temporaryFolder()
  const args = 'kafka-to-influx --input - --influx-url http://127.0.0.1:1 --token any --retry-for 1s < /dev/null'
  const onTerminal = ['-qec', `stty cols ${columns}; '${process.execPath}' '${PROGRAM}' ${args}`, '/dev/null']
  const env = {PATH: process.env['PATH'], HOME: cwd, TERM: 'xterm'}
  return promisify(execFile)('script', onTerminal, {cwd, env, timeout: 20_000, killSignal: 'SIGKILL'}).then(
    ({stdout}) => ({code: 0, text: stdout}),
    ({code, stdout}: {code: unknown; stdout: string}) => ({code, text: stdout}),
  )
}

const MOVING_LINE = 'read 0  written 0  0/s'

it('a line moves on a terminal while the run goes on', async () => {
  expect(await shownOn(80)).toEqual({code: 69, text: expect.stringContaining(MOVING_LINE) as string})
})

it('no line moves on a terminal without a width, on which it could not be cleared, and the run ends as ever', async () => {
  const {code, text} = await shownOn(0)
  expect(code).toBe(69)
  expect(text).not.toContain(MOVING_LINE)
  expect(text).toContain('error: ')
})
