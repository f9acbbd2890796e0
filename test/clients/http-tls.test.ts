import {execFile} from 'node:child_process'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {promisify} from 'node:util'
import {beforeAll, describe, expect, it, onTestFinished} from 'vitest'
import {createHttpClient, type HttpOptions} from '../../src/lib/clients/http.ts'
import {UnavailableError} from '../../src/lib/errors.ts'
import {inFreshFolder, removeFolder} from '../services/fresh-folder.ts'
import {makeCertificates} from '../services/kafka-certificates.ts'
import {serveHttp, serveHttps} from './servers.ts'

describe('TLS', () => {
  let server: {key: string; cert: string}
  let ca: string
  let stranger: {key: string; cert: string}

  beforeAll(async () => {
    await inFreshFolder('tls', async (folder) => {
      const paths = await makeCertificates(folder)
      const pem = await readFile(paths.server, 'utf8')
      server = {key: pem, cert: pem}
      ca = await readFile(paths.ca, 'utf8')
      stranger = await selfSigned(folder, 'elsewhere.example')
      await removeFolder(folder)
    })
  })

  it('trusts the authority that it is told to', async () => {
    const {url} = await serveHttps(server, (_, response) => response.end('trusted'))
    expect((await get(url, {ca})).text).toBe('trusted')
    expect((await get(url.replace('127.0.0.1', 'localhost'), {ca})).text).toBe('trusted')
  })

  it('trusts anybody when it is told to', async () => {
    const {url} = await serveHttps(stranger, (_, response) => response.end('whoever'))
    expect((await get(url, {skipsVerification: true})).text).toBe('whoever')
  })

  it.each([
    {
      what: 'an authority that it does not know',
      options: () => ({}),
      certificate: () => server,
      says: 'unable to verify the first certificate',
    },
    {what: 'a certificate that vouches for itself', options: () => ({}), certificate: () => stranger, says: 'self-signed certificate'},
    {
      what: 'a certificate for another host',
      options: () => ({ca: stranger.cert}),
      certificate: () => stranger,
      says: 'does not match certificate',
      suggestion: 'Use a name that the certificate of the server has',
    },
  ])(
    'refuses $what for good, sends nothing, and says what to do',
    async ({options, certificate, says, suggestion = 'Name the certificate authority with --influx-ca FILE'}) => {
      let requests = 0
      const {url} = await serveHttps(certificate(), () => requests++)
      const request = get(url, options())
      await expect(request).rejects.toMatchObject({
        name: 'UnavailableError',
        retryable: 'never',
        message: expect.stringContaining(says) as string,
        suggestion,
      })
      await expect(request).rejects.not.toThrow(/NODE_|system-ca/)
      expect(requests).toBe(0)
    },
  )

  it('is not spoken on the port of a server without it', async () => {
    const {port} = await serveHttp((_, response) => response.end())
    await expect(get(`https://127.0.0.1:${port}`)).rejects.toBeInstanceOf(UnavailableError)
  })

  it('does not answer a client without it', async () => {
    const {port} = await serveHttps(server, (_, response) => response.end())
    await expect(get(`http://127.0.0.1:${port}`)).rejects.toBeInstanceOf(UnavailableError)
  })
})

function get(url: string, options: Partial<HttpOptions> = {}) {
  const client = createHttpClient({
    baseUrl: new URL(url),
    timeoutMilliseconds: 10_000,
    remedy: 'Is the server running?',
    caFlag: '--influx-ca',
    ...options,
  })
  onTestFinished(() => client.close())
  return client.send({method: 'GET', path: '/', signal: new AbortController().signal})
}

async function selfSigned(folder: string, host: string): Promise<{key: string; cert: string}> {
  const [key, cert] = [join(folder, 'stranger.key'), join(folder, 'stranger.crt')]
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key]
  const names = ['-subj', `/CN=${host}`, '-addext', `subjectAltName=DNS:${host}`]
  await promisify(execFile)('openssl', ['req', '-x509', ...newKey, '-days', '2', '-out', cert, ...names])
  return {key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8')}
}
