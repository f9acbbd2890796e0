/*
 * Rounds of faults against real servers, and what is stored after each, counted:
 *
 *   node test/chaos/run.ts [--rounds 20] [--seed 1] [--ack-before-write]
 *
 * The last one breaks the program on purpose: then the rounds must find a loss.
 */
import {parseArgs} from 'node:util'
import {describeAct, planOf} from './plan.ts'
import {runRound, type Verdict} from './round.ts'
import {openWorld} from './world.ts'

const {values} = parseArgs({
  options: {
    rounds: {type: 'string', default: '20'},
    seed: {type: 'string', default: '1'},
    'ack-before-write': {type: 'boolean', default: false},
  },
})
const [rounds, firstSeed] = [Number(values.rounds), Number(values.seed)]
const world = await openWorld()
const totals = {lost: 0, duplicates: 0, wronglyRejected: 0, unbalanced: 0, failed: 0}
try {
  for (let seed = firstSeed; seed < firstSeed + rounds; seed++) {
    const plan = planOf(seed)
    const begun = Date.now()
    const acts = plan.acts.map(({act}) => describeAct(act)).join(', ')
    const said = await runRound(world, plan, `chaos-${seed}-${begun}`, values['ack-before-write']).then(count, fail)
    console.log(`seed ${seed}  ${plan.target} × ${plan.consumers}  ${acts}  →  ${said}  (${((Date.now() - begun) / 1000).toFixed(0)} s)`)
  }
} finally {
  await world.close()
}

const {lost, duplicates, wronglyRejected, unbalanced, failed} = totals
console.log(
  `${rounds} rounds: lost ${lost}, duplicates ${duplicates}, wrongly rejected ${wronglyRejected}, unbalanced ${unbalanced}, not ended ${failed}`,
)
process.exit(lost + duplicates + wronglyRejected + unbalanced + failed === 0 ? 0 : 1)

function count({sent, lost, duplicates, wronglyRejected, unbalanced, exits}: Verdict): string {
  totals.lost += lost.length
  totals.duplicates += duplicates.length
  totals.wronglyRejected += wronglyRejected.length
  totals.unbalanced += unbalanced
  const faults = [
    lost.length > 0 && `LOST ${lost.length}: ${lost.slice(0, 5).join(' ')}`,
    duplicates.length > 0 && `TWICE ${duplicates.length}: ${duplicates.slice(0, 5).join(' ')}`,
    wronglyRejected.length > 0 && `REJECTED ${wronglyRejected.length}: ${wronglyRejected.slice(0, 5).join(' ')}`,
    unbalanced > 0 && `UNBALANCED ${unbalanced}`,
  ].filter(Boolean)
  return `${faults.length > 0 ? faults.join('; ') : 'nothing lost'}, ${sent} in the topic, exits ${exits.map((code) => code ?? 'killed').join(' ')}`
}

function fail(error: Error): string {
  totals.failed++
  return `NOT ENDED: ${error.message}`
}
