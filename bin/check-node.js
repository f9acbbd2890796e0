// Every npm script begins with this: `npm ci --ignore-scripts` leaves out the Node that the project brings along.
const version = process.versions.node.split('.').map(Number)
if (version[0] < 22 || (version[0] === 22 && version[1] < 19)) {
  console.error(
    'ucs needs Node.js 22.19 or newer, and this is ' +
      process.version +
      '. Run `npm ci` without --ignore-scripts, which installs Node 24 for this project, or install Node 22.19 or newer.',
  )
  process.exit(2)
}
