import {BaseCommand} from '../../lib/cli/base-command.ts'
import {collectFlags} from '../../lib/cli/collect-flags.ts'
import {refuseDifferences, verify} from '../../lib/cli/collect-verify.ts'
import {someDuration, valueFlag} from '../../lib/cli/flag.ts'
import {generalFlags} from '../../lib/cli/flags.ts'
import {retryPolicy} from '../../lib/cli/stream.ts'
import {formatTable} from '../../lib/cli/table.ts'
import {systemClock} from '../../lib/runtime/clock.ts'

export default class CollectVerify extends BaseCommand {
  static override summary = 'Compare what was collected with what the servers have.'
  static override description = `Counts the points of each field of each series on both sides, over the last of what is collected, and prints those that differ.
Takes the flags and variables of collect as well. Reads only; may run beside a collect.`
  static override examples = [
    {description: 'The last hour', command: '<%= config.bin %> <%= command.id %>'},
    {description: 'The last day, for a script', command: '<%= config.bin %> <%= command.id %> --config collect.yaml --window 24h --json'},
  ]

  static override flags = {
    window: valueFlag(someDuration, {summary: 'how much to compare', fallback: '1h', value: 'D'}),
  }

  async run(): Promise<void> {
    const {values: own, log, report} = await this.start(CollectVerify, collectFlags)
    const resolved = await this.resolve({...generalFlags, ...collectFlags}, 'collect')
    const {signal} = new AbortController()
    const policy = retryPolicy({isEndless: false, retryForMilliseconds: resolved.values['retry-for']})
    const runtime = {stop: signal, abort: signal, clock: systemClock, random: Math.random, log}
    const jobs = await verify({...resolved, log}, own.window, policy, runtime)
    report.own['jobs'] = () => jobs
    const rows = jobs.flatMap(({job, differences}) =>
      differences.map(({field, source, central}) => [job, field.slice(0, -1), String(source), String(central), String(central - source)]),
    )
    if (!own.json && rows.length > 0) this.print(await formatTable(['query', 'field', 'source', 'central', 'difference'], rows, [2, 3, 4]))
    refuseDifferences(jobs)
    const points = jobs.reduce((sum, each) => sum + each.points, 0)
    this.finish(`${points} points of ${jobs.reduce((sum, {series}) => sum + series, 0)} fields are the same on both sides`)
  }
}
