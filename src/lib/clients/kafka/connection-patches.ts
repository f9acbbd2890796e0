import type {Socket} from 'node:net'
import {createRequire} from 'node:module'
import {replaceModule} from './replace-module.ts'

const require = createRequire(import.meta.url)

interface Connection {
  socket: Socket | null
  disconnect(): Promise<boolean>
}

interface Broker {
  readonly brokerAddress: string
  readonly connectionPool: {readonly connectionTimeout: number; readonly pool: readonly Pick<Connection, 'socket'>[]}
  /** The first question to it. */
  apiVersions(): Promise<object>
}

interface BrokerPool {
  withBroker(ask: (broker: unknown) => Promise<unknown>): Promise<unknown>
}

interface RequestQueue {
  readonly pending: readonly unknown[]
  readonly throttledUntil: number
  throttleCheckTimeoutId: NodeJS.Timeout | null
  checkPendingRequests(): void
  scheduleCheckPendingRequests(): void
}

/** Faults in finding and keeping a broker. */
export function patchConnections(): void {
  stopIdleTimers()
  rememberFailures()
  forgetClosedSockets()
  passOverSilentBrokers()
}

/**
 * A timer per connection that fires every millisecond while nothing is pending, and a negative timeout that newer Nodes
 * warn of: https://github.com/tulios/kafkajs/issues/1751
 */
function stopIdleTimers(): void {
  const {prototype} = require('kafkajs/src/network/requestQueue') as {prototype: RequestQueue}
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length === 0 || this.throttleCheckTimeoutId) return
    // eslint-disable-next-line no-restricted-properties -- compared with what kafkajs took from the same clock
    const milliseconds = Math.max(10, this.throttledUntil - Date.now())
    // eslint-disable-next-line no-restricted-globals -- as kafkajs itself does
    this.throttleCheckTimeoutId = setTimeout(() => {
      this.throttleCheckTimeoutId = null
      this.checkPendingRequests()
    }, milliseconds)
  }
}

/**
 * When no broker answers a question as it should, it forgets why: a missing permission looks like a missing coordinator, and so does a
 * connection that broke, for which it gives up.
 */
function rememberFailures(): void {
  const {prototype} = require('kafkajs/src/cluster/brokerPool') as {prototype: BrokerPool}
  const withBroker = prototype.withBroker
  prototype.withBroker = async function (this: BrokerPool, ask) {
    let failure: unknown
    const answer = await withBroker.call(this, async (broker) => {
      try {
        return await ask(broker)
      } catch (error) {
        failure = error
        throw error
      }
    })
    if (answer === null && failure !== undefined) throw failure
    return answer
  }
}

/** Each time that it disconnects anew, it leaves a listener on a socket that is closed already, and Node warns of the eleventh. */
function forgetClosedSockets(): void {
  const {prototype} = require('kafkajs/src/network/connection') as {prototype: Connection}
  const disconnect = prototype.disconnect
  prototype.disconnect = function (this: Connection) {
    if (this.socket?.destroyed) this.socket = null
    return disconnect.call(this)
  }
}

/**
 * One that takes a connection and does not answer is waited for half a minute, counts as connected from then on, and is asked again for ever:
 * no other is tried in its place.
 */
function passOverSilentBrokers(): void {
  const {prototype} = require('kafkajs/src/broker') as {prototype: Broker}
  const {KafkaJSConnectionError} = require('kafkajs/src/errors') as typeof import('kafkajs')
  const {apiVersions} = prototype
  prototype.apiVersions = async function (this: Broker) {
    const {
      brokerAddress: broker,
      connectionPool: {connectionTimeout, pool},
    } = this
    const silence = Promise.withResolvers<never>()
    // eslint-disable-next-line no-restricted-globals -- as kafkajs itself does
    const timer = setTimeout(() => {
      const error = new KafkaJSConnectionError(`${broker} takes connections and does not answer`, {broker})
      silence.reject(error)
      for (const {socket} of pool) socket?.destroy(error) // to disconnect would be to wait for its answer
    }, connectionTimeout)
    try {
      const asking = apiVersions.call(this)
      asking.catch(() => {}) // it fails when the connection is cut
      return await Promise.race([asking, silence.promise])
    } finally {
      clearTimeout(timer)
    }
  }
}

interface PoolBuilder {
  build(destination?: {readonly host?: string; readonly port?: number; readonly rack?: string}): Promise<object>
}

/** An address is split at its first colon, so that of "[::1]:9092" a host "[" is left. */
export function findBracketedHosts(): void {
  const name = 'cluster/connectionPoolBuilder'
  const create = require(`kafkajs/src/${name}`) as (options: {readonly brokers: readonly string[]}) => PoolBuilder
  replaceModule(name, (options: Parameters<typeof create>[0]): PoolBuilder => {
    const builder = create(options)
    let turn = 0
    return {
      build(destination) {
        if (destination?.host !== undefined) return builder.build(destination)
        const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(options.brokers[turn++ % options.brokers.length]!)!
        return builder.build({host: host!, port: Number(port)})
      },
    }
  })
}
