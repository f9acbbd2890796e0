import {createRequire} from 'node:module'
import {expect, test} from 'vitest'
import {loadKafkaJs} from '../../src/lib/clients/kafka/connection.ts'

const require = createRequire(import.meta.url)

test('brokers are tried in turn, and one with an address of IPv6 is found at it', async () => {
  await loadKafkaJs()
  const create = require('kafkajs/src/cluster/connectionPoolBuilder') as (options: object) => {
    build(): Promise<{readonly host: string; readonly port: number}>
  }
  const brokers = ['[::1]:9093', 'one:9092', '127.0.0.1:9094']
  const builder = create({brokers, logger: {namespace: () => ({})}})
  const places = []
  for (let turn = 0; turn < 4; turn++) places.push(await builder.build())
  expect(places.map(({host, port}) => [host, port])).toEqual([
    ['::1', 9093],
    ['one', 9092],
    ['127.0.0.1', 9094],
    ['::1', 9093],
  ])
})
