import {BaseCommand} from '../lib/cli/base-command.ts'
import {openDeadLetters} from '../lib/cli/dead-letters.ts'
import {continuation, openEvents, openEventSink, rawRow, warnOfNoRows} from '../lib/cli/events.ts'
import {deliveryFlags, dryRunFlag, kafkaFlags} from '../lib/cli/flags.ts'
import {eventBatchFlags, produceFlags} from '../lib/cli/produce-flags.ts'
import {runStream, streamOptions} from '../lib/cli/stream.ts'

export default class Produce extends BaseCommand {
  static override summary = 'Send the rows of a CSV to a Kafka topic as JSON events.'
  static override description = `Rows of a device are sent in ascending order of time, each acknowledged by all replicas in sync.
Where no broker can be reached at the start, the events are printed instead (--no-dry-run-fallback makes that an error).`
  static override examples = [
    {
      description: 'Device A, 4000 rows, five a second',
      command: '<%= config.bin %> <%= command.id %> --device A --rows 4000',
    },
    {
      description: 'A SWaT export, as fast as it goes',
      command: '<%= config.bin %> <%= command.id %> --preset swat --file swat.csv --rows all --pause 0',
    },
    {description: 'Look at the first events', command: '<%= config.bin %> <%= command.id %> --device all --dry-run'},
  ]

  static override flags = {
    ...produceFlags,
    ...dryRunFlag,
    ...kafkaFlags,
    ...eventBatchFlags,
    ...deliveryFlags('produce'),
  }

  async run(): Promise<void> {
    const session = await this.start(Produce)
    const {values, given, report, log} = session
    report.own['sent'] = () => report.ledger?.written ?? 0
    const command = this.commandName()
    await runStream(session, streamOptions(command, values, false), async (runtime) => {
      const events = await openEvents(values, runtime)
      report.own['observations'] = () => events.observations.counts
      const sink = await openEventSink(values, given, runtime)
      const isDryRun = sink.prints === true
      const letters = await openDeadLetters(values, given, {command, source: events.source, raw: rawRow, isDryRun}, runtime)
      const leftover = () => (report.ledger ? continuation(report.ledger, values, events.total()) : '')
      return {...events, ...letters, sink, leftover}
    })
    if (report.ledger?.read === 0) warnOfNoRows(values, log)
    this.finish()
  }
}
