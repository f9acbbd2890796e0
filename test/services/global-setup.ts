import {delimiter, dirname} from 'node:path'
import {styleText} from 'node:util'
import type {TestProject} from 'vitest/node'
import {type Addresses, locate, type Located, type ServiceName, SERVICES} from './locate.ts'
import {needsOf} from './needs.ts'
import './use.ts' // declares what is provided

const NAMES = Object.keys(SERVICES) as ServiceName[]

/** Before the integration tests: gets the servers that the test files of this run need, each once and all at a time. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  putThisNodeFirst()
  const {shared, own} = await needsOf(project.vitest.state.getPaths())
  // While watching, a test file may come to need another server.
  const wanted = NAMES.filter((name) => shared.has(name) || project.vitest.config.watch)
  const located = await Promise.all(wanted.map(tryToLocate))
  const installed = NAMES.filter((name) => SERVICES[name].isInstalled())

  const untested = NAMES.flatMap((name) => {
    const reason = located.find((attempt) => attempt.name === name)?.reason
    const withoutShared = reason === undefined ? [] : (shared.get(name) ?? [])
    const withoutOwn = installed.includes(name) ? [] : (own.get(name) ?? [])
    const files = new Set([...withoutShared, ...withoutOwn])
    return files.size === 0 ? [] : [untestedLine(name, files, reason ?? 'not installed, as tests need it that start their own')]
  })
  const stopAll = () => Promise.all(located.map(async ({found}) => found?.stop()))
  if (untested.length > 0 && process.env.UCS_TEST_SERVICES === 'required') {
    await stopAll()
    throw new Error(['UCS_TEST_SERVICES=required', ...untested].join('\n'))
  }

  const addresses = located.flatMap(({name, found}) => (found ? [[name, found.address]] : []))
  project.provide('addresses', Object.fromEntries(addresses) as Partial<Addresses>)
  project.provide('installed', installed)
  return async () => {
    await stopAll()
    for (const line of untested) process.stderr.write(`${styleText('red', line, {stream: process.stderr})}\n`)
  }
}

/** Tests start `node` by its name too, and that is to be this one. The workers inherit the environment. */
function putThisNodeFirst(): void {
  process.env.PATH = [dirname(process.execPath), process.env.PATH].join(delimiter)
}

interface Attempt {
  readonly name: ServiceName
  readonly found?: Located<object>
  readonly reason?: string
}

async function tryToLocate(name: ServiceName): Promise<Attempt> {
  try {
    return {name, found: await locate(name, process.env)}
  } catch (error) {
    return {name, reason: (error as Error).message}
  }
}

function untestedLine(name: ServiceName, files: ReadonlySet<string>, reason: string): string {
  const {label, remedy} = SERVICES[name]
  return `NOT TESTED with ${label}: ${[...files].join(', ')} (${reason.slice(0, 300).replaceAll('\n', ' | ')}). To get it: ${remedy}`
}
