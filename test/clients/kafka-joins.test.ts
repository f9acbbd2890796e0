import {createRequire} from 'node:module'
import {expect, test} from 'vitest'
import {loadKafkaJs} from '../../src/lib/clients/kafka/connection.ts'

const require = createRequire(import.meta.url)

test('two loops that hear of a rebalance join once, and the second does not pass while the first waits for its writes', async () => {
  await loadKafkaJs()
  const {prototype} = require('kafkajs/src/consumer/consumerGroup') as {prototype: {joinAndSync(): Promise<void>}}
  const calls: string[] = []
  const written = Promise.withResolvers<undefined>()
  const beforeJoin = () => {
    calls.push('waits')
    return written.promise
  }

  const findGroupCoordinator = async () => {
    calls.push('joins')
    throw new Error('no coordinator')
  }

  const retrier = (work: (bail: (error: Error) => never) => Promise<void>) =>
    work((error) => {
      throw error
    })
  const group = Object.assign(Object.create(prototype) as typeof prototype, {
    assigners: [{beforeJoin}],
    cluster: {findGroupCoordinator},
    retrier,
  })

  const joins = [group.joinAndSync(), group.joinAndSync()]
  await new Promise(setImmediate)
  expect(calls).toEqual(['waits'])
  written.resolve(undefined)
  for (const join of joins) await expect(join).rejects.toThrow('no coordinator')
  expect(calls).toEqual(['waits', 'joins'])
  await expect(group.joinAndSync()).rejects.toThrow('no coordinator')
  expect(calls).toEqual(['waits', 'joins', 'waits', 'joins'])
})

test('who comes back after a broken connection comes as the member that the group knows', async () => {
  await loadKafkaJs()
  const {prototype} = require('kafkajs/src/consumer/consumerGroup') as {prototype: {joinAndSync(): Promise<void>}}
  const member = {id: null}
  const joinedAs: (string | null)[] = []
  const newGroup = () =>
    Object.assign(Object.create(prototype) as typeof prototype, {
      assigners: [{member}],
      memberId: null as string | null,
      async retrier(this: {memberId: string | null}) {
        joinedAs.push(this.memberId)
        this.memberId ??= 'ucs-1'
      },
    })

  await newGroup().joinAndSync()
  await newGroup().joinAndSync()
  expect(joinedAs).toEqual([null, 'ucs-1'])
})
