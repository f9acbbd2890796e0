import {createFileCheckpoint} from '../../src/lib/runtime/checkpoint.ts'

/** Saves one cursor after the other until it is killed, and prints the number of each when it is durable. */
const [folder, padding] = process.argv.slice(2) as [string, string]
const checkpoint = createFileCheckpoint(folder)
for (let number = 1; ; number++) {
  await checkpoint.save('cursor', `${number} ${'x'.repeat(Number(padding))}`)
  process.stdout.write(`${number}\n`)
}
