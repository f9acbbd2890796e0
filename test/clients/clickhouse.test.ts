import {readFile} from 'node:fs/promises'
import {text} from 'node:stream/consumers'
import {describe, expect, it, onTestFinished} from 'vitest'
import {type ClickHouse, type ClickHouseServer, connectClickHouse, quoteName, wrapDriver} from '../../src/lib/clients/clickhouse.ts'
import {UnavailableError, UsageError} from '../../src/lib/errors.ts'
import {freePorts} from '../services/free-ports.ts'
import {inFreshFolder, removeFolder} from '../services/fresh-folder.ts'
import {makeCertificates} from '../services/kafka-certificates.ts'
import {serveHttp, serveHttps, serveSilence, serveSocket} from './servers.ts'

const never = new AbortController().signal

describe('the address', () => {
  it.each([
    {path: '', user: 'writer', password: 'pw', goesTo: '/', as: 'writer:pw'},
    {path: '/', user: 'writer', password: 'pw', goesTo: '/', as: 'writer:pw'},
    {path: '/behind/proxy/', user: 'writer', password: 'pw', goesTo: '/behind/proxy/', as: 'writer:pw'},
  ])('of path "$path" is that of a proxy, and no database', async ({path, user, password, goesTo, as}) => {
    const {url, seen} = await serveRecording()
    await (await connect({url: new URL(url + path), user, password})).command('SELECT 1', never)
    expect(seen).toEqual([{path: goesTo, database: null, as}])
  })

  it.each([
    ['reader:50%25off', 'reader:50%off'],
    ['reader:50%off', 'reader:50%off'],
    ['reader', 'reader:pw'],
  ])('of user %s is stronger than what is beside it, and not shown', async (credentials, as) => {
    const {url, seen} = await serveRecording()
    const client = await connect({url: new URL(url.replace('//', `//${credentials}@`)), user: 'writer', password: 'pw'})
    await client.command('SELECT 1', never)
    expect(seen).toMatchObject([{as}])
    expect(client.target).toBe(url)
  })

  it('may be one of IPv6', async () => {
    const {url} = await serveHttp((_, response) => response.end(), '::1')
    await expect((await connect({url: new URL(url)})).command('SELECT 1', never)).resolves.toBeUndefined()
  })

  it('takes no parameters, and shows none of their values', async () => {
    const refusal = connect({url: new URL('http://localhost:8123/?user=writer&password=secret')})
    await expect(refusal).rejects.toBeInstanceOf(UsageError)
    await expect(refusal).rejects.toThrow('?user=…&password=…')
  })
})

describe('an insert', () => {
  it('says what a retry and a wrong row depend on', async () => {
    let asked = new URLSearchParams()
    let body = ''
    const {url} = await serveHttp((request, response) => {
      asked = new URL(request.url!, 'http://server').searchParams
      void text(request).then((given) => {
        body = given
        response.end()
      })
    })
    const client = await connect({url: new URL(url)})
    await client.insert({table: '`d`.`t`', rows: [{a: 1}, {a: 2}], token: 't/0/1-2', signal: never})
    expect(Object.fromEntries(asked)).toMatchObject({
      query: expect.stringMatching(/^INSERT INTO `d`.`t`\s+FORMAT JSONEachRow/) as string,
      insert_deduplication_token: 't/0/1-2',
      async_insert: '0',
      input_format_skip_unknown_fields: '0',
      date_time_input_format: 'basic',
    })
    expect(body).toBe('{"a":1}\n{"a":2}\n')
  })

  it('without a token is refused before it is sent', async () => {
    const server = await serveSilence()
    const client = await connect({url: new URL(server.url)})
    await expect(client.insert({table: 't', rows: [{a: 1}], token: '', signal: never})).rejects.toThrow('every insert needs a token')
    expect(server.connections()).toBe(0)
  })
})

describe('a query', () => {
  it('has its parameters bound by the server, and gives the rows of the answer', async () => {
    let asked = new URLSearchParams()
    const {url} = await serveHttp((request, response) => {
      asked = new URL(request.url!, 'http://server').searchParams
      request.resume().on('end', () => response.end('{"meta":[{"name":"a","type":"UInt8"}],"data":[{"a":1},{"a":2}],"rows":2}'))
    })
    const client = await connect({url: new URL(url)})
    expect(await client.query('SELECT a FROM t WHERE b = {b:String}', {b: 'x y'}, never)).toEqual([{a: 1}, {a: 2}])
    expect(asked.get('param_b')).toBe('x y')
  })
})

