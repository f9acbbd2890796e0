import {describeAct, type Plan} from './plan.ts'
import type {Verdict} from './verdict.ts'

const FINDINGS = ['lost', 'duplicates', 'misjudged', 'unbalanced'] as const

/** What was found over all rounds. */
export interface Score {
  /** Undefined for a round that did not come to its end. */
  add(plan: Plan, verdict: Verdict | undefined): void
  isClean(): boolean
  /** "200 rounds: lost 0, duplicates 0, …" */
  line(): string
  /** What happened in how many rounds, as Markdown. */
  table(): string
}

/** "nothing lost", or the first of what was found. */
export function findingsOf(verdict: Verdict): string {
  const found = FINDINGS.filter((name) => verdict[name].length > 0)
  return (
    found.map((name) => `${name.toUpperCase()} ${verdict[name].length}: ${verdict[name].slice(0, 3).join('; ')}`).join(', ') ||
    'nothing lost'
  )
}

export function createScore(): Score {
  const totals = {lost: 0, duplicates: 0, misjudged: 0, unbalanced: 0}
  const byAct = new Map<string, {influx: number; clickhouse: number; findings: number}>()
  let rounds = 0
  let unended = 0

  return {
    add(plan, verdict) {
      rounds++
      const findings = verdict ? FINDINGS.reduce((sum, name) => sum + verdict[name].length, 0) : 1
      if (verdict) for (const name of FINDINGS) totals[name] += verdict[name].length
      else unended++
      for (const act of new Set(plan.acts.map((each) => describeAct(each.act)))) {
        const row = byAct.get(act) ?? {influx: 0, clickhouse: 0, findings: 0}
        row[plan.target]++
        row.findings += findings
        byAct.set(act, row)
      }
    },
    isClean: () => unended === 0 && FINDINGS.every((name) => totals[name] === 0),
    line: () => `${rounds} rounds: ${FINDINGS.map((name) => `${name} ${totals[name]}`).join(', ')}, not ended ${unended}`,
    table() {
      const rows = [...byAct].sort(([one], [other]) => one.localeCompare(other))
      return [
        '| what happened | rounds to InfluxDB | rounds to ClickHouse | findings |',
        '| --- | --: | --: | --: |',
        ...rows.map(([act, {influx, clickhouse, findings}]) => `| ${act} | ${influx} | ${clickhouse} | ${findings} |`),
      ].join('\n')
    },
  }
}
