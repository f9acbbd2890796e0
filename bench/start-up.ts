import {interleaved, median, row, timed} from './measure.ts'

const ROUNDS = 20

/** How long `ucs --version` takes, in times of a Node that does nothing. */
export async function benchStartUp(): Promise<void> {
  const results = await interleaved(ROUNDS, {
    'node -e 0': () => timed([process.execPath, '-e', '0']),
    'ucs --version': () => timed([process.execPath, 'bin/run.js', '--version']),
    'ucs produce --help': () => timed([process.execPath, 'bin/run.js', 'produce', '--help']),
  })
  const seconds = (name: string) => median(results[name]!.map((run) => run.seconds))
  row(['', 'milliseconds', '× node'])
  for (const name of Object.keys(results)) row([name, (seconds(name) * 1000).toFixed(0), (seconds(name) / seconds('node -e 0')).toFixed(2)])
}
