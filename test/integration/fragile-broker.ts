import {once} from 'node:events'
import {type AddressInfo, connect, createServer, type Socket} from 'node:net'
import {startKafka} from '../services/kafka.ts'

/** A broker of a test's own that can be lost and come back at a chosen moment. */
export interface FragileBroker {
  readonly address: string
  /**
   * Loses it at the so-many-th answer to a producer from now on: the client gets that answer and nothing after it, or not
   * even that. Resolves when it is lost.
   */
  loseAt(answer: number, which: 'with the answer' | 'after the answer'): Promise<void>
  /** Resolves when a client has tried in vain to reach it. */
  knocked(): Promise<void>
  comeBack(): void
  stop(): Promise<void>
}

const PRODUCE = 0

/** The broker tells its clients the address of a proxy, so that every connection goes through it. */
export async function startFragileBroker(): Promise<FragileBroker> {
  const connections = new Set<Socket>()
  let isLost = false
  let noteKnock = () => {}
  let plan: {left: number; losesAnswer: boolean; done(): void} | undefined
  let target = {host: '', port: 0}

  const proxy = createServer((client) => {
    if (isLost) {
      noteKnock()
      return client.destroy()
    }

    const broker = connect(target)
    let api = -1
    for (const [socket, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      connections.add(socket)
      socket.on('error', () => {}) // a broken connection is what this is for
      socket.on('close', () => {
        connections.delete(socket)
        other.destroy()
      })
    }

    client.on('data', (request) => {
      api = request.readInt16BE(4)
      broker.write(request)
    })
    broker.on('data', (answer) => {
      const isLast = api === PRODUCE && plan !== undefined && --plan.left === 0
      if (!(isLast && plan!.losesAnswer)) client.write(answer)
      if (isLast) lose()
    })
  })

  function lose(): void {
    isLost = true
    for (const socket of connections) socket.end() // what was written still arrives
    plan!.done()
    plan = undefined
  }

  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const address = `127.0.0.1:${(proxy.address() as AddressInfo).port}`
  const kafka = await startKafka({settings: {'advertised.listeners': `PLAINTEXT://${address}`}})
  const [host, port] = kafka.address.split(':') as [string, string]
  target = {host, port: Number(port)}

  return {
    address,
    loseAt(answer, which) {
      const {promise, resolve} = Promise.withResolvers<undefined>()
      plan = {left: answer, losesAnswer: which === 'with the answer', done: () => resolve(undefined)}
      return promise
    },
    knocked: () => new Promise((resolve) => (noteKnock = resolve)),
    comeBack() {
      isLost = false
    },
    async stop() {
      proxy.close()
      for (const socket of connections) socket.destroy()
      await kafka.stop()
    },
  }
}
