import {existsSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {describe, expect, it} from 'vitest'
import {temporaryFolder, ucs} from './cli.ts'

const EXAMPLE = readFileSync(new URL('../../examples/prometheus-etl/etl.yaml', import.meta.url), 'utf8')
const env = {INFLUXDB_TOKEN: 'S3cret-token'}

function folderWith(etl: string): string {
  const cwd = temporaryFolder()
  writeFileSync(join(cwd, 'etl.yaml'), etl)
  return cwd
}

describe('an etl.yaml', () => {
  it.each<[args: string[]]>([[['produce']], [['sample', 'swat']], [['config', 'show', 'produce']], [['config', 'show', 'config', 'show']]])(
    'is refused by every other command: %j',
    async (args) => {
      const message = 'etl.yaml:4:1: "extract" is a section of an etl.yaml, which only prom-to-influx reads'
      const suggestion = 'Name a file with "defaults" and a mapping for each command'
      const options = {cwd: folderWith(EXAMPLE), env}
      const plain = await ucs([...args, '--config', 'etl.yaml'], options)
      expect(plain).toMatchObject({code: 2, stdout: '', stderr: `error: ${message}\n  try: ${suggestion}\n`})
      const inJson = await ucs([...args, '--config', 'etl.yaml', '--json'], options)
      expect(inJson).toMatchObject({code: 2, stderr: ''})
      expect(inJson.json()).toMatchObject({ok: false, error: {code: 'USAGE', message, suggestion}})
    },
  )

  it('is shown with the place of each key, and its token masked', async () => {
    const cwd = folderWith(EXAMPLE)
    const {code, stdout, stderr} = await ucs(['config', 'show', 'prom-to-influx', '--config', 'etl.yaml', '--origin'], {cwd, env})
    expect({code, stderr}).toEqual({code: 0, stderr: ''})
    expect(stdout).toMatch(/^interval +300 +config file etl\.yaml:46:3$/m)
    expect(stdout).toMatch(/^token +\*\*\* +environment INFLUXDB_TOKEN$/m)
    expect(stdout).not.toContain('S3cret')
    expect(existsSync(join(cwd, 'logs'))).toBe(false)
  })

  it('is refused as long as it holds a placeholder, which a dry run does not mind', async () => {
    const cwd = folderWith('load:\n  influxdb:\n    token: your-token\nextract:\n  queries: {up: up}\n')
    const {code, stderr} = await ucs(['prom-to-influx', '--config', 'etl.yaml', '--once'], {cwd})
    expect(code).toBe(2)
    expect(stderr).toContain('error: etl.yaml:3:5: load.influxdb.token is still the placeholder\n')
    const nowhere = ['--prometheus-url', 'http://127.0.0.1:9', '--retry-for', '0']
    const dry = await ucs(['prom-to-influx', '--config', 'etl.yaml', '--once', '--dry-run', ...nowhere], {cwd})
    expect(dry.code).toBe(69)
  })

  it('is refused where nothing says what to ask for', async () => {
    const {code, stderr} = await ucs(['prom-to-influx', '--config', 'etl.yaml', '--once'], {cwd: folderWith('extract:\n')})
    expect(code).toBe(2)
    expect(stderr).toContain('error: etl.yaml: neither extract.queries nor transform.valid_metrics says what to ask for\n')
  })

  it('has no key without an effect but the format of its log, which the log says', async () => {
    const args = ['prom-to-influx', '--config', 'etl.yaml', '--once', '--dry-run', '--retry-for', '0', '--max-retries', '0']
    const everyKey = EXAMPLE.replaceAll(/^( +)# /gm, '$1')
    const {stderr} = await ucs([...args, '--prometheus-url', 'http://127.0.0.1:9'], {cwd: folderWith(everyKey), env})
    const ignored = stderr.split('\n').filter((line) => line.includes('config.ignored'))
    expect(ignored).toEqual([expect.stringContaining('the lines of the log have a form of their own')])
  })
})
