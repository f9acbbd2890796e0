import {once} from 'node:events'
import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import {expositionProtobuf} from './exposition-protobuf.ts'
import {expositionText, type Metric} from './exposition.ts'

/** What Prometheus scrapes. */
export interface Exporter {
  /** "127.0.0.1:43210", for the targets of Prometheus. */
  readonly target: string
  /** From the next scrape on, instead of what there was before. Text goes out as it is, so it may be wrong. */
  expose(metrics: readonly Metric[] | string): void
  close(): Promise<void>
}

export async function startExporter(metrics: readonly Metric[] | string = []): Promise<Exporter> {
  let exposed = metrics
  const server = createServer((request, response) => {
    if (typeof exposed !== 'string' && request.headers.accept?.includes('application/vnd.google.protobuf')) {
      response.setHeader('content-type', 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited')
      response.end(expositionProtobuf(exposed))
      return
    }

    response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8')
    response.end(typeof exposed === 'string' ? exposed : expositionText(exposed))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  return {
    target: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    expose: (next) => (exposed = next),
    async close() {
      server.close()
      server.closeAllConnections()
    },
  }
}
