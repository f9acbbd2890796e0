import {once} from 'node:events'
import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'

/** Takes every write as InfluxDB does, keeps nothing, and is in no hurry. */
export async function startSlowServer(milliseconds: number): Promise<{readonly url: string; close(): Promise<void>}> {
  const server = createServer((request, response) => {
    request.resume().once('end', () => setTimeout(() => response.writeHead(204).end(), milliseconds))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