describe('an error of the server', () => {
  const fates: {name: string; error?: object; codes: Readonly<Record<number, string>>}[] = [
    {
      name: 'AuthError',
      error: {suggestion: 'Check --clickhouse-user and --clickhouse-password, or CLICKHOUSE_USER and CLICKHOUSE_PASSWORD'},
      codes: {
        192: 'UNKNOWN_USER',
        193: 'WRONG_PASSWORD',
        194: 'REQUIRED_PASSWORD',
        195: 'IP_ADDRESS_NOT_ALLOWED',
        516: 'AUTHENTICATION_FAILED',
      },
    },
    {
      name: 'AuthError',
      error: {suggestion: 'Grant the user what is missing, or name another: --clickhouse-user or CLICKHOUSE_USER'},
      codes: {164: 'READONLY', 291: 'DATABASE_ACCESS_DENIED', 497: 'ACCESS_DENIED'},
    },
    {name: 'NotFoundError', codes: {60: 'UNKNOWN_TABLE', 81: 'UNKNOWN_DATABASE'}},
    {
      name: 'ClickHouseRefusal',
      error: {row: undefined},
      codes: {
        6: 'CANNOT_PARSE_TEXT',
        27: 'CANNOT_PARSE_INPUT_ASSERTION_FAILED',
        32: 'ATTEMPT_TO_READ_AFTER_EOF',
        41: 'CANNOT_PARSE_DATETIME',
        72: 'CANNOT_PARSE_NUMBER',
        117: 'INCORRECT_DATA',
        130: 'CANNOT_READ_ARRAY_FROM_TEXT',
        153: 'ILLEGAL_DIVISION',
        376: 'CANNOT_PARSE_UUID',
        395: 'FUNCTION_THROW_IF_VALUE_IS_NON_ZERO',
        407: 'DECIMAL_OVERFLOW',
        675: 'CANNOT_PARSE_IPV4',
        349: 'CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN',
        691: 'UNKNOWN_ELEMENT_OF_ENUM',
      },
    },
    {
      name: 'UnavailableError',
      error: {retryable: 'never'},
      codes: {16: 'NO_SUCH_COLUMN_IN_TABLE', 44: 'ILLEGAL_COLUMN', 48: 'NOT_IMPLEMENTED', 62: 'SYNTAX_ERROR'},
    },
    {
      name: 'UnavailableError',
      error: {retryable: 'always', divisible: false, suggestion: expect.any(String) as string},
      codes: {
        159: 'TIMEOUT_EXCEEDED',
        201: 'QUOTA_EXCEEDED',
        202: 'TOO_MANY_SIMULTANEOUS_QUERIES',
        241: 'MEMORY_LIMIT_EXCEEDED',
        242: 'TABLE_IS_READ_ONLY',
        243: 'NOT_ENOUGH_SPACE',
        252: 'TOO_MANY_PARTS',
        999: 'KEEPER_EXCEPTION',
      },
    },
    {
      name: 'UnavailableError',
      error: {retryable: 'always', divisible: true, suggestion: expect.stringContaining('--print-ddl') as string},
      codes: {49: 'LOGICAL_ERROR', 565: 'TOO_MANY_PARTITIONS', 1001: 'STD_EXCEPTION'},
    },
  ]
  const codes = fates.flatMap(({codes, ...fate}) => Object.entries(codes).map(([code, type]) => ({code: Number(code), type, ...fate})))

  it.each(codes)('$code $type is $name', async ({code, type, name, error}) => {
    const {url} = await serveException(code, type, 'what it is about. ')
    const expected = {name, message: `${url}: what it is about. `, cause: {code: String(code)}, ...error}
    await expect(insert(url)).rejects.toMatchObject(expected)
  })

  it.each([
    {where: 'the row that it names', code: 27, message: 'Cannot parse input: (while reading the value of key b): (at row 3)\n', row: 2},
    {where: 'the row it names last, when the data speak of rows', code: 27, message: 'here: "(at row 1)"\n: (at row 3)\n', row: 2},
    {
      where: 'the row that violates a constraint',
      code: 469,
      message: 'Constraint `c` is violated at row 3. Values: a = (at row 1)',
      row: 2,
    },
    {where: 'no row', code: 27, message: 'Cannot parse input', row: undefined},
  ])('names $where', async ({code, message, row}) => {
    const {url} = await serveException(code, 'CANNOT_PARSE_TEXT', message)
    await expect(insert(url)).rejects.toMatchObject({name: 'ClickHouseRefusal', row})
  })

  it('is told by its first line, and at no great length', async () => {
    const {url} = await serveException(27, 'CANNOT_PARSE_TEXT', `${'x'.repeat(1000)}\nsecond line`)
    await expect(insert(url)).rejects.toMatchObject({message: `${url}: ${'x'.repeat(400)}`})
  })

  it('comes from a query and from a command as it does from an insert', async () => {
    const {url} = await serveException(60, 'UNKNOWN_TABLE', 'Unknown table. ')
    const client = await connect({url: new URL(url)})
    await expect(client.query('SELECT 1', {}, never)).rejects.toMatchObject({name: 'NotFoundError'})
    await expect(client.command('SELECT 1', never)).rejects.toMatchObject({name: 'NotFoundError'})
  })
})

