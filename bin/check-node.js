// Every npm script begins with this: `npm ci --ignore-scripts` leaves out the Node that the project brings along.
import {unsupportedNode} from './supported-node.js'

const problem = unsupportedNode(process.version)
if (problem) {
  console.error(
    problem + '. Run `npm ci` without --ignore-scripts, which installs Node 24 for this project, or install Node 22.19 or newer.',
  )
  process.exit(2)
}
