import {readFileSync, writeFileSync} from 'node:fs'
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
})
