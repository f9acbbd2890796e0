import {once} from 'node:events'
import {closeSync, openSync, writeFileSync} from 'node:fs'
import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import {spawn} from 'node:child_process'
import {join} from 'node:path'
import {pathToFileURL} from 'node:url'
import {describe, expect, it, onTestFinished} from 'vitest'
import {PROGRAM, startUcs, temporaryFolder, ucs} from './cli.ts'

const HEADER = '"ts","device","co","humidity","light","lpg","motion","smoke","temp"'
const ROW = '"1","00:0f:00:70:91:0a","0.0031","76.0","false","0.0052","false","0.0136","19.7"'

function folderWithRows(...rows: readonly string[]): string {
  const cwd = temporaryFolder()
  writeFileSync(join(cwd, 'a.csv'), [HEADER, ...rows, ''].join('\n'))
  return cwd
}

/** A module that Node loads before the program. */
function preloaded(source: string): Readonly<Record<string, string>> {
  const path = join(temporaryFolder(), 'preloaded.mjs')
  writeFileSync(path, source)
  return {NODE_OPTIONS: `--import=${pathToFileURL(path).href}`}
}

/** Refuses every token, and repeats it. */
async function refusingServer(): Promise<string> {
  const server = createServer(({headers}, response) => {
    const body = {code: 'unauthorized', message: `no such token: ${headers.authorization}`}
    response.writeHead(401, {'Content-Type': 'application/json'}).end(JSON.stringify(body))
  })
  server.listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function folderWithToken(): string {
  const cwd = temporaryFolder()
  writeFileSync(join(cwd, '.env'), "INFLUX_TOKEN='S3cret-#=='\n")
  return cwd
}

const FROM_STDIN = ['kafka-to-influx', '--input', '-', '--dead-letter', 'none']
const PRODUCE = ['produce', '--file', 'a.csv', '--pause', '0', '--broker', '127.0.0.1:1']

describe('the exit code is the same with and without --json', () => {
  it.each<[code: number, name: string, run: () => Promise<Parameters<typeof ucs>>]>([
    [0, 'OK', async () => [['config', 'show', 'produce']]],
    [2, 'USAGE', async () => [['produce', '--rows', 'many']]],
    [3, 'PARTIAL', async () => [PRODUCE, {cwd: folderWithRows('x')}]],
    [69, 'UNAVAILABLE', async () => [[...PRODUCE, '--no-dry-run-fallback'], {cwd: folderWithRows(ROW)}]],
    [74, 'IO', async () => [['sample', 'swat', '--output', 'none/a.csv']]],
    [77, 'AUTH', async () => [FROM_STDIN, {cwd: folderWithToken(), env: {INFLUX_URL: await refusingServer()}, input: '{}\n'}]],
    [1, 'BUG', async () => [['produce', '--config', 'ucs.yaml'], {env: preloaded(FAULTY)}]],
  ])('%i %s', async (code, name, run) => {
    const [args, options] = await run()
    const plain = await ucs(args, options)
    expect(plain.code).toBe(code)
    const result = await ucs([...args, '--json'], options)
    expect(result.code).toBe(code)
    expect(result.json()).toMatchObject({ok: code === 0, exitCode: code, ...(code === 0 ? {} : {error: {code: name}})})
    expect(result.stdout.trim().split('\n')).toHaveLength(1)
  })

  /** A module of ours that has a fault. */
  const FAULTY = `import {registerHooks} from 'node:module'
registerHooks({load: (url, context, next) => url.endsWith('/config-file.js')
  ? {format: 'module', source: 'export const readConfigFile = () => undefined.fault', shortCircuit: true}
  : next(url, context)})`
})

describe('a refusal that repeats the token', () => {
  it('is told without it', async () => {
    const options = {cwd: folderWithToken(), env: {INFLUX_URL: await refusingServer()}, input: '{}\n'}
    for (const args of [FROM_STDIN, [...FROM_STDIN, '--json'], [...FROM_STDIN, '--log-level', 'debug', '--log-format', 'json']]) {
      const {stdout, stderr} = await ucs(args, options)
      expect(stdout + stderr).toContain('***')
      expect(stdout + stderr).not.toContain('S3cret')
    }
  })
})

describe('a bug', () => {
  it('is told with its stack and what to do with it, also where nobody waits for the error', async () => {
    const env = preloaded(`process.on('newListener', (event) => {
  if (event === 'uncaughtException') setImmediate(() => { throw new TypeError('a fault in a timer') })
})`)
    const {code, stderr} = await startUcs(['kafka-to-influx', '--input', '-', '--dry-run'], {env}).result
    expect(code).toBe(1)
    expect(stderr).toMatch(/^error: a fault in a timer\n {2}TypeError: a fault in a timer\n {4}at /m)
    expect(stderr).toContain('this is a bug in ucs: please report it')
  })
})

describe('an output that takes nothing', () => {
  /** With its standard output and error going to files. */
  async function ucsInto(outputs: {readonly stdout?: string; readonly stderr?: string}, args: readonly string[], cwd = temporaryFolder()) {
    const [stdout, stderr] = [outputs.stdout, outputs.stderr].map((path) => (path === undefined ? 'pipe' : openSync(path, 'w')))
    const env = {PATH: process.env['PATH'], HOME: cwd}
    const child = spawn(process.execPath, [PROGRAM, ...args], {cwd, env, stdio: ['ignore', stdout, stderr]})
    for (const descriptor of [stdout, stderr]) if (typeof descriptor === 'number') closeSync(descriptor)
    let [printed, said] = ['', '']
    child.stdout?.on('data', (text: Buffer) => (printed += String(text)))
    child.stderr?.on('data', (text: Buffer) => (said += String(text)))
    const [code] = (await once(child, 'close')) as [number]
    return {code, stdout: printed, stderr: said}
  }

  it.each([
    ['config show', ['config', 'show', 'produce']],
    ['config show --json', ['config', 'show', 'produce', '--json']],
    ['sample', ['sample', 'sensors', '--rows', '5']],
    ['produce --dry-run', [...PRODUCE, '--dry-run']],
    ['produce --output -', [...PRODUCE, '--output', '-']],
  ])('for data ends it with 74, never as if all went well: %s', async (_, args) => {
    const {code, stderr} = await ucsInto({stdout: '/dev/full'}, args, folderWithRows(ROW))
    expect(code).toBe(74)
    expect(stderr).toMatch(/^error: writing to standard output failed: ENOSPC: [^\n]*\n$/m)
    expect(stderr).not.toMatch(/\n +at /)
  })

  it('for talk does not keep the data from being written', async () => {
    const {code, stdout} = await ucsInto({stderr: '/dev/full'}, [...PRODUCE, '--log-level', 'debug'], folderWithRows(ROW))
    expect(code).toBe(0)
    expect(stdout).toMatch(/^\[DRY-RUN\] \{.*\}\n$/)
  })
})
