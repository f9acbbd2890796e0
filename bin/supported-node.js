// Old Nodes read this file before anything else, so it keeps to what all of them understand.

/** What to say where this Node is too old for ucs, or undefined. */
export function unsupportedNode(version) {
  const parts = version.replace(/^v/, '').split('.').map(Number)
  const isSupported = parts[0] > 22 || (parts[0] === 22 && parts[1] >= 19)
  return isSupported ? undefined : 'ucs needs Node.js 22.19 or newer, and this is ' + version
}
