import {once} from 'node:events'
import {type AddressInfo, connect, createServer, type Socket} from 'node:net'

/** What may be done to every connection, those that are open included. */
export type TcpFault = 'cut' | 'hang' | 'drip'

/** Stands before a server of any protocol. */
export interface TcpProxy {
  readonly port: number
  setFault(fault: TcpFault | undefined): void
  close(): Promise<void>
}

const DRIP_BYTES = 512
const DRIP_MILLISECONDS = 20

/** Each side of a connection closes when the other does. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const open = new Set<Socket>()
  let fault: TcpFault | undefined
  let changed = Promise.withResolvers<undefined>()
  const server = createServer((client) => {
    if (fault === 'cut') {
      client.destroy()
      return
    }

    const upstream = connect(targetPort, '127.0.0.1')
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(from)
      from.on('error', () => {}) // it closes, and that is seen
      from.once('close', () => {
        open.delete(from)
        to.destroy()
      })
      void carry(from, to).catch(() => to.destroy())
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  return {
    port: (server.address() as AddressInfo).port,
    setFault(next) {
      fault = next
      if (fault === 'cut') for (const socket of open) socket.destroy()
      changed.resolve(undefined)
      changed = Promise.withResolvers()
    },
    async close() {
      server.close()
      for (const socket of open) socket.destroy()
    },
  }

  async function carry(from: Socket, to: Socket): Promise<void> {
    for await (const data of from as AsyncIterable<Buffer>) {
      for (let sent = 0; sent < data.length;) {
        while (fault === 'hang') await changed.promise
        const piece = fault === 'drip' ? data.subarray(sent, sent + DRIP_BYTES) : data.subarray(sent)
        if (!to.write(piece)) await Promise.race([once(to, 'drain'), once(to, 'close')])
        sent += piece.length
        if (fault === 'drip') await Promise.race([changed.promise, new Promise((resolve) => setTimeout(resolve, DRIP_MILLISECONDS))])
      }
    }

    to.end()
  }
}
