import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {type CliOptions, startUcs, ucs} from '../commands/cli.ts'
import {type InfluxServer, startInflux} from '../services/influxd.ts'
import {fluxRows, type TextRow} from './flux-rows.ts'

/** A server with organisations and buckets of a test's choice. */
export interface Pod extends InfluxServer {
  /** Buckets of one organisation. */
  open(org: string, buckets: readonly string[]): Promise<void>
  write(org: string, bucket: string, lines: readonly string[]): Promise<void>
  ask(org: string, flux: string): Promise<readonly TextRow[]>
}

export async function startPod(): Promise<Pod> {
  const server = await startInflux()
  const request = async (path: string, body: string) => {
    const answer = await fetch(server.url + path, {method: 'POST', headers: {authorization: `Token ${server.token}`}, body})
    if (!answer.ok) throw new Error(`${path} answers ${answer.status}: ${await answer.text()}`)
    return answer
  }
  return Object.assign(server, {
    async open(org: string, buckets: readonly string[]) {
      const {id: orgID} = (await (await request('/api/v2/orgs', JSON.stringify({name: org}))).json()) as {id: string}
      for (const name of buckets) await request('/api/v2/buckets', JSON.stringify({orgID, name, retentionRules: []}))
    },
    async write(org: string, bucket: string, lines: readonly string[]) {
      await request(`/api/v2/write?${new URLSearchParams({org, bucket, precision: 'ns'}).toString()}`, lines.join('\n'))
    },
    ask: (org: string, flux: string) => fluxRows({...server, org}, flux),
  })
}

/** Runs of collect in one folder, as the seed has it: a .env, and the cursors beside it. */
export interface CollectScene {
  readonly folder: string
  start(args: readonly string[], options?: CliOptions): ReturnType<typeof startUcs>
  run(args: readonly string[], options?: CliOptions): ReturnType<typeof ucs>
}

export function collectScene(
  folder: string,
  files: Readonly<Record<string, string>>,
  variables: Readonly<Record<string, string>> = {},
): CollectScene {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), {recursive: true})
    writeFileSync(join(folder, name), text)
  }

  const env = {UCS_STATE_DIR: join(folder, 'state'), UCS_HEALTH_PORT: '0', ...variables}
  const options = (more: CliOptions): CliOptions => ({cwd: folder, ...more, env: {...env, ...more.env}})
  return {
    folder,
    start: (args, more = {}) => startUcs(['collect', ...args], options(more)),
    run: (args, more = {}) => ucs(['collect', ...args], options(more)),
  }
}

const nanoseconds = (milliseconds: number) => `${milliseconds}000000`

/** A line of each measurement for each second, as Telegraf writes them. */
export function* telegrafLines(from: number, to: number): Generator<string> {
  for (let time = from; time < to; time += 1000) {
    const [at, seconds] = [nanoseconds(time), time / 1000]
    yield `cpu,host=POD-8,cpu=cpu-total usage_idle=${10 + (seconds % 60)} ${at}`
    yield `cpu,host=POD-8,cpu=cpu0 usage_idle=${20 + (seconds % 60)} ${at}`
    yield `mem,host=POD-8 used=${1000 + seconds}i,used_percent=50.5 ${at}`
    yield `disk,host=POD-8,path=/,device=sda1,fstype=ext4,mode=rw used=5i ${at}`
    yield `net,host=POD-8,interface=eth0 bytes_recv=${seconds * 100}i ${at}`
    yield `net,host=POD-8,interface=eth1 bytes_recv=${seconds * 7}i ${at}`
    yield `system,host=POD-8 uptime=${seconds}i,uptime_format="0:${seconds}",load1=0.5 ${at}`
  }
}

export function* podLines(from: number, to: number): Generator<string> {
  for (let time = from; time < to; time += 1000) yield `pod,host=POD-30,pod=a restarts=3i,ready=true,phase="Running" ${nanoseconds(time)}`
}

export function* powerLines(from: number, to: number): Generator<string> {
  for (let time = from; time < to; time += 1000) yield `mod_chair,host=POD-30 current=7.5,chair_section="PEMF_CUR" ${nanoseconds(time)}`
}
