import {spawnSync} from 'node:child_process'
import {readFileSync} from 'node:fs'
import {fileURLToPath} from 'node:url'
import {describe, expect, it} from 'vitest'

const bin = (name: string) => fileURLToPath(new URL(`../../bin/${name}`, import.meta.url))

/** As if another Node ran it; the syntax of old ones is not tested by this. */
function runBy(version: string, script: string, args: readonly string[] = []) {
  const pretended = `Object.defineProperty(process,"versions",{value:{...process.versions,node:"${version}"}})`
  const {status, stdout, stderr} = spawnSync(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(pretended)}`, bin(script), ...args],
    {
      encoding: 'utf8',
    },
  )
  return {status, stdout, stderr}
}

describe.each(['10.24.1', '20.20.2', '22.18.9'])('under Node %s', (version) => {
  it('ucs prints one line that names what it needs, and exits 2', () => {
    const {status, stdout, stderr} = runBy(version, 'run.js', ['--version'])
    expect({status, stdout}).toEqual({status: 2, stdout: ''})
    expect(stderr).toMatch(/^ucs needs Node\.js 22\.19 or newer, .*\n$/)
  })

  it('an npm script names the remedy, and exits 2', () => {
    const {status, stderr} = runBy(version, 'check-node.js')
    expect(status).toBe(2)
    expect(stderr).toContain('Run `npm ci` without --ignore-scripts')
  })
})

describe.each(['22.19.0', '24.0.0', '26.10.0'])('under Node %s', (version) => {
  it('both go on', () => {
    expect(runBy(version, 'run.js', ['--version'])).toMatchObject({status: 0, stderr: ''})
    expect(runBy(version, 'check-node.js')).toMatchObject({status: 0, stderr: ''})
  })
})

it('every npm script checks which Node runs it, itself or through another', () => {
  const {scripts, engines} = JSON.parse(readFileSync(bin('../package.json'), 'utf8')) as {
    scripts: Record<string, string>
    engines: {node: string}
  }
  for (const [name, script] of Object.entries(scripts))
    expect(script, name).toMatch(/^(node bin\/check-node\.js && |npm run build( && |$))/)
  expect(engines.node).toBe('>=22.19')
})
