#!/usr/bin/env -S node --
// Old Nodes read this file before anything else: until the version is known nothing is imported, and the syntax is one that they know.
const version = process.versions.node.split('.').map(Number)
if (version[0] > 22 || (version[0] === 22 && version[1] >= 19)) {
  import('../dist/lib/cli/run.js').then((cli) => cli.run())
} else {
  console.error('ucs needs Node.js 22.19 or newer, and this is ' + process.version + '. Install it from https://nodejs.org')
  process.exit(2)
}
