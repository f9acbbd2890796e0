import nock from 'nock'
import {gzipSync} from 'node:zlib'
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished} from 'vitest'
import {createHttpClient} from '../../src/lib/clients/http.ts'
import {createInfluxClient, type InfluxClient, InfluxRefusal, type InfluxWrite} from '../../src/lib/clients/influx.ts'
import {AuthError} from '../../src/lib/errors.ts'

const SERVER = 'http://influx.example:8086'
const WRITE = '/api/v2/write?org=my+org&bucket=a%26b&precision=ns'
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5)
const never = new AbortController().signal

beforeAll(() => {
  if (!nock.isActive()) nock.activate()
})
afterAll(() => nock.restore()) // files share a process, and servers of other tests are real
beforeEach(() => nock.disableNetConnect())
afterEach(() => {
  const unused = nock.pendingMocks()
  nock.cleanAll()
  nock.enableNetConnect()
  expect(unused).toEqual([])
})

describe('a write', () => {
  it('carries org, bucket, precision, token and lines', async () => {
    nock(SERVER, {
      reqheaders: {authorization: 'Token t0', 'content-type': 'text/plain; charset=utf-8', 'content-encoding': 'identity'},
    })
      .post(WRITE, 'm f=1 1\n')
      .reply(204)
    await expect(write(connect(), 'm f=1 1\n')).resolves.toBeUndefined()
  })

  it('says that its lines are compressed', async () => {
    const body = gzipSync('m f=1 1\n')
    nock(SERVER, {reqheaders: {'content-encoding': 'gzip', 'content-length': String(body.length)}})
      .post(WRITE)
      .reply(204)
    await expect(connect().write({...WHERE, body, encoding: 'gzip', signal: never})).resolves.toBeUndefined()
  })

  it('goes below the path of a proxy', async () => {
    nock(SERVER).post(`/influx${WRITE}`).reply(204)
    await expect(write(connect({url: `${SERVER}/influx/`}))).resolves.toBeUndefined()
  })

  it('authenticates with the token, not with the user of the address', async () => {
    nock(SERVER, {reqheaders: {authorization: 'Token t0'}})
      .post(WRITE)
      .reply(503)
    const url = SERVER.replace('//', '//user:secret@')
    await expect(write(connect({url}))).rejects.toMatchObject({message: 'http://***@influx.example:8086 answered 503'})
  })

  it('is stored also where a server answers 201', async () => {
    nock(SERVER).post(WRITE).reply(201)
    await expect(write(connect())).resolves.toBeUndefined()
  })
})

describe('the token', () => {
  it('is asked for at each request', async () => {
    const tokens = ['first', 'second']
    nock(SERVER, {reqheaders: {authorization: 'Token first'}})
      .post(WRITE)
      .reply(401)
    nock(SERVER, {reqheaders: {authorization: 'Token second'}})
      .post(WRITE)
      .reply(204)
    const client = connect({token: async () => tokens.shift()!})
    await expect(write(client)).rejects.toBeInstanceOf(AuthError)
    await expect(write(client)).resolves.toBeUndefined()
  })

  it('that cannot be read is the error of the write', async () => {
    const unreadable = new AuthError('the token cannot be read')
    await expect(write(connect({token: () => Promise.reject(unreadable)}))).rejects.toBe(unreadable)
  })

  it.each(['“quoted”', 'two\nlines', 'tøken'])('that no header can carry is a wrong one, and is not shown: %j', async (token) => {
    const request = write(connect({token: async () => token}))
    await expect(request).rejects.toMatchObject({name: 'AuthError', suggestion: 'Check --token, --token-file or INFLUX_TOKEN'})
    await expect(request).rejects.not.toThrow(token)
  })
})

