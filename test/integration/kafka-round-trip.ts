import {createKafkaProducer} from '../../src/lib/clients/kafka/producer.ts'
import {systemClock} from '../../src/lib/runtime/clock.ts'
import {silentLogger} from '../fakes/logger.ts'
import {plainSettings, readToEnd} from './kafka-member.ts'

/* Run as a process of its own, which has to end without being told to. */

const [address, topic] = process.argv.slice(2) as [string, string]
const settings = plainSettings(address)
const producer = createKafkaProducer(settings, {topic, clock: systemClock, log: silentLogger})
await producer.connect(new AbortController().signal)
await producer.send(Array.from({length: 1000}, (_, index) => ({key: null, value: String(index)})))
await producer.close()
const hasty = createKafkaProducer(settings, {topic, clock: systemClock, log: silentLogger})
void hasty.send([]).catch(() => {})
await hasty.close() // before it is connected
const {values} = await readToEnd({settings, topic})
const {messages} = await readToEnd({settings, topic})
process.stdout.write(`read ${values.length}, ${1000 - messages.length} committed\n`)
