import {string as stringArg} from '@oclif/core/args'
import {BaseCommand} from '../lib/cli/base-command.ts'
import {integer, text, valueFlag} from '../lib/cli/flag.ts'
import {writeLines} from '../lib/cli/write-lines.ts'
import {UsageError} from '../lib/errors.ts'
import {sampleLines, SAMPLE_KINDS} from '../lib/jobs/sample-data.ts'

export default class Sample extends BaseCommand {
  static override summary = 'Print synthetic data in the format of a sensor or a SWaT export.'
  static override description = 'The same rows on every machine and in every run. None of them is from a real data set.'
  static override examples = [
    {
      description: 'Three devices in turn, 4000 rows each',
      command: '<%= config.bin %> <%= command.id %> sensors --rows 12000 > sensor_data.csv',
    },
    {
      description: 'A day of a water treatment plant',
      command: '<%= config.bin %> <%= command.id %> swat --rows 86400 --output swat.csv',
    },
  ]

  static override args = {kind: stringArg({description: SAMPLE_KINDS.join(' or '), required: true, ignoreStdin: true})}
  static override flags = {
    rows: valueFlag(integer({min: 1}), {summary: 'rows besides the header', fallback: '1000', value: 'N'}),
    seed: valueFlag(integer({min: 0, max: 2 ** 32 - 1}), {
      summary: 'another seed gives other values',
      fallback: '1',
      value: 'N',
    }),
    output: valueFlag(text, {summary: 'file to write; - is standard output', fallback: '-', value: 'FILE'}),
  }

  async run(): Promise<void> {
    const {values, args, report} = await this.start(Sample)
    const kind = SAMPLE_KINDS.find((candidate) => candidate === args['kind']?.toLowerCase())
    if (!kind) throw new UsageError(`KIND: expected ${SAMPLE_KINDS.join(' or ')}`)
    await writeLines(values.output, sampleLines(kind, values.rows, values.seed))
    report.own['rows'] = () => values.rows
    this.finish(values.output === '-' ? '' : `wrote ${values.rows} rows to ${values.output}`)
  }
}
