import {randomInt} from 'node:crypto'
import {once} from 'node:events'
import {createServer} from 'node:net'

/**
 * Below the ports that systems hand out to outgoing connections: a client that keeps trying while its server restarts
 * would sooner or later get the server's own port, and then connect to itself.
 */
const FIRST_PORT = 20_000
const LAST_PORT = 29_999

/** Different ports of 127.0.0.1 on which nobody listens. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const ports = new Set<number>()
  while (ports.size < count) {
    const port = randomInt(FIRST_PORT, LAST_PORT + 1)
    if (await isFree(port)) ports.add(port)
  }

  return [...ports]
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen({port, host: '127.0.0.1', exclusive: true})
  try {
    await once(server, 'listening')
  } catch {
    return false
  }

  server.close()
  await once(server, 'close')
  return true
}
