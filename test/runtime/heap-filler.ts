// Batches of small records, or of large ones, that outlive a collection or two; then the most memory that V8 held for them, in bytes.
import {getHeapSpaceStatistics} from 'node:v8'
import {boundHeap} from '../../src/lib/runtime/heap.ts'

const [kind, isBounded] = process.argv.slice(2)
if (isBounded) boundHeap()
const ring: unknown[] = []
let largest = 0
for (let count = 0; count < (kind === 'small' ? 400 : 40); count++) {
  ring[count % (kind === 'small' ? 20 : 4)] = kind === 'small' ? smallRecords(count) : largeRecord(count)
  largest = Math.max(largest, kind === 'small' ? spaceForNewObjects() : process.memoryUsage().heapTotal + process.memoryUsage().external)
  await new Promise(setImmediate)
}

console.log(largest)

function smallRecords(seed: number): unknown {
  return Array.from({length: 5000}, (_, index) => ({index, text: `${seed}-${index}`}))
}

/** As a message of 1 MB: its bytes, its text, and what was read of it. */
function largeRecord(seed: number): unknown {
  const text = JSON.stringify(Array.from({length: 50_000}, (_, index) => `${seed}-${index}`))
  return {bytes: Buffer.from(text), texts: JSON.parse(text) as unknown}
}

function spaceForNewObjects(): number {
  return getHeapSpaceStatistics().find(({space_name: name}) => name === 'new_space')!.space_size
}