describe('lines that the server refuses', () => {
  it.each([
    ['one', "unable to parse 'm,t=a f= 1700000001': missing field value"],
    ['several', "unable to parse 'm f=NaN 3': invalid number\nunable to parse 'm 1': missing fields"],
    ['one with a reserved tag', `unable to parse 'm,time=x f=1 1': cannot use reserved tag key "time"`],
    [
      'one outside the range of time',
      "unable to parse 'm f=1 9223372036854775807': time outside range -9223372036854775806 - 9223372036854775806",
    ],
  ])('are a refusal of which nothing is stored (400, %s)', async (_, message) => {
    nock(SERVER).post(WRITE).reply(400, {code: 'invalid', message})
    await expect(write(connect())).rejects.toMatchObject({name: 'InfluxRefusal', kind: 'parse', message})
  })

  it.each([
    [
      'type conflict',
      partial('field type conflict: input field "f" on measurement "m2" is type string, already exists as type float dropped=2'),
    ],
    [
      'retention',
      partial('dropped 2 points outside retention policy of duration 1h0m0s - oldest point m at 2020-01-01T00:00:00Z dropped=2'),
    ],
    ['a field called time', partial('invalid field name: input field "time" on measurement "m" is invalid dropped=1')],
    ['a word that we do not know', 'whatever'],
  ])('are a refusal of which the rest may be stored (422, %s)', async (_, message) => {
    nock(SERVER).post(WRITE).reply(422, {code: 'unprocessable entity', message})
    await expect(write(connect())).rejects.toMatchObject({name: 'InfluxRefusal', kind: 'partial', message})
  })

  it('are no refusal when a proxy does not like the request: then its size or one of its lines may be why', async () => {
    nock(SERVER).post(WRITE).reply(400, '<html><body>400 Bad Request</body></html>')
    const error = await write(connect()).catch((cause: unknown) => cause)
    expect(error).not.toBeInstanceOf(InfluxRefusal)
    expect(error).toMatchObject({name: 'UnavailableError', divisible: true, message: `${SERVER} answered 400`})
  })
})

describe('an answer that is the end of a run', () => {
  it.each([
    {
      status: 401,
      body: {code: 'unauthorized', message: 'unauthorized access'},
      name: 'AuthError',
      retryable: 'after success',
      suggestion: 'Check --token, --token-file or INFLUX_TOKEN',
    },
    {
      status: 403,
      body: {code: 'forbidden', message: 'insufficient permissions for write'},
      name: 'AuthError',
      retryable: 'after success',
      suggestion: 'Give the token in --token or INFLUX_TOKEN the permission to write to bucket "a&b"',
    },
    {
      status: 404,
      body: {code: 'not found', message: 'bucket "a&b" not found'},
      name: 'NotFoundError',
      retryable: 'after success',
      suggestion: 'Create it with ucs buckets create, or name another with --influx-bucket or INFLUX_BUCKET',
    },
    {
      status: 404,
      body: {code: 'not found', message: 'organization name "my org" not found'},
      name: 'NotFoundError',
      retryable: 'after success',
      suggestion: 'Check --influx-org or INFLUX_ORG',
    },
  ])('$status $body.message', async ({status, body, ...error}) => {
    nock(SERVER).post(WRITE).reply(status, body)
    await expect(write(connect())).rejects.toMatchObject({...error, message: `${SERVER} answered ${status}: ${body.message}`})
  })

  it.each([
    ['a page', 200, '<html>Welcome to nginx!</html>', ''],
    ['a redirect', 301, '', ''],
    ['another server', 404, '404 page not found\n', ': 404 page not found'],
    ['a server without that path', 404, '<html>Not Found</html>', ''],
    ['a server that only reads', 405, 'Method Not Allowed', ': Method Not Allowed'],
  ])('comes from something that is no InfluxDB: %s', async (_, status, body, said) => {
    nock(SERVER).post(WRITE).reply(status, body)
    await expect(write(connect())).rejects.toMatchObject({
      name: 'UnavailableError',
      retryable: 'never',
      message: `${SERVER} answered ${status}${said}`,
      suggestion: 'Is --influx-url the address of an InfluxDB 2 server?',
    })
  })
})

