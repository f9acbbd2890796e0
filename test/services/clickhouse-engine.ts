import {randomUUID} from 'node:crypto'
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import type {Session} from 'chdb'
import {removeFolder} from './fresh-folder.ts'
import {ClickHouseException} from './clickhouse-exception.ts'
import {insertFromFile, quote, readStatement} from './clickhouse-statement.ts'

/** Without a cap one greedy query takes nine tenths of the machine. */
const MAX_MEMORY_BYTES = 2_000_000_000

/** Parameters of a request that are no settings of the engine. */
const NO_SETTINGS = new Set(['query', 'query_id', 'database', 'wait_end_of_query'])

export interface ClickHouseEngine {
  readonly version: string
  /** Stays open. For tests that look at the data past the interface. */
  readonly session: Session
  /** What one request asks for: the statement is `query` or the body, everything else sets something for this one. */
  perform(parameters: URLSearchParams, body: Buffer): Promise<Buffer>
  close(): Promise<void>
}

/** A process can have one folder open. */
export async function openEngine(folder: string): Promise<ClickHouseEngine> {
  const chdb = await import('chdb')
  const spool = await mkdtemp(join(tmpdir(), 'ucs-clickhouse-'))
  const session = new chdb.Session(folder, {connectionArgs: [`--max_server_memory_usage=${MAX_MEMORY_BYTES}`]})

  return {
    version: session.query('SELECT version()', 'TabSeparated').trim(),
    session,
    async perform(parameters, body) {
      const {sql, rows} = readStatement(parameters.get('query'), body)
      const own = new chdb.Session(folder) // a session keeps its settings, so each request has its own
      const file = join(spool, randomUUID())
      try {
        for (const statement of preambleOf(parameters)) await own.queryAsync(statement)
        if (rows) await writeFile(file, rows)
        const result = await own.queryAsync(rows ? insertFromFile(sql, file) : sql, {format: 'TabSeparated'})
        return Buffer.from(result.bytes())
      } finally {
        own.close()
        await rm(file, {force: true})
      }
    },
    async close() {
      session.close()
      await chdb.drainPending() // a process that ends while the engine works crashes
      await removeFolder(spool)
    },
  }
}

function preambleOf(parameters: URLSearchParams): readonly string[] {
  const statements = ['SET implicit_select = 0'] // the engine alone takes "1 + 1" for a query, the server does not
  const database = parameters.get('database')
  if (database !== null) statements.push(`USE \`${database.replace(/[\\`]/g, '\\$&')}\``)
  for (const [name, value] of parameters) {
    if (NO_SETTINGS.has(name)) continue
    if (!/^\w+$/.test(name)) throw new ClickHouseException(115, 'UNKNOWN_SETTING', `Unknown setting '${name}'`)
    statements.push(`SET ${name} = ${quote(value)}`) // the values of parameters too: param_name
  }

  return statements
}
