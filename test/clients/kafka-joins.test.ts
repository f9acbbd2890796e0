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
  let ids = 0
  const joinedAs: (string | null)[] = []
  const newGroup = () =>
    Object.assign(Object.create(prototype) as typeof prototype, {
      assigners: [{member}],
      memberId: null as string | null,
      async retrier(this: {memberId: string | null}) {
        joinedAs.push(this.memberId)
        this.memberId ??= `ucs-${++ids}`
      },
    })

  await newGroup().joinAndSync()
  const again = newGroup()
  await again.joinAndSync()
  expect(joinedAs).toEqual([null, 'ucs-1'])
  again.memberId = null // as kafkajs has it when the group does not know the member any more, and when it has left
  await again.joinAndSync()
  await newGroup().joinAndSync()
  expect(joinedAs).toEqual([null, 'ucs-1', null, 'ucs-2'])
})
