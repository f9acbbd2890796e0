import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import type {Bench} from './bench.ts'
import {sampleLines} from '../src/lib/jobs/sample-data.ts'
import {interleaved, median, row, timed} from './measure.ts'

const ROWS = Number(process.env['ROWS'] ?? 200_000)
const ROUNDS = Number(process.env['ROUNDS'] ?? 3)

/** Sensor rows of a CSV to a topic, without a pause, beside a producer as the seeds have it: kafka-python, one send a row. */
export async function benchProduce({kafka, python}: Bench): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'ucs-bench-'))
  const file = join(folder, 'sensors.csv')
  await writeFile(file, [...sampleLines('sensors', ROWS, 1)].flat().join('\n'))
  const topic = (name: string, round: number) => `bench-produce-${name}-${round}-${Date.now()}`
  const flags = ['--file', file, '--device', 'all', '--rows', 'all', '--pause', '0', '--broker', kafka]

  const results = await interleaved(ROUNDS, {
    'ucs produce': (round) => timed([process.execPath, 'bin/run.js', 'produce', ...flags, '--topic', topic('ucs', round)]),
    ...(python ? {'kafka-python': (round: number) => timed([python, 'bench/peers/produce.py', file, kafka, topic('python', round)])} : {}),
  })
  const seconds = (name: string) => median(results[name]!.map((run) => run.seconds))
  row(['', 'seconds', 'messages/s', 'peak MB'])
  for (const [name, runs] of Object.entries(results)) {
    if (runs.some(({exitCode}) => exitCode !== 0)) throw new Error(runs.map(({output}) => output).join('\n'))
    row([name, seconds(name).toFixed(2), Math.round(ROWS / seconds(name)), Math.round(median(runs.map((run) => run.peakMegabytes)))])
  }

  if (python) row(['ucs against kafka-python', `${(seconds('kafka-python') / seconds('ucs produce')).toFixed(2)} ×`])
  await rm(folder, {recursive: true})
}
