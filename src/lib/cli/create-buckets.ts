import type {BucketsOutcome} from '../jobs/create-buckets.ts'
import type {WantedBucket} from '../runtime/bucket-file.ts'
import type {RunReport} from './base-command.ts'
import type {BucketsSession} from './buckets.ts'
import {carryOut, planBuckets} from '../jobs/create-buckets.ts'
import {driftText, failureOf, outcomeText} from './bucket-texts.ts'
import {withBuckets} from './buckets.ts'

type CreateSession = BucketsSession & {readonly values: {readonly update: boolean}; readonly report: RunReport}

/** Creates what is missing, and reports it also when something ends that early. Returns the summary; rejects where a bucket failed. */
export async function createBuckets(session: CreateSession, wanted: readonly WantedBucket[]): Promise<string> {
  const {values, log, report} = session
  const outcome: BucketsOutcome = {created: [], skipped: [], updated: [], failed: [], drift: []}
  for (const [key, value] of Object.entries(outcome)) report.own[key] = () => value as unknown
  try {
    await withBuckets(session, async (buckets) => {
      const options = {...buckets, wanted, updates: values.update, log}
      await carryOut(await planBuckets(options), options, outcome)
    })
    if (outcome.failed.length > 0) throw failureOf(outcome, wanted.length)
  } catch (error) {
    if (Object.values(outcome).some(({length}) => length > 0)) report.notes.push(outcomeText(outcome))
    throw error
  }

  const left = driftText(outcome)
  if (left !== undefined) report.notes.push(left)
  return outcomeText(outcome)
}
