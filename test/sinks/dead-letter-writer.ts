import {DataError} from '../../src/lib/errors.ts'
import {acquireLock} from '../../src/lib/runtime/lock.ts'
import {createDeadLetterFile} from '../../src/lib/sinks/dead-letter-file.ts'

/* A process of its own: puts letters of these sizes, one after the other, and prints what became of each. */

const [path, ...sizes] = process.argv.slice(2)
const file = createDeadLetterFile({
  path: path!,
  command: 'test',
  describe: ({offset}) => `t/0/${offset}`,
  raw: (value) => ({value: Buffer.from(value as string), key: null, headers: undefined, timestamp: undefined}),
  now: () => Date.now(),
  maxBytes: 1e9,
  acquireLock,
})
const outcomes: string[] = []
for (const [index, size] of sizes.entries()) {
  const message = {value: 'x'.repeat(Number(size)), position: {partition: 't/0@1', offset: BigInt(index)}, bytes: 1}
  const outcome = file.put([{message, error: new DataError('bad', 'bad value')}]).then(
    () => 'stored',
    ({name}: Error) => name,
  )
  outcomes.push(await outcome)
}

await file.close()
process.stdout.write(JSON.stringify(outcomes))
