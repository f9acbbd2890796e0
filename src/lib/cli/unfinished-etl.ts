import type {FlagSet} from './flag.ts'
import type {Session} from './base-command.ts'
import {UsageError} from '../errors.ts'
import {strongestOf} from './settings.ts'

/** What the pipeline's own pages write where a token belongs. */
const PLACEHOLDERS = ['your-token', 'your-influxdb-token']

/** Throws UsageError for an etl.yaml that is not filled in yet, where nothing stronger supplies what is missing. A dry run needs no token. */
export function refuseUnfinishedEtl({configShape, given}: Pick<Session<FlagSet>, 'configShape' | 'given'>, isDryRun: boolean): void {
  if (configShape !== 'etl') return
  const file = given.get('config')!.texts[0]!
  if (!given.has('queries') && !given.has('query')) {
    throw new UsageError(`${file}: neither extract.queries nor transform.valid_metrics says what to ask for`, {
      suggestion: 'List metrics or expressions in one of them, or give some with --queries',
    })
  }

  const token = given.get('token')
  if (isDryRun || token?.origin.kind !== 'config file' || !PLACEHOLDERS.includes(token.texts[0]!)) return
  if (strongestOf(given, ['token', 'token-file']) !== 'token') return
  throw new UsageError(`${token.origin.name}: load.influxdb.token is still the placeholder`, {
    suggestion: 'Set INFLUXDB_TOKEN, or use --token-file',
  })
}
