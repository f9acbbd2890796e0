import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {freePorts} from './free-ports.ts'
import {inFreshFolder} from './fresh-folder.ts'
import {commandOnPath, isExecutable, notInstalled, servicesFolder} from './installed.ts'
import {type ServerProcess, startServer} from './server-process.ts'

export interface PrometheusAddress {
  readonly url: string
}

export type PrometheusServer = PrometheusAddress & ServerProcess

export interface PrometheusOptions {
  /** What it scrapes every second besides itself: "127.0.0.1:9100". */
  readonly targets?: readonly string[]
}

export function findPrometheus(): string | undefined {
  const command = join(servicesFolder(), 'prometheus', 'bin', 'prometheus')
  return isExecutable(command) ? command : commandOnPath('prometheus')
}

/** Resolves when it has samples of its own, about six seconds after it answers for the first time. */
export async function startPrometheus({targets = []}: PrometheusOptions = {}): Promise<PrometheusServer> {
  const command = findPrometheus()
  if (!command) throw notInstalled('Prometheus')
  const [port] = await freePorts(1)
  const address = `127.0.0.1:${port}`
  const url = `http://${address}`
  return inFreshFolder('prometheus', async (folder) => {
    const configuration = join(folder, 'prometheus.yml')
    await writeFile(configuration, configurationFor([address, ...targets]))
    const server = await startServer({
      name: 'Prometheus',
      folder,
      command,
      args: [
        `--config.file=${configuration}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=${address}`,
        '--web.enable-lifecycle',
      ],
      isReady: () => hasSamples(url),
    })
    return Object.assign(server, {url})
  })
}

/** JSON is YAML. */
function configurationFor(targets: readonly string[]): string {
  return JSON.stringify({
    global: {scrape_interval: '1s'},
    scrape_configs: [{job_name: 'test', static_configs: [{targets}]}],
  })
}

async function hasSamples(url: string): Promise<boolean> {
  const response = await fetch(`${url}/api/v1/query?query=up`)
  const {data} = (await response.json()) as {data: {result: unknown[]}}
  return data.result.length > 0
}
