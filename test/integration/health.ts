import {expect, vi} from 'vitest'

/** Waits until an endless run that serves its health on this port shows the value, or one that will do. */
export async function untilMetric(port: number, name: string, wanted: number | ((value: number) => boolean)): Promise<void> {
  const isWanted = typeof wanted === 'number' ? (value: number) => value === wanted : wanted
  await vi.waitFor(async () => expect(await metric(port, name)).toSatisfy(isWanted), {timeout: 20_000, interval: 20})
}

async function metric(port: number, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  return Number(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, 'm').exec(text)?.[1])
}

/** The status and the text of `/readyz`. */
export async function readiness(port: number): Promise<{status: number; text: string}> {
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`)
  return {status: answer.status, text: (await answer.text()).trim()}
}
