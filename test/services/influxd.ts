import {join} from 'node:path'
import {freePorts} from './free-ports.ts'
import {inFreshFolder} from './fresh-folder.ts'
import {isExecutable, notInstalled, servicesFolder} from './installed.ts'
import {type ServerProcess, startServer} from './server-process.ts'

export interface InfluxAddress {
  readonly url: string
  readonly org: string
  /** May do everything. */
  readonly token: string
}

export type InfluxServer = InfluxAddress & ServerProcess

const ORG = 'ucs'
const TOKEN = 'admin-token'

export function findInfluxd(): string | undefined {
  const command = join(servicesFolder(), 'influxd', 'bin', 'influxd')
  return isExecutable(command) ? command : undefined
}

/** An InfluxDB of its own, with one bucket, `first`. */
export async function startInflux(): Promise<InfluxServer> {
  const command = findInfluxd()
  if (!command) throw notInstalled('InfluxDB')
  const [port] = await freePorts(1)
  const url = `http://127.0.0.1:${port}`
  return inFreshFolder('influxd', async (folder) => {
    const server = await startServer({
      name: 'InfluxDB',
      folder,
      command,
      args: [
        'run',
        `--http-bind-address=127.0.0.1:${port}`,
        `--bolt-path=${join(folder, 'influxd.bolt')}`,
        `--sqlite-path=${join(folder, 'influxd.sqlite')}`,
        `--engine-path=${join(folder, 'engine')}`,
        '--reporting-disabled',
        '--log-level=warn',
      ],
      isReady: async () => (await fetch(`${url}/api/v2/setup`)).ok, // /health passes before the rest works
    })
    await setUp(url).catch(async (error: unknown) => {
      await server.stop()
      throw error
    })
    return Object.assign(server, {url, org: ORG, token: TOKEN})
  })
}

async function setUp(url: string): Promise<void> {
  const body = {username: 'admin', password: 'admin-password', org: ORG, bucket: 'first', token: TOKEN}
  const response = await fetch(`${url}/api/v2/setup`, {
    method: 'POST',
    headers: {'content-type': 'application/json'},
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`influxd refused its setup: ${await response.text()}`)
}
