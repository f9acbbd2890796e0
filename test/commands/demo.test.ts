import {mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {pathToFileURL} from 'node:url'
import {describe, expect, it} from 'vitest'
import {temporaryFolder, ucs} from './cli.ts'

const ROWS = ['--rows', '300']

/** An environment in which the optional engine cannot be imported. `code` is what Node would say. */
function withoutEngine(code: 'ERR_MODULE_NOT_FOUND' | 'ERR_DLOPEN_FAILED', message: string): Readonly<Record<string, string>> {
  const hooks = join(temporaryFolder(), 'hooks.mjs')
  writeFileSync(
    hooks,
    `import {registerHooks} from 'node:module'
registerHooks({resolve(specifier, context, next) {
  if (/^chdb(\\/|$)/.test(specifier)) throw Object.assign(new Error(${JSON.stringify(message)}), {code: ${JSON.stringify(code)}})
  return next(specifier, context)
}})`,
  )
  return {NODE_OPTIONS: `--import=${pathToFileURL(hooks).href}`}
}

describe('demo', {timeout: 30_000}, () => {
  it('stores the events of three devices in the embedded engine, twice in the same folder', async () => {
    const cwd = temporaryFolder()
    for (const rows of ['300', '30']) {
      const {code, stdout, stderr} = await ucs(['demo', '--rows', rows], {cwd})
      expect({code, stderr}).toEqual({code: 0, stderr: ''})
      expect(stdout).toContain(`ledger: read ${rows} written ${rows} rejected 0`)
      for (const device of ['00:0f:00:70:91:0a', '1c:bf:ce:15:ec:4d', 'b8:27:eb:bf:9d:51'])
        expect(stdout).toMatch(new RegExp(`^ *${device} +${Number(rows) / 3} `, 'm'))
    }

    expect(readdirSync(cwd)).toEqual(['.ucs-demo'])
  })

  it('suggests commands that work', async () => {
    const cwd = temporaryFolder()
    const {stdout} = await ucs(['demo', ...ROWS], {cwd})
    const [produce] = /produce --file .*--dry-run/.exec(stdout)!
    const suggested = await ucs([...produce.split(' '), '--pause', '0'], {cwd})
    expect(suggested.code).toBe(0)
    expect(suggested.stdout.trim().split('\n')).toHaveLength(3)
  })

  it('prints one object with --json, and nothing with --quiet', async () => {
    const cwd = temporaryFolder()
    const result = await ucs(['demo', ...ROWS, '--output', 'own folder', '--json'], {cwd})
    expect({code: result.code, stderr: result.stderr}).toEqual({code: 0, stderr: ''})
    expect(result.json()).toMatchObject({
      command: 'demo',
      ok: true,
      engine: 'embedded',
      folder: 'own folder',
      ledger: {read: 300, written: 300, rows: 300, rejected: 0},
    })
    expect(await ucs(['demo', ...ROWS, '--quiet'], {cwd})).toMatchObject({code: 0, stdout: '', stderr: ''})
  })

  it('shows the same whatever is set for real work', async () => {
    const cwd = temporaryFolder()
    const settings = {
      UCS_PRESET: 'swat',
      CLICKHOUSE_DB: 'production',
      UCS_TABLE: 'real_data',
      UCS_DELIVERY: 'exactly-once',
      UCS_DRY_RUN: 'true',
      UCS_DEAD_LETTER: 'none',
      PRODUCER: 'B',
    }
    writeFileSync(
      join(cwd, '.env'),
      Object.entries({...settings, BATCH_SIZE: 'bad'})
        .map((pair) => pair.join('='))
        .join('\n'),
    )
    const result = await ucs(['demo', ...ROWS], {cwd, env: {...settings, UCS_JSON: 'true', CLICKHOUSE_URL: 'http://production:8123'}})
    expect({code: result.code, stderr: result.stderr}).toEqual({code: 0, stderr: ''})
    expect(result.json()).toMatchObject({ok: true, engine: 'embedded', ledger: {read: 300, written: 300}})
    expect(readdirSync(cwd).sort()).toEqual(['.env', '.ucs-demo'])
  })

  it.each([
    ['the folder cannot be made', ['--output', 'file/x'], 'cannot make the folder file/x: EEXIST'],
    ['the CSV cannot be written', ['--output', 'taken'], 'writing to taken/sensor_data.csv failed: EISDIR'],
  ])('exits 74 where %s', async (_, args, message) => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'file'), '')
    mkdirSync(join(cwd, 'taken/sensor_data.csv'), {recursive: true})
    const {code, stderr} = await ucs(['demo', ...ROWS, ...args], {cwd})
    expect(code).toBe(74)
    expect(stderr).toContain(`error: ${message}`)
    const result = await ucs(['demo', ...ROWS, ...args, '--json'], {cwd})
    expect(result.json()).toMatchObject({ok: false, exitCode: 74, error: {code: 'IO'}})
  })

  it('says why a part of it failed', async () => {
    const cwd = temporaryFolder()
    mkdirSync(join(cwd, 'broken'))
    writeFileSync(join(cwd, 'broken/.env'), 'UCS_BATCH_BYTES=none\n')
    const {code, stderr} = await ucs(['demo', ...ROWS, '--output', 'broken'], {cwd})
    expect(code).toBe(74)
    expect(stderr).toContain('a part of the demo ended with exit code 2: UCS_BATCH_BYTES: expected a size')
  })
})

