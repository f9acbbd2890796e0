/*
 * Rounds of faults against real servers, and what is stored after each, counted:
 *
 *   node test/chaos/run.ts [--rounds 20] [--seed 1] [--ack-before-write] [--keep-logs]
 *
 * --ack-before-write breaks the program on purpose: then the rounds must find a loss.
 * A round with a proxy that is careless ends the run: it shows a limit that is documented, and only what it loses counts.
 */
import {parseArgs} from 'node:util'
import {CARELESS_PLAN, describeAct, type Plan, planOf} from './plan.ts'
import {runRound, type RoundResult} from './round.ts'
import type {Verdict} from './verdict.ts'
import {openWorld} from './world.ts'

const {values} = parseArgs({
  options: {
    rounds: {type: 'string', default: '20'},
    seed: {type: 'string', default: '1'},
    'ack-before-write': {type: 'boolean', default: false},
    'keep-logs': {type: 'boolean', default: false},
  },
})
const [rounds, firstSeed, acksBeforeWrite] = [Number(values.rounds), Number(values.seed), values['ack-before-write']]
const totals = {lost: 0, duplicates: 0, misjudged: 0, unbalanced: 0}
let failed = 0
const world = await openWorld()
try {
  for (let seed = firstSeed; seed < firstSeed + rounds; seed++) await play(`seed ${seed}`, planOf(seed), count)
  if (!acksBeforeWrite)
    await play('a careless proxy', CARELESS_PLAN, ({lost}) => count({lost, duplicates: [], misjudged: [], unbalanced: []}))
} finally {
  await world.close()
}

const sums = Object.entries(totals).map(([fault, sum]) => `${fault} ${sum}`)
console.log(`${rounds} rounds: ${sums.join(', ')}, not ended ${failed}`)
process.exit(Object.values(totals).some((sum) => sum > 0) || failed > 0 ? 1 : 0)

async function play(title: string, plan: Plan, take: (verdict: Verdict) => void): Promise<void> {
  const begun = Date.now()
  const name = `chaos-${title.replaceAll(' ', '-')}-${begun}`
  const said = await runRound(world, {plan, name, acksBeforeWrite, keepsLogs: values['keep-logs']}).then(
    (result) => {
      take(result)
      return describe(result)
    },
    (error: Error) => {
      failed++
      return `NOT ENDED: ${error.message}`
    },
  )
  const acts = plan.acts.map(({act}) => describeAct(act)).join(', ')
  console.log(`${title}  ${plan.target} × ${plan.consumers}  ${acts}  →  ${said}  (${((Date.now() - begun) / 1000).toFixed(0)} s)`)
}

function count(verdict: Verdict): void {
  for (const fault of Object.keys(totals) as (keyof typeof totals)[]) totals[fault] += verdict[fault].length
}

function describe(result: RoundResult): string {
  const faults = (Object.keys(totals) as (keyof typeof totals)[])
    .filter((fault) => result[fault].length > 0)
    .map((fault) => `${fault.toUpperCase()} ${result[fault].length}: ${result[fault].slice(0, 3).join('; ')}`)
  const exits = result.exits.map((code) => code ?? 'killed').join(' ')
  const findings = faults.length > 0 ? `${faults.join(', ')} (see ${result.logs})` : 'nothing lost'
  return `${findings}, ${result.inTopic} in the topic, ${result.letters} letters, exits ${exits}`
}
