import type {InfluxAddress} from '../services/influxd.ts'
import {createHttpClient} from '../../src/lib/clients/http.ts'
import {createInfluxQueryClient, type InfluxQueryClient} from '../../src/lib/clients/influx-query.ts'

/** A row by the names of its columns, all as text, as the server prints it. */
export type TextRow = Readonly<Record<string, string>>

/** The whole answer of a query. */
export async function fluxRows(server: InfluxAddress, flux: string): Promise<readonly TextRow[]> {
  const client = fluxClient(server)
  const found: TextRow[] = []
  try {
    for await (const {table, rows} of client.query({flux, signal: new AbortController().signal})) {
      for (const row of rows) found.push(Object.fromEntries(table.columns.map(({name}, column) => [name, row[column]!])))
    }
  } finally {
    client.close()
  }

  return found
}

export function fluxClient({url, org, token}: InfluxAddress, {compresses = false} = {}): InfluxQueryClient {
  const http = createHttpClient({
    baseUrl: new URL(url),
    timeoutMilliseconds: 60_000,
    remedy: 'Is the server running?',
    caFlag: '--influx-ca',
  })
  return createInfluxQueryClient({http, org, token: async () => token, now: () => Date.now(), compresses})
}
