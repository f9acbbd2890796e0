import {execFile} from 'node:child_process'
import {mkdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {promisify} from 'node:util'

/** Paths of PEM files. */
export interface Certificates {
  readonly ca: string
  readonly clientCertificate: string
  readonly clientKey: string
  /** Key and certificate in one file, as Kafka wants it. */
  readonly server: string
}

/** An authority of its own, and what it vouches for: a server at localhost or 127.0.0.1, and a client. */
export async function makeCertificates(folder: string): Promise<Certificates> {
  await mkdir(folder, {recursive: true})
  const at = (name: string) => join(folder, name)
  const openssl = (...args: string[]) => promisify(execFile)('openssl', args, {cwd: folder})
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  await openssl('req', '-x509', ...newKey, '-days', '2', '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=ucs-test-ca')
  await writeFile(at('names.cnf'), 'subjectAltName=DNS:localhost,IP:127.0.0.1')
  const authority = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-days', '2', '-extfile', 'names.cnf']
  for (const [index, name] of ['server', 'client'].entries()) {
    await openssl('req', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', '/CN=localhost')
    await openssl('x509', '-req', '-in', `${name}.csr`, ...authority, '-set_serial', String(index + 1), '-out', `${name}.crt`)
  }

  await writeFile(at('server.pem'), [await readFile(at('server.key')), await readFile(at('server.crt'))].join(''))
  return {ca: at('ca.crt'), clientCertificate: at('client.crt'), clientKey: at('client.key'), server: at('server.pem')}
}
