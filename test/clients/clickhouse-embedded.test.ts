import {execFile} from 'node:child_process'
import {promisify} from 'node:util'
import {describe, expect, it} from 'vitest'
import {blameDisk} from '../../src/lib/clients/clickhouse-embedded.ts'
import {ClickHouseRefusal} from '../../src/lib/clients/clickhouse.ts'
import {UnavailableError} from '../../src/lib/errors.ts'

const MODULE = new URL('../../src/lib/clients/clickhouse-embedded.ts', import.meta.url).href

describe('the embedded engine', () => {
  it('is optional: without its package, says how to get it', async () => {
    expect(await openWithout({code: 'ERR_MODULE_NOT_FOUND', message: "Cannot find package 'chdb'"})).toEqual({
      name: 'UsageError',
      exitCode: 2,
      message: 'the embedded engine is not installed',
      suggestion: 'npm install chdb@3.4.0, with --global where ucs is installed so',
    })
  })

  it('is not for every machine: where it has no build, says so and what else there is', async () => {
    const {platform, arch} = process
    expect(await openWithout({code: 'ERR_DLOPEN_FAILED', message: 'no build for this platform\nstack'})).toEqual({
      name: 'UsageError',
      exitCode: 2,
      message: `the embedded engine does not run on ${platform}-${arch}: no build for this platform`,
      suggestion: 'Use a ClickHouse server: --clickhouse-url',
    })
  })
})

describe('a fault of the disk', () => {
  const blame = (error: Error) => {
    try {
      return blameDisk('/data/engine')(error)
    } catch (cause) {
      return cause as Error
    }
  }

  it.each([
    '/data/engine: Cannot reserve 1.00 MiB, not enough space. ',
    '/data/engine: No space left on device',
    '/data/engine: Read-only file system',
  ])('is one of this machine and not of a server: %s', (message) => {
    const suggestion = 'Make room where /data/engine is, mend its rights, or name another folder with --embedded'
    expect(blame(new UnavailableError(message))).toMatchObject({name: 'IoError', exitCode: 74, message: message.trim(), suggestion})
  })

  it.each([
    new ClickHouseRefusal("cannot parse 'no space left'", 0, {cause: undefined}),
    new UnavailableError('Memory limit exceeded'),
    new Error('no space left'),
  ])('is nothing else: $message', (error) => {
    expect(blame(error)).toBe(error)
  })
})

/** In a process of its own that cannot load the engine's package. */
async function openWithout(failure: {code: string; message: string}): Promise<unknown> {
  const script = `
    const {registerHooks} = await import('node:module')
    registerHooks({
      resolve(specifier, context, next) {
        if (!/^chdb(\\/|$)/.test(specifier)) return next(specifier, context)
        throw Object.assign(new Error(${JSON.stringify(failure.message)}), {code: ${JSON.stringify(failure.code)}})
      },
    })
    const {openEmbeddedClickHouse} = await import(${JSON.stringify(MODULE)})
    await openEmbeddedClickHouse('never-made').catch(({name, exitCode, message, suggestion}) =>
      process.stdout.write(JSON.stringify({name, exitCode, message, suggestion})))`
  const {stdout} = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script])
  return JSON.parse(stdout)
}
