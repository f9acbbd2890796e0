import {once} from 'node:events'
import {setTimeout as sleep} from 'node:timers/promises'
import type {Treatment} from './http-proxy.ts'

const DRIP_MILLISECONDS = 40

export const passOn: Treatment = async ({response, pass}) => {
  const {status, headers, body} = await pass()
  response.writeHead(status, headers).end(body)
}

/** In the server's place, which does not hear of it. */
export const answerWith =
  (status: number, body = '', headers: Readonly<Record<string, string>> = {}): Treatment =>
  async ({response}) => {
    response.writeHead(status, headers).end(body)
  }

/** Not before this time is over: 50 for a server that is far away. */
export const delayed =
  (milliseconds: number, treatment: Treatment = passOn): Treatment =>
  async (exchange) => {
    await sleep(milliseconds)
    await treatment(exchange)
  }

/** Does not answer for as long as the client waits. */
export const hang: Treatment = async ({response}) => {
  if (!response.closed) await once(response, 'close')
}

/** Cuts the connection, and the server does not hear of it. */
export const tearBeforeWrite: Treatment = async ({response}) => {
  response.destroy()
}

/** Cuts the connection in the place of an answer: the server has done what it was asked. */
export const tearAfterWrite: Treatment = async ({response, pass}) => {
  await pass()
  response.destroy()
}

/** Sends the answer a byte at a time, and the rest at once when that is over. */
export const drip =
  (isDripping: () => boolean): Treatment =>
  async ({response, pass}) => {
    const {status, headers, body} = await pass()
    response.writeHead(status, headers)
    response.flushHeaders()
    let sent = 0
    for (; sent < body.length && isDripping(); sent++) {
      response.write(body.subarray(sent, sent + 1))
      await sleep(DRIP_MILLISECONDS)
    }

    response.end(body.subarray(sent))
  }
