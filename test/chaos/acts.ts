import {rm, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'
import type {ServerProcess} from '../services/server-process.ts'
import {until} from '../services/until.ts'
import type {Consumers} from './consumers.ts'
import type {Plan} from './plan.ts'
import type {Bucket, Token, World} from './world.ts'

/** What the acts of a round are done to. */
export interface Scene {
  readonly world: World
  readonly plan: Plan
  /** Also its group. */
  readonly topic: string
  readonly consumers: Consumers
  readonly access: {readonly bucket: Bucket; token: Token; readonly file: string} | undefined
}

/** Does all of them at their times. Resolves when each is over. */
export async function performActs(scene: Scene): Promise<void> {
  const begun = Date.now()
  const underway = scene.plan.acts.map(async ({atMilliseconds}, index) => {
    await sleep(Math.max(0, begun + atMilliseconds - Date.now()))
    await perform(scene, index)
  })
  await Promise.all(underway)
}

async function perform({world, plan, topic, consumers, access}: Scene, index: number): Promise<void> {
  const {act, forMilliseconds} = plan.acts[index]!
  const {records, proxies, servers, disk} = world
  switch (act.kind) {
    case 'http':
      proxies[plan.target].setFault(act.fault)
      await sleep(forMilliseconds)
      return proxies[plan.target].setFault(undefined)
    case 'kafka':
      proxies.kafka.setFault(act.fault)
      await sleep(forMilliseconds)
      return proxies.kafka.setFault(undefined)
    case 'kill a consumer': {
      const member = await consumers.kill(index)
      if (member) await patiently(() => records.bury(topic, [member])) // the group would wait for it until its session is over
      return
    }
    case 'end a consumer':
      return consumers.end(index)
    case 'add a consumer':
      return consumers.add()
    case 'expel a consumer': {
      const member = consumers.memberId(index)
      if (member) await patiently(() => records.bury(topic, [member]))
      return
    }
    case 'kill the broker':
      return crash(servers.kafka, forMilliseconds)
    case 'kill the server':
      return crash(servers[plan.target], forMilliseconds)
    case 'fill the disk': {
      const filler = join(disk, `filler-${index}`)
      await writeFile(filler, Buffer.alloc(DISK_BYTES)).catch(() => {}) // it takes what there is
      await sleep(forMilliseconds)
      return rm(filler, {force: true})
    }
    case 'revoke the token': {
      const {bucket, token, file} = access!
      access!.token = await patiently(() => bucket.newToken())
      await patiently(() => token.revoke())
      await sleep(forMilliseconds)
      await writeFile(file, access!.token.text)
    }
  }
}

export const DISK_BYTES = 4 * 1024 * 1024

/** What an act needs may be down by another. */
const patiently = <T>(work: () => Promise<T>) => until(work, 30_000)

const crashes = new WeakMap<ServerProcess, Promise<void>>()

/** One crash of a server after the other. */
function crash(server: ServerProcess, milliseconds: number): Promise<void> {
  const crashed = (crashes.get(server) ?? Promise.resolve()).then(() =>
    server.restart({signal: 'SIGKILL', whileDown: () => sleep(milliseconds)}),
  )
  crashes.set(server, crashed)
  return crashed
}
