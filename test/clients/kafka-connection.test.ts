import {describe, expect, it} from 'vitest'
import {loadKafkaJs, parseBrokers} from '../../src/lib/clients/kafka/connection.ts'
import {decidingOnce, rememberingKeys} from '../../src/lib/clients/kafka/partitioner.ts'
import {UsageError} from '../../src/lib/errors.ts'

describe('brokers', () => {
  it.each([
    {text: 'kafka:9092', brokers: ['kafka:9092']},
    {text: 'kafka', brokers: ['kafka:9092']},
    {text: ' a:1 , b ,, c:3,', brokers: ['a:1', 'b:9092', 'c:3']},
  ])('of "$text" are $brokers', ({text, brokers}) => {
    expect(parseBrokers(text)).toEqual(brokers)
  })

  it.each(['', ' ', ',,'])('are missing in "%s"', (text) => {
    expect(() => parseBrokers(text)).toThrow(UsageError)
  })
})

describe('the partition of a key', () => {
  const partitions = (count: number) =>
    Array.from({length: count}, (_, partitionId) => ({partitionId, leader: 0, partitionErrorCode: 0, replicas: [], isr: []}))

  it("is that of kafkajs's partitioner, whatever was asked before", async () => {
    const {Partitioners} = await loadKafkaJs()
    const [ours, theirs] = [rememberingKeys(Partitioners.DefaultPartitioner)(), Partitioners.DefaultPartitioner()]
    for (const topic of ['t', 'u']) {
      for (const count of [1, 3, 7]) {
        for (let key = 0; key < 300; key++) {
          const args = {topic, partitionMetadata: partitions(count), message: {key: String(key % 150), value: ''}}
          expect(ours(args)).toBe(theirs(args))
        }
      }
    }
  })

  it('is worked out once for each key, and no more than 10,000 are remembered', () => {
    let calls = 0
    const partitioner = rememberingKeys(() => () => calls++)()
    const ask = (key: string) => partitioner({topic: 't', partitionMetadata: partitions(1), message: {key, value: ''}})
    for (let round = 0; round < 3; round++) for (let key = 0; key < 10_000; key++) ask(String(key))
    expect(calls).toBe(10_000)
    ask('one more')
    ask('0')
    expect(calls).toBe(10_002)
  })

  it('is asked for each time where there is no key of text', () => {
    let calls = 0
    const partitioner = rememberingKeys(() => () => calls++)()
    for (const key of [null, null, Buffer.from('k'), Buffer.from('k')])
      partitioner({topic: 't', partitionMetadata: partitions(1), message: {key, value: ''}})
    expect(calls).toBe(4)
  })

  it('is decided once for each message, and noted in it', () => {
    let calls = 0
    const partitioner = decidingOnce(() => () => calls++)()
    const [one, other] = [
      {value: '', key: null},
      {value: '', key: null},
    ]
    const asked = [one, other, one, other].map((message) => partitioner({topic: 't', partitionMetadata: partitions(4), message}))
    expect(asked).toEqual([0, 1, 0, 1])
    expect([one, other]).toMatchObject([{partition: 0}, {partition: 1}])
  })
})
