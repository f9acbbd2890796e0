// Batches that outlive a collection or two; then how large the space for new objects became, in bytes.
import {getHeapSpaceStatistics} from 'node:v8'
import {boundYoungGeneration} from '../../src/lib/runtime/young-generation.ts'

if (process.argv[2] === 'bounded') boundYoungGeneration()
const batches: object[][] = []
let largest = 0
for (let count = 0; count < 1000; count++) {
  batches[count % 20] = Array.from({length: 5000}, (_, index) => ({index, text: `${count}-${index}`}))
  largest = Math.max(largest, getHeapSpaceStatistics().find(({space_name: name}) => name === 'new_space')!.space_size)
  await new Promise(setImmediate)
}

console.log(largest)