describe('an answer that may be another one later', () => {
  it.each([
    [429, {'Retry-After': '7'}, 7000],
    [503, {'Retry-After': '120'}, 120_000],
    [503, {'Retry-After': 'Fri, 02 Jan 2026 03:04:35 GMT'}, 30_000],
    [503, {'Retry-After': 'soon'}, undefined],
    [429, {}, undefined],
    [502, {}, undefined],
    [504, {}, undefined],
    [500, {'Retry-After': '3'}, 3000],
  ])('is %i %j, to be tried again after %s ms', async (status, headers, retryAfterMilliseconds) => {
    nock(SERVER).post(WRITE).reply(status, '', headers)
    await expect(write(connect())).rejects.toMatchObject({name: 'UnavailableError', retryable: 'always', retryAfterMilliseconds})
  })

  it.each([
    [500, true, {code: 'internal error', message: 'An internal error has occurred - check server logs'}],
    [500, true, {code: 'internal error', message: 'unable to read data: unexpected EOF'}],
    [413, true, {code: 'request too large', message: 'unable to read data: points batch is too large'}],
    [429, false, {code: 'too many requests', message: 'org has exceeded limited_write plan limit'}],
    [503, false, {code: 'unavailable', message: 'timeout'}],
  ])('is %i, divisible %s', async (status, divisible, body) => {
    nock(SERVER).post(WRITE).reply(status, body)
    await expect(write(connect())).rejects.toMatchObject({
      name: 'UnavailableError',
      retryable: 'always',
      divisible,
      message: `${SERVER} answered ${status}: ${body.message}`,
    })
  })

  it.each([
    ['what a server says while it starts', 503, '{"status":"starting"}', ': {"status":"starting"}'],
    ['nothing of the page of a proxy', 502, '<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n', ''],
    ['one line of the text of a proxy', 503, 'upstream connect error\nreset reason: overflow', ': upstream connect error'],
    ['no more of a line than a line takes', 502, 'x'.repeat(5000), `: ${'x'.repeat(200)}`],
    ['nothing where nothing is said', 503, '', ''],
  ])('is told with %s', async (_, status, body, said) => {
    nock(SERVER).post(WRITE).reply(status, body)
    await expect(write(connect())).rejects.toMatchObject({message: `${SERVER} answered ${status}${said}`, divisible: false})
  })

  it.each(['ECONNRESET', 'ETIMEDOUT', 'EPIPE'])('does not come: %s', async (code) => {
    nock(SERVER)
      .post(WRITE)
      .replyWithError(Object.assign(new Error(`write ${code}`), {code}))
    await expect(write(connect())).rejects.toMatchObject({
      name: 'UnavailableError',
      retryable: 'always',
      message: `POST ${SERVER}/api/v2/write failed: write ${code}`,
      suggestion: 'Is the server running?',
    })
  })

  it('does not come from any address of its name, of which the first is told', async () => {
    const failures = ['::1', '127.0.0.1'].map((address) => new Error(`connect ECONNREFUSED ${address}:8086`))
    nock(SERVER).post(WRITE).replyWithError(new AggregateError(failures, ''))
    await expect(write(connect())).rejects.toThrow('failed: connect ECONNREFUSED ::1:8086')
  })
})

const WHERE = {bucket: 'a&b', encoding: 'identity'} satisfies Partial<InfluxWrite>

function write(client: InfluxClient, lines = 'm f=1 1\n'): Promise<void> {
  return client.write({...WHERE, body: Buffer.from(lines), signal: never})
}

function connect({url = SERVER, token = async () => 't0'}: {url?: string; token?: () => Promise<string>} = {}): InfluxClient {
  const http = createHttpClient({
    baseUrl: new URL(url),
    timeoutMilliseconds: 10_000,
    remedy: 'Is the server running?',
    caFlag: '--influx-ca',
  })
  const client = createInfluxClient({http, org: 'my org', token, now: () => NOW})
  onTestFinished(() => client.close())
  return client
}

function partial(reason: string): string {
  return `failure writing points to database: partial write: ${reason}`
}
