import {readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {describe, expect, it} from 'vitest'
import {serveHttps} from '../clients/servers.ts'
import {makeCertificates} from '../services/kafka-certificates.ts'
import {temporaryFolder, ucs} from './cli.ts'

/* With the server: test/integration/buckets.test.ts. */

function folderWith(text: string): string {
  const cwd = temporaryFolder()
  writeFileSync(join(cwd, 'buckets.json'), text)
  return cwd
}

const AWAY = {INFLUX_URL: 'http://127.0.0.1:1', INFLUX_TOKEN: 't', UCS_RETRY_FOR: '0'}

describe('buckets create', () => {
  it.each([
    [[], 'buckets.json'],
    [['site.json'], 'site.json'],
  ])('reads the file that is named, else buckets.json: %j', async (args, file) => {
    const {code, stdout, stderr} = await ucs(['buckets', 'create', ...args], {env: AWAY})
    expect({code, stdout, stderr}).toEqual({
      code: 2,
      stdout: '',
      stderr: `error: there is no file ${file}\n  try: Check the argument FILE\n`,
    })
  })

  it('tells every fault of the file with its place', async () => {
    const cwd = folderWith('[\n  {"name": "_a"},\n  {"nam": "b"}\n]\n')
    const faults = [
      'buckets.json:2:12: no name can begin with "_": such buckets are the server\'s own',
      'buckets.json:3:3: this bucket has no "name"',
      'buckets.json:3:4: "nam" is no key of a bucket; did you mean "name"?',
    ]
    const {code, stderr} = await ucs(['buckets', 'create'], {cwd, env: AWAY})
    expect({code, stderr}).toEqual({code: 2, stderr: `error: ${faults.join('\n')}\n  try: Mend the file; nothing was done\n`})
    const result = await ucs(['buckets', 'create', '--json'], {cwd, env: AWAY})
    expect(result.json()).toMatchObject({exitCode: 2, error: {code: 'USAGE', message: faults.join('\n')}})
  })

  it('takes one file', async () => {
    const {code, stderr} = await ucs(['buckets', 'create', 'a.json', 'b.json'], {env: AWAY})
    expect({code, stderr: stderr.split('\n', 1)[0]}).toEqual({code: 2, stderr: 'error: there is an argument too many'})
  })
})

describe.each([['create'], ['list'], ['export']])('buckets %s', (command) => {
  const run = (args: readonly string[], env: Readonly<Record<string, string>>) =>
    ucs(['buckets', command, ...args], {cwd: folderWith('[{"name": "a"}]'), env})

  it('exits 69 where no server is', async () => {
    const {code, stdout, stderr} = await run([], AWAY)
    expect({code, stdout}).toEqual({code: 69, stdout: ''})
    expect(stderr).toMatch(/ECONNREFUSED 127\.0\.0\.1:1\n {2}try: Is the server running\? Check --influx-url or INFLUX_URL\n$/)
  })

  it.each([
    ['a token', {INFLUX_TOKEN: ''}, '--token is missing'],
    ['an address without a user', {INFLUX_URL: 'http://user:secret@127.0.0.1:1'}, '--influx-url takes no parameters and no user'],
  ])('exits 2 without %s', async (_, env, message) => {
    const {code, stderr} = await run([], {...AWAY, ...env})
    expect({code, stderr: stderr.split('\n', 1)[0]}).toEqual({code: 2, stderr: `error: ${message}`})
  })
})

describe('a server behind TLS', () => {
  it.each<[what: string, args: (ca: string) => readonly string[], code: number]>([
    ['is trusted when its authority is', (ca) => ['--influx-ca', ca], 0],
    ['is trusted when nothing is checked', () => ['--influx-skip-verify'], 0],
    ['is else not told the token', () => [], 69],
  ])('%s', async (_, args, code) => {
    const cwd = temporaryFolder()
    const paths = await makeCertificates(cwd)
    const pem = readFileSync(paths.server, 'utf8')
    const tokens: unknown[] = []
    const {url} = await serveHttps({key: pem, cert: pem}, (request, response) => {
      tokens.push(request.headers.authorization)
      const system = {id: '1', name: '_tasks', type: 'system', retentionRules: []}
      response.end(JSON.stringify(request.url!.startsWith('/api/v2/orgs') ? {orgs: [{id: 'o1', name: 'ucs'}]} : {buckets: [system]}))
    })
    writeFileSync(join(cwd, 'token'), 't0\n')
    const result = await ucs(['buckets', 'list', '--influx-url', url, '--token-file', 'token', ...args(paths.ca)], {cwd})
    expect(result.code).toBe(code)
    expect(tokens).toEqual(code === 0 ? ['Token t0', 'Token t0'] : [])
    if (code === 0) expect(result.stdout).toMatch(/^_tasks +for ever /m)
    else expect(result.stderr).toContain('try: Name the certificate authority with --influx-ca FILE')
  })
})
