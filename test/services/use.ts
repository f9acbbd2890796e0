import {describe, inject, test} from 'vitest'
import type {Addresses, ServiceName} from './locate.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Of the services that all test files share; one that is missing is left out. */
    addresses: Partial<Addresses>
    /** Of which a test may start one of its own. */
    installed: readonly ServiceName[]
  }
}

type Suite = (name: string, body: () => void) => void

/** `describe` when all of these are there. It is also how the run knows which servers a test file needs: name them literally. */
export const describeWith = (...names: readonly ServiceName[]): Suite =>
  suiteThatNeeds(names.filter((name) => !(name in inject('addresses'))))

/** The same for tests that start servers of their own, to configure, restart or kill them. */
export const describeWithOwn = (...names: readonly ServiceName[]): Suite =>
  suiteThatNeeds(names.filter((name) => !inject('installed').includes(name)))

/** Its topics are shared by all test files: use names of your own. */
export const useKafka = () => use('kafka')

/** Its buckets are shared by all test files: use names of your own. */
export const useInflux = () => use('influx')

export const usePrometheus = () => use('prometheus')

function use<Name extends ServiceName>(name: Name): Addresses[Name] {
  const address = inject('addresses')[name]
  if (!address) throw new Error(`${name} was not started: put this into describeWith('${name}')`)
  return address
}

/** The body of a suite that is skipped does not run, so it may use what is missing. */
function suiteThatNeeds(missing: readonly ServiceName[]): Suite {
  if (missing.length === 0) return describe
  return (name) => {
    // eslint-disable-next-line vitest/no-disabled-tests -- the run ends with a line that says so, or fails if it must not
    describe.skip(name, () => test(`needs ${missing.join(' and ')}`, () => {}))
  }
}
