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
import {createScore, findingsOf} from './score.ts'
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
const score = createScore()
const world = await openWorld()
try {
  for (let seed = firstSeed; seed < firstSeed + rounds; seed++) {
    const plan = planOf(seed)
    score.add(plan, await play(`seed ${seed}`, plan))
  }

  if (!acksBeforeWrite) {
    const verdict = await play('a careless proxy', CARELESS_PLAN)
    if (!verdict || verdict.lost.length > 0) score.add(CARELESS_PLAN, verdict)
  }
} finally {
  await world.close()
}

console.log(`\n${score.table()}\n\n${score.line()}`)
process.exit(score.isClean() ? 0 : 1)

async function play(title: string, plan: Plan): Promise<Verdict | undefined> {
  const begun = Date.now()
  const name = `chaos-${title.replaceAll(' ', '-')}-${begun}`
  const acts = plan.acts.map(({act}) => describeAct(act)).join(', ')
  const tell = (said: string) =>
    console.log(`${title}  ${plan.target} × ${plan.consumers}  ${acts}  →  ${said}  (${((Date.now() - begun) / 1000).toFixed(0)} s)`)
  try {
    const result = await runRound(world, {plan, name, acksBeforeWrite, keepsLogs: values['keep-logs']})
    tell(describe(result))
    return result
  } catch (error) {
    tell(`NOT ENDED: ${(error as Error).message}`)
    return undefined
  }
}

function describe(result: RoundResult): string {
  const findings = findingsOf(result)
  const logs = findings === 'nothing lost' ? '' : ` (see ${result.logs})`
  const exits = result.exits.map((code) => code ?? 'killed').join(' ')
  return `${findings}${logs}, ${result.inTopic} in the topic, ${result.letters} letters, exits ${exits}`
}
