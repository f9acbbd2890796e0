#!/usr/bin/env node
import {unsupportedNode} from './supported-node.js'

const problem = unsupportedNode(process.version)
if (problem) {
  console.error(problem + '. Install it from https://nodejs.org')
  process.exit(2)
} else {
  import('../dist/lib/cli/run.js').then((cli) => cli.run(import.meta.url))
}