it('that a statement meets lies in the table: it has no rows to be refused', async () => {
  const {url} = await serveException(691, 'UNKNOWN_ELEMENT_OF_ENUM', 'Unknown element. ')
  const client = await connect({url: new URL(url)})
  await expect(client.command('INSERT INTO t SELECT 1', never)).rejects.toMatchObject({
    name: 'UnavailableError',
    retryable: 'never',
    suggestion: 'Compare the table with the output of --print-ddl',
  })
})

describe('a server that cannot be reached', () => {
  it.each([
    {what: 'hangs up', serve: (socket) => socket.destroy(), says: /ECONNRESET|socket hang up/},
    {what: 'speaks something else', serve: (socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'), says: /Parse Error/},
    {what: 'never answers', serve: (socket) => socket.resume(), says: /Timeout error/},
    {what: 'never ends its answer', serve: (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n'), says: /aborted/},
  ] satisfies {what: string; serve: Parameters<typeof serveSocket>[0]; says: RegExp}[])('is one that $what', async ({serve, says}) => {
    const {url} = await serveSocket(serve)
    await expect(insert(url, {timeoutMilliseconds: 200})).rejects.toMatchObject({
      name: 'UnavailableError',
      retryable: 'always',
      message: expect.stringMatching(says) as string,
      suggestion: 'Is the server running? Check --clickhouse-url, or --clickhouse-host and --clickhouse-port',
    })
  })

  it.each([
    ['a page', 502, '<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n', 'its answer is not one of ClickHouse'],
    ['nothing', 503, '', 'its answer is not one of ClickHouse'],
    ['a line', 404, 'There is no handle /x\n\nUse / or /ping\n', 'There is no handle /x'],
  ])('is not one before which something else answers with %s: the error says what came', async (_, status, body, says) => {
    const {url} = await serveHttp((request, response) => void request.resume().on('end', () => response.writeHead(status).end(body)))
    await expect(insert(url)).rejects.toMatchObject({name: 'UnavailableError', message: `${url}: ${says}`})
  })

  it.each([
    ['a page', '<html>Welcome to nginx!</html>'],
    ['JSON of another kind', '{"status":"ok"}'],
    ['nothing', ''],
    ['half an answer', '{"meta":[],"data":[{"a":1},\n{"a":2'],
    ['rows without an end', '{"a":1}\n{"a":2}'],
  ])('is not one whose answer to a query is %s: it is said to be none of ClickHouse', async (_, body) => {
    const {url} = await serveHttp((request, response) => void request.resume().on('end', () => response.end(body)))
    const client = await connect({url: new URL(url), timeoutMilliseconds: 200})
    const asked = client.query('SELECT 1', {}, never)
    await expect(asked).rejects.toBeInstanceOf(UnavailableError)
    await expect(asked).rejects.toThrow(`${url}: its answer is not one of ClickHouse`)
  })

  it('is not what the driver says of itself, nor a fault of the program', async () => {
    const failing = (cause: Error) => wrapDriver({query: () => Promise.reject(cause)} as never, 'server', async () => {})
    const tooLong = new Error('The response length exceeds the maximum allowed size of a string: 536870888 characters.')
    await expect(failing(tooLong).query('SELECT 1', {}, never)).rejects.toMatchObject({
      name: 'UnavailableError',
      message: `server: ${tooLong.message}`,
    })
    const coded = Object.assign(new Error('Premature close'), {code: 'ERR_STREAM_PREMATURE_CLOSE'})
    await expect(failing(coded).query('SELECT 1', {}, never)).rejects.toMatchObject({message: 'server: Premature close'})
    const fault = new RangeError('Invalid string length')
    await expect(failing(fault).query('SELECT 1', {}, never)).rejects.toBe(fault)
  })

  it('is one where nobody listens', async () => {
    const [port] = await freePorts(1)
    await expect(insert(`http://127.0.0.1:${port}`)).rejects.toMatchObject({
      name: 'UnavailableError',
      message: `http://127.0.0.1:${port} cannot be reached: connect ECONNREFUSED 127.0.0.1:${port}`,
    })
  })

  it('is not worth waiting for when its certificate is not trusted', async () => {
    await inFreshFolder('tls', async (folder) => {
      const {server} = await makeCertificates(folder)
      const pem = await readFile(server)
      const {url} = await serveHttps({key: pem, cert: pem}, (_, response) => response.end())
      await expect(insert(url)).rejects.toMatchObject({
        name: 'UnavailableError',
        retryable: 'never',
        message: `${url} cannot be reached: unable to verify the first certificate`,
        suggestion: 'Trust its certificate authority with NODE_EXTRA_CA_CERTS=FILE',
      })
      await removeFolder(folder)
    })
  })
})

describe('an abort', () => {
  const reason = new Error('enough')
  const uses: [string, (client: ClickHouse, signal: AbortSignal) => Promise<unknown>][] = [
    ['an insert', (client, signal) => client.insert({table: 't', rows: [{a: 1}], token: 't/0/1-1', signal})],
    ['a query', (client, signal) => client.query('SELECT 1', {}, signal)],
    ['a command', (client, signal) => client.command('SELECT 1', signal)],
  ]

  it.each(uses)('before %s rejects with its reason, and nothing is sent', async (_, use) => {
    const server = await serveSilence()
    await expect(use(await connect({url: new URL(server.url)}), AbortSignal.abort(reason))).rejects.toBe(reason)
    expect(server.connections()).toBe(0)
  })

  it.each(uses)('during %s rejects with its reason', async (_, use) => {
    const abort = new AbortController()
    const {url} = await serveHttp(() => abort.abort(reason))
    await expect(use(await connect({url: new URL(url)}), abort.signal)).rejects.toBe(reason)
  })
})

describe('quoteName', () => {
  it.each([
    ['sensor_data', '`sensor_data`'],
    ['a`; DROP TABLE b', '`a\\`; DROP TABLE b`'],
    ['back\\slash', '`back\\\\slash`'],
    ['it is "quoted"', '`it is "quoted"`'],
  ])('of %s is %s', (name, quoted) => {
    expect(quoteName(name)).toBe(quoted)
  })
})

async function connect(options: Partial<ClickHouseServer> & Pick<ClickHouseServer, 'url'>): Promise<ClickHouse> {
  const client = await connectClickHouse({user: 'default', password: '', timeoutMilliseconds: 10_000, ...options})
  onTestFinished(() => client.close())
  return client
}

async function insert(url: string, options: Partial<ClickHouseServer> = {}): Promise<void> {
  const client = await connect({url: new URL(url), ...options})
  await client.insert({table: 't', rows: [{a: 1}], token: 't/0/1-1', signal: never})
}

/** Answers as the server does, whatever it is asked. */
const serveException = (code: number, type: string, message: string) =>
  serveHttp((request, response) => {
    void text(request).then(() => {
      response.writeHead(500, {'X-ClickHouse-Exception-Code': code})
      response.end(`Code: ${code}. DB::Exception: ${message}(${type}) (version 26.7.2.1 (official build))\n`)
    })
  })

async function serveRecording() {
  const seen: {path: string; database: string | null; as: string}[] = []
  const {url} = await serveHttp(({url: asked, headers: {authorization = ''}}, response) => {
    const {pathname, searchParams} = new URL(asked!, 'http://server')
    const as = Buffer.from(authorization.replace('Basic ', ''), 'base64').toString()
    seen.push({path: pathname, database: searchParams.get('database'), as})
    response.end()
  })
  return {url, seen}
}
