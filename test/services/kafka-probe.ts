import {once} from 'node:events'
import {connect} from 'node:net'

/** What `ucs` is built for. */
const OLDEST_RELEASE = '4.1'
/** A broker does not name its release; this is the newest version of a fetch that 4.1 knows, and 4.0 does not. */
const NEWEST_FETCH = 18

const FETCH = 1
const METADATA = 3
const API_VERSIONS = 18
const ANSWER_MILLISECONDS = 3000

/** Rejects, with the reason, where there is no broker that the tests can use. */
export async function checkKafka(address: string): Promise<void> {
  const answer = await ask(address, API_VERSIONS)
  const supported = Array.from({length: answer.readInt32BE(2)}, (_, index) => 6 + index * 6)
  const fetch = supported.find((at) => answer.readInt16BE(at) === FETCH)
  if (fetch === undefined || answer.readInt16BE(fetch + 4) < NEWEST_FETCH) throw new Error(`is older than Kafka ${OLDEST_RELEASE}`)
}

/** Whether the controller has let the broker in, which is after its port opens. */
export async function hasBroker(address: string): Promise<boolean> {
  const noTopics = Buffer.alloc(4)
  const answer = await ask(address, METADATA, noTopics)
  return answer.readInt32BE(0) > 0
}

/**
 * One request of version 0 and its answer without their headers: https://kafka.apache.org/protocol.html
 * kafkajs would do, but it prints a warning on Node 24.
 */
async function ask(address: string, api: number, body = Buffer.alloc(0)): Promise<Buffer> {
  const [host, port] = address.split(/:(?=\d+$)/)
  if (!host || !port) throw new Error('is not host:port')
  const signal = AbortSignal.timeout(ANSWER_MILLISECONDS)
  const socket = connect({host, port: Number(port)})
  try {
    await once(socket, 'connect', {signal})
    socket.write(requestOf(api, body))
    let received = Buffer.alloc(0)
    while (received.length < 4 || received.length < 4 + received.readInt32BE(0)) {
      const [chunk] = (await once(socket, 'data', {signal})) as [Buffer]
      received = Buffer.concat([received, chunk])
    }

    return received.subarray(8)
  } finally {
    socket.destroy()
  }
}

/** Length, api, version 0, a number that the answer repeats, and no client's name. */
function requestOf(api: number, body: Buffer): Buffer {
  const header = Buffer.alloc(14)
  header.writeInt32BE(10 + body.length, 0)
  header.writeInt16BE(api, 4)
  header.writeInt16BE(-1, 12)
  return Buffer.concat([header, body])
}
