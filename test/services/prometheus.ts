import {execFile} from 'node:child_process'
import {writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {promisify} from 'node:util'
import {freePorts} from './free-ports.ts'
import {inFreshFolder} from './fresh-folder.ts'
import {commandOnPath, isExecutable, notInstalled, servicesFolder} from './installed.ts'
import {instantQuery} from './prometheus-query.ts'
import {type ServerProcess, startServer} from './server-process.ts'

export interface PrometheusAddress {
  readonly url: string
}

export type PrometheusServer = PrometheusAddress & ServerProcess

/** '2' is the one of the distribution, 2.42 in Debian 12; '3' is only for the long tests. */
export type PrometheusRelease = '2' | '3'

export interface PrometheusOptions {
  /** '2' when there is none. */
  readonly release?: PrometheusRelease
  /** What it scrapes every second besides itself: "127.0.0.1:9100". */
  readonly targets?: readonly string[]
  /** Asks its targets for them, and stores them. */
  readonly nativeHistograms?: boolean
  /** Of --enable-feature: "promql-at-modifier". */
  readonly features?: readonly string[]
  /**
   * Samples of the past, there before it starts: text in the OpenMetrics format, or a file of it. None may be in the future:
   * until then, nothing that is scraped would be stored.
   */
  readonly history?: string | {readonly file: string}
}

export function findPrometheus(release: PrometheusRelease = '2'): string | undefined {
  const command = join(servicesFolder(), release === '3' ? 'prometheus3' : 'prometheus', 'bin', 'prometheus')
  if (isExecutable(command)) return command
  return release === '3' ? undefined : commandOnPath('prometheus')
}

/** Resolves when it has samples: with a history at once, else about six seconds after it answers for the first time. */
export async function startPrometheus(options: PrometheusOptions = {}): Promise<PrometheusServer> {
  const {release = '2', features = [], nativeHistograms = false, history} = options
  const command = findPrometheus(release)
  if (!command) throw notInstalled(`Prometheus ${release}`, release === '3' ? 'bash test/services/install.sh prometheus3' : '')
  const [port] = await freePorts(1)
  const address = `127.0.0.1:${port}`
  const url = `http://${address}`
  const enabled = nativeHistograms && release === '2' ? [...features, 'native-histograms'] : features
  return inFreshFolder('prometheus', async (folder) => {
    const configuration = join(folder, 'prometheus.yml')
    const storage = join(folder, 'data')
    await writeFile(configuration, configurationFor(address, options))
    if (history !== undefined) await makeBlocks(command, history, folder, storage)
    const server = await startServer({
      name: `Prometheus ${release}`,
      folder,
      command,
      args: [
        `--config.file=${configuration}`,
        `--storage.tsdb.path=${storage}`,
        '--storage.tsdb.retention.time=100y', // a history may be of any age
        `--web.listen-address=${address}`,
        '--web.enable-lifecycle',
        ...enabled.map((feature) => `--enable-feature=${feature}`),
      ],
      isReady: () => (history === undefined ? hasSamples(url) : isUp(url)),
    })
    return Object.assign(server, {url})
  })
}

/** JSON is YAML. */
function configurationFor(itself: string, {release, targets = [], nativeHistograms}: PrometheusOptions): string {
  return JSON.stringify({
    global: {scrape_interval: '1s'},
    scrape_configs: [
      {
        job_name: 'test',
        static_configs: [{targets: [itself, ...targets]}],
        ...(release === '3' && nativeHistograms ? {scrape_native_histograms: true} : {}),
      },
    ],
  })
}

async function makeBlocks(prometheus: string, history: string | {readonly file: string}, folder: string, storage: string): Promise<void> {
  const file = typeof history === 'string' ? join(folder, 'history.txt') : history.file
  if (typeof history === 'string') await writeFile(file, history)
  const promtool = join(dirname(prometheus), 'promtool')
  await promisify(execFile)(promtool, ['tsdb', 'create-blocks-from', 'openmetrics', '--quiet', file, storage])
}

const hasSamples = async (url: string) => (await instantQuery(url, 'up')).data.result.length > 0

const isUp = async (url: string) => (await fetch(`${url}/-/ready`)).ok
