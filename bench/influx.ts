import {Agent, request} from 'node:http'
import type {Bench} from './bench.ts'

type Influx = Bench['influx']

/** A bucket without retention, made for one run. */
export async function createBucket(influx: Influx, name: string): Promise<string> {
  const {orgs} = JSON.parse(await api(influx, 'GET', `/api/v2/orgs?org=${influx.org}`)) as {orgs: {id: string}[]}
  await api(influx, 'POST', '/api/v2/buckets', {orgID: orgs[0]!.id, name, retentionRules: []})
  return name
}

/** What the server has stored since it started, by its own count. */
export async function pointsWritten(influx: Influx): Promise<number> {
  return Number(/^storage_writer_ok_points_sum\S* (\S+)$/m.exec(await api(influx, 'GET', '/metrics'))?.[1] ?? 0)
}

/** Posts ready-made bodies, so many at a time: what no program that has to make them first can reach. Seconds. */
export async function postBodies(influx: Influx, bucket: string, bodies: readonly Buffer[], inFlight: number): Promise<number> {
  const agent = new Agent({keepAlive: true})
  const begun = performance.now()
  const waiting = [...bodies]
  const lane = async () => {
    for (let body = waiting.shift(); body; body = waiting.shift()) await post(influx, bucket, body, agent)
  }

  await Promise.all(Array.from({length: inFlight}, lane))
  agent.destroy()
  return (performance.now() - begun) / 1000
}

function post({url, org, token}: Influx, bucket: string, body: Buffer, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const address = `${url}/api/v2/write?org=${org}&bucket=${bucket}&precision=ns`
    const headers = {Authorization: `Token ${token}`, 'Content-Length': body.length}
    const outgoing = request(address, {agent, method: 'POST', headers}, (response) => {
      const isStored = response.statusCode === 204
      response.resume().on('end', () => (isStored ? resolve() : reject(new Error(`${address} answered ${response.statusCode}`))))
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

async function api({url, token}: Influx, method: string, path: string, body?: object): Promise<string> {
  const answer = await fetch(url + path, {
    method,
    headers: {Authorization: `Token ${token}`},
    ...(body ? {body: JSON.stringify(body)} : {}),
  })
  if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${await answer.text()}`)
  return answer.text()
}
