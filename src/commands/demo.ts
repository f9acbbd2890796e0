import {BaseCommand} from '../lib/cli/base-command.ts'
import {runDemo} from '../lib/cli/demo.ts'
import {integer, text, valueFlag} from '../lib/cli/flag.ts'

export default class Demo extends BaseCommand {
  static override summary = 'Run the whole sensor scenario without any server.'
  static override description = `Makes a synthetic CSV, sends its rows as events down a pipe, and stores them in the embedded ClickHouse engine.
Where the engine has no build for the machine, the events and their line protocol are left in files.`
  static override examples = [{description: 'Everything goes into .ucs-demo', command: '<%= config.bin %> <%= command.id %>'}]

  static override flags = {
    rows: valueFlag(integer({min: 3}), {summary: 'readings to make', fallback: '12000', value: 'N'}),
    output: valueFlag(text, {summary: 'folder for everything that it makes', fallback: '.ucs-demo', value: 'DIR'}),
  }

  async run(): Promise<void> {
    const {values, report} = await this.start(Demo)
    const result = await runDemo({
      folder: values.output,
      rows: values.rows,
      program: [process.execPath, process.argv[1]!],
      environment: process.env,
      name: process.env['npm_lifecycle_event'] === 'demo' ? 'npx ucs' : 'ucs',
      say: (line) => {
        if (!values.json && !values.quiet) this.print(line)
      },
      signal: new AbortController().signal,
    })
    report.own['engine'] = () => result.engine
    report.own['folder'] = () => result.folder
    if (result.ledger) report.ledger = result.ledger
    this.finish('')
  }
}
