import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {Readable} from 'node:stream'
import {type ClickHouseClient, ClickHouseLogLevel, createClient} from '@clickhouse/client'
import {afterAll, afterEach, beforeAll, expect, test} from 'vitest'
import {type Facade, type FacadeHook, startFacade} from '../services/clickhouse-facade.ts'
import {describeWith} from '../services/use.ts'

const USER = {username: 'writer', password: 'secret'}

describeWith('clickhouse')('the ClickHouse engine over HTTP', () => {
  let folder: string
  let facade: Facade
  let client: ClickHouseClient
  let hook: FacadeHook | undefined
  let made = 0

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ucs-test-'))
    facade = await startFacade({
      folder,
      user: USER.username,
      password: USER.password,
      hook: async (exchange) => (await hook?.(exchange)) ?? false,
    })
    client = connect()
  })
  afterEach(() => {
    hook = undefined
  })
  afterAll(async () => {
    await client.close()
    await facade.close()
    await rm(folder, {recursive: true})
  })

  test('answers a ping', async () => {
    expect(await client.ping()).toEqual({success: true})
  })

  test('makes a table, takes rows and gives them back', async () => {
    const table = await newTable()
    const rows = [
      {name: "it's\n\na \\ text", number: 1},
      {name: '', number: 2},
    ]
    await client.insert({table, values: rows, format: 'JSONEachRow'})
    expect(await rowsOf(table)).toEqual(rows)
  })

  test('takes an insert of no rows', async () => {
    const table = await newTable()
    await client.insert({table, values: Readable.from([], {objectMode: true}), format: 'JSONEachRow'})
    expect(await rowsOf(table)).toEqual([])
  })

  test('takes a body that is gzip', async () => {
    const table = await newTable()
    const packing = connect({compression: {request: true, response: true}})
    await packing.insert({table, values: [{name: 'a', number: 1}], format: 'JSONEachRow'})
    await packing.close()
    expect(await rowsOf(table)).toEqual([{name: 'a', number: 1}])
  })

  test('binds parameters', async () => {
    const parameters = {text: "it's\t\\ \n x", number: 5, list: ["a'b", 'c']}
    const answer = await client.query({
      query: 'SELECT {text:String} AS text, {number:UInt32} AS number, {list:Array(String)} AS list',
      query_params: parameters,
      format: 'JSONEachRow',
    })
    expect(await answer.json()).toEqual([parameters])
  })

  test("keeps one request's settings from the next", async () => {
    const threads = async (max_threads?: number) => {
      const clickhouse_settings = max_threads === undefined ? {} : {max_threads}
      const answer = await client.query({query: "SELECT getSetting('max_threads') AS n", clickhouse_settings, format: 'JSONEachRow'})
      return (await answer.json<{n: number}>())[0]!.n
    }

    expect(await threads(7)).toBe(7)
    expect(await threads()).not.toBe(7)
  })

  test('uses the database that is asked for', async () => {
    await client.command({query: 'CREATE DATABASE IF NOT EXISTS other'})
    const other = connect({database: 'other'})
    const answer = await other.query({query: 'SELECT currentDatabase() AS name', format: 'JSONEachRow'})
    expect(await answer.json()).toEqual([{name: 'other'}])
    await other.close()
  })

  test('stores an insert once that comes again under its token', async () => {
    const table = await newTable()
    const insert = (insert_deduplication_token: string) =>
      client.insert({
        table,
        values: [{name: insert_deduplication_token, number: 1}],
        format: 'JSONEachRow',
        clickhouse_settings: {insert_deduplication_token},
      })
    await insert('first')
    await insert('first')
    await insert('second')
    expect(await rowsOf(table)).toHaveLength(2)
  })

  test('does not run what follows a blank line in a body', async () => {
    const [victim, table] = [await newTable(), await newTable()]
    const body = `1\n\nDROP TABLE ${victim};\n`
    const values = Readable.from([body], {objectMode: false})
    await expect(client.insert({table, columns: ['number'], values, format: 'CSV'})).rejects.toMatchObject({code: '117'})
    expect(await rowsOf(victim)).toEqual([])
  })

  test('refuses rows within the statement, which the engine would run from a blank line on', async () => {
    const [victim, table] = [await newTable(), await newTable()]
    const query = `INSERT INTO ${table} (number) FORMAT CSV\n1\n\nDROP TABLE ${victim}`
    await expect(client.command({query})).rejects.toMatchObject({code: '48'})
    expect(await rowsOf(victim)).toEqual([])
  })

  test.for([
    {what: 'an unknown table', query: 'SELECT * FROM absent', code: '60', type: 'UNKNOWN_TABLE', status: 404},
    {what: 'an unknown database', query: 'SELECT * FROM absent.absent', code: '81', type: 'UNKNOWN_DATABASE', status: 404},
    {what: 'what is no SQL', query: 'SELECT (', code: '62', type: 'SYNTAX_ERROR', status: 400},
    {what: 'a second statement', query: 'SELECT 1; SELECT 2', code: '62', type: 'SYNTAX_ERROR', status: 400},
    {
      what: 'too much memory',
      query: 'SELECT groupArray(number) FROM numbers(1000000000)',
      code: '241',
      type: 'MEMORY_LIMIT_EXCEEDED',
      status: 500,
    },
  ])('refuses $what with code $code and status $status', async ({query, code, type, status}) => {
    await expect(client.command({query})).rejects.toMatchObject({code, type})
    const headers = {'x-clickhouse-user': USER.username, 'x-clickhouse-key': USER.password}
    const answer = await fetch(facade.url, {method: 'POST', body: query, headers})
    expect([answer.status, answer.headers.get('x-clickhouse-exception-code')]).toEqual([status, code])
  })

  test('refuses a wrong password with code 516 and status 403', async () => {
    const stranger = connect({password: 'wrong'})
    await expect(stranger.command({query: 'SELECT 1'})).rejects.toMatchObject({code: '516', type: 'AUTHENTICATION_FAILED'})
    await stranger.close()
    const answer = await fetch(facade.url, {method: 'POST', body: 'SELECT 1'})
    expect(answer.status).toBe(403)
  })

  test('names the row that it refuses', async () => {
    const table = await newTable()
    const values = [
      {name: 'a', number: 1},
      {name: 'b', number: 'x'},
    ]
    const refusal = client.insert({table, values, format: 'JSONEachRow'})
    await expect(refusal).rejects.toMatchObject({code: '27', message: expect.stringContaining('(at row 2)') as string})
    expect(await rowsOf(table)).toEqual([])
  })

  test('lets a hook answer instead', async () => {
    hook = async ({response}) => {
      response.writeHead(503).end('starting')
      return true
    }
    await expect(client.command({query: 'SELECT 1'})).rejects.toThrow('starting')
  })

  test('lets a hook store an insert and lose the answer', async () => {
    const table = await newTable()
    hook = async ({perform, response, parameters}) => {
      if (!parameters.get('query')?.startsWith('INSERT')) return false
      await perform()
      response.destroy()
      return true
    }
    await expect(client.insert({table, values: [{name: 'a', number: 1}], format: 'JSONEachRow'})).rejects.toThrow()
    expect(await rowsOf(table)).toHaveLength(1)
  })

  function connect(options: NonNullable<Parameters<typeof createClient>[0]> = {}): ClickHouseClient {
    return createClient({url: facade.url, ...USER, log: {level: ClickHouseLogLevel.OFF}, ...options})
  }

  async function newTable(): Promise<string> {
    const table = `t${(made += 1)}`
    await client.command({
      query: `CREATE TABLE ${table} (name String, number UInt32) ENGINE = MergeTree ORDER BY number
        SETTINGS non_replicated_deduplication_window = 100`,
    })
    return table
  }

  async function rowsOf(table: string): Promise<readonly unknown[]> {
    const answer = await client.query({query: `SELECT * FROM ${table} ORDER BY number`, format: 'JSONEachRow'})
    return answer.json()
  }
})