describe('demo without the embedded engine', {timeout: 30_000}, () => {
  it('leaves events and points in files where it has no build for the machine, twice in the same folder', async () => {
    const cwd = temporaryFolder()
    const env = withoutEngine('ERR_DLOPEN_FAILED', 'no prebuilt binary')
    for (let time = 0; time < 2; time++) {
      const {code, stdout, stderr} = await ucs(['demo', ...ROWS], {cwd, env})
      expect({code, stderr}).toEqual({code: 0, stderr: ''})
      expect(stdout).toContain(`the embedded engine does not run on ${process.platform}-${process.arch}: no prebuilt binary: files instead`)
    }

    const lines = (name: string) =>
      readFileSync(join(cwd, '.ucs-demo', name), 'utf8')
        .trim()
        .split('\n')
    expect(lines('events.ndjson')).toHaveLength(300)
    expect(JSON.parse(lines('events.ndjson')[0]!)).toMatchObject({device_id: 'b8:27:eb:bf:9d:51', ts: 1594512094.385})
    expect(lines('points.lp')).toHaveLength(300)
    expect(lines('points.lp')[0]).toMatch(/^sensor_data,device_id=\S+ co=\S+ \d{19}$/)
  })

  it('says so where it is not installed', async () => {
    const {code, stdout} = await ucs(['demo', ...ROWS], {env: withNoPackage()})
    expect(code).toBe(0)
    expect(stdout).toContain('the embedded engine is not installed: files instead')
  })

  it('prints one object with --json', async () => {
    const result = await ucs(['demo', ...ROWS, '--json'], {env: withNoPackage()})
    expect({code: result.code, stderr: result.stderr}).toEqual({code: 0, stderr: ''})
    expect(result.json()).toMatchObject({ok: true, engine: 'none', folder: '.ucs-demo'})
  })

  it('exits 74 where a file cannot be written', async () => {
    const cwd = temporaryFolder()
    mkdirSync(join(cwd, '.ucs-demo/points.lp'), {recursive: true})
    const {code, stderr} = await ucs(['demo', ...ROWS], {cwd, env: withNoPackage()})
    expect(code).toBe(74)
    expect(stderr).toContain('error: writing to .ucs-demo/points.lp failed: EISDIR')
  })
})

const withNoPackage = () => withoutEngine('ERR_MODULE_NOT_FOUND', "Cannot find package 'chdb'")
