import {createRequire} from 'node:module'

const require = createRequire(import.meta.url)

/** Puts another in the place of one of kafkajs's modules, for those that are loaded later. */
export function replaceModule(name: string, replacement: unknown): void {
  const path = require.resolve(`kafkajs/src/${name}`)
  require(path)
  require.cache[path]!.exports = replacement
}
