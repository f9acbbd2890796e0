import type {CsvRecord} from '../lib/sources/csv-records.ts'
import {BaseCommand} from '../lib/cli/base-command.ts'
import {kafkaSettings} from '../lib/cli/connections.ts'
import {openDeadLetters} from '../lib/cli/dead-letters.ts'
import {continuation, openEvents, openEventSink, warnOfNoRows} from '../lib/cli/events.ts'
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
    await runStream(session, streamOptions(this.commandName(), values, false), async (runtime) => {
      const events = await openEvents(values, runtime)
      const sink = await openEventSink(values, given, runtime)
      const letters = await openDeadLetters({
        where: values['dead-letter'],
        isDryRun: sink.prints === true,
        command: this.commandName(),
        describe: (position) => events.source.describe(position),
        raw: (value) => ({value: (value as CsvRecord).text, key: null, headers: undefined, timestamp: undefined}),
        kafka: () => kafkaSettings(values, given),
        clock: runtime.clock,
        log,
      })
      return {
        ...events,
        sink,
        deadLetter: letters.deadLetter,
        deadLettersAt: () => letters.where(),
        leftover: () => (report.ledger ? continuation(report.ledger, values, events.total()) : ''),
      }
    })
    if (report.ledger?.read === 0) warnOfNoRows(values, log)
    this.finish()
  }
}
